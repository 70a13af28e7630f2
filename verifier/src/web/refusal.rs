//! Why something is not done, for a person and for a script: a status and `{"error": "what, where, what to do"}`.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use std::fmt::Display;

/// An answer that is none.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    pub(super) error: String,
}

impl Refusal {
    /// The request itself is wrong.
    pub(super) fn wrong(error: impl Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, error)
    }

    /// It does not fit how things stand.
    pub(super) fn conflict(error: impl Display) -> Refusal {
        Refusal::new(StatusCode::CONFLICT, error)
    }

    /// There is no such thing.
    pub(super) fn nothing(error: impl Display) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, error)
    }

    pub(super) fn new(status: StatusCode, error: impl Display) -> Refusal {
        let error = format!("{error:#}");
        Refusal { status, error }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = serde_json::json!({ "error": self.error });
        json(self.status, error.to_string())
    }
}

/// JSON as an answer.
pub(super) fn json(status: StatusCode, json: impl Into<Body>) -> Response {
    let kind = (header::CONTENT_TYPE, "application/json");
    (status, [kind], json.into()).into_response()
}
