//! The one list of what a request can be refused for, with the status and body that each becomes.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::answer::json;

/// Why a request is refused.
#[derive(Debug)]
pub enum Error {
    /// The body was understood and some of its fields are wrong: 422, all of them at once.
    Invalid(Vec<FieldError>),
    /// The request makes no sense here: 400.
    BadRequest(String),
    /// The body ended before it was complete: 400.
    BodyUnreadable,
    /// No such path or model: 404.
    NotFound(Cow<'static, str>),
    /// The path exists, the method does not: 405 (the router adds `Allow`).
    MethodNotAllowed,
    /// The body is larger than allowed: 413.
    BodyTooLarge {
        /// Largest allowed body.
        limit_bytes: usize,
    },
    /// The body is not declared as JSON: 415.
    NotJson,
}

/// One complaint, in the shape that FastAPI and Pydantic 2 give.
#[derive(Debug, Serialize)]
pub struct FieldError {
    /// Pydantic's name of the kind of error, e.g. `missing`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where: `body`, then keys and indices.
    pub loc: Vec<Loc>,
    /// What is wrong, for a person.
    pub msg: String,
    /// What was given, verbatim; long inputs are cut.
    pub input: Box<RawValue>,
    /// The limit that was broken, or the parser's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctx: Option<serde_json::Value>,
}

/// One step of the way to a field.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Loc {
    /// A key.
    Key(&'static str),
    /// An index in a list, or a byte offset in malformed JSON.
    Index(usize),
}

impl Error {
    /// The answer's status.
    pub fn status(&self) -> StatusCode {
        match self {
            Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::BadRequest(_) | Error::BodyUnreadable => StatusCode::BAD_REQUEST,
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Error::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Error::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Error::Invalid(errors) => {
                let each = errors
                    .iter()
                    .map(|error| format!("{}: {}", error.place(), error.msg));
                each.collect::<Vec<_>>().join("; ").into()
            }
            Error::BadRequest(message) => message.into(),
            Error::NotFound(message) => message.as_ref().into(),
            Error::BodyUnreadable => "The request body ended before it was complete".into(),
            Error::MethodNotAllowed => "Method Not Allowed".into(),
            Error::BodyTooLarge { limit_bytes } => {
                format!("Request body is larger than {limit_bytes} bytes").into()
            }
            Error::NotJson => "Content-Type must be application/json".into(),
        }
    }

    /// A short name of low cardinality, for spans (`error.type`).
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Invalid(errors) => errors.first().map_or("invalid", |error| error.kind),
            Error::BadRequest(_) => "bad_request",
            Error::BodyUnreadable => "body_unreadable",
            Error::NotFound(_) => "not_found",
            Error::MethodNotAllowed => "method_not_allowed",
            Error::BodyTooLarge { .. } => "body_too_large",
            Error::NotJson => "not_json",
        }
    }

    /// `{"detail": ..}`, as FastAPI answers.
    fn detail(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Detail<T> {
            detail: T,
        }
        let body = match self {
            Error::Invalid(errors) => serde_json::to_vec(&Detail { detail: errors }),
            other => serde_json::to_vec(&Detail {
                detail: other.message(),
            }),
        };
        body.unwrap_or_default()
    }
}

impl FieldError {
    /// The place as a person writes it, e.g. `instances[3].petal_width`.
    pub fn place(&self) -> String {
        let mut place = String::new();
        for step in self.loc.iter().skip(1) {
            match step {
                Loc::Key(key) if place.is_empty() => place.push_str(key),
                Loc::Key(key) => place.extend([".", key]),
                Loc::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        if place.is_empty() {
            "body".to_owned()
        } else {
            place
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        json(self.status(), self.detail())
    }
}
