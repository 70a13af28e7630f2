//! One request with its body read: what the steps of a prediction share.

use std::cell::RefCell;

use axum::extract::{FromRef, FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;

use super::{Predictor, known::KnownSpan};
use crate::error::Error;
use crate::telemetry::{
    self, Attribute, EncodedAttributes, Gathered, Kind, SpanContext, SpanRecord, Stamp, Status,
    TraceState, Value,
};

/// One request with its body read.
#[derive(Debug)]
pub struct Call {
    pub(super) predictor: &'static Predictor,
    pub(super) body: Bytes,
    /// The server span, when the request is traced.
    server_span: Option<SpanContext>,
    /// The caller's, for every span of the request.
    trace_state: Option<TraceState>,
    /// Where its spans are put, if somebody else sees to what becomes of them.
    gathered: Option<RefCell<Gathered>>,
}

impl<S: Sync> FromRequest<S> for Call
where
    &'static Predictor: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Call, Error> {
        let predictor = <&'static Predictor>::from_ref(state);
        let (mut parts, body) = request.into_parts();
        declared_as_json(&parts.headers)?;
        let server_span = parts
            .extensions
            .get()
            .copied()
            .filter(|_| predictor.recorder.enabled());
        let trace_state = server_span.and_then(|_| parts.extensions.remove());
        let body = read(body, &parts.headers, predictor.limits.body_bytes).await?;
        Ok(Call {
            predictor,
            body,
            server_span,
            trace_state,
            gathered: None,
        })
    }
}

impl Call {
    /// A call whose body has been read already, and whose spans are gathered.
    pub(super) fn at_once(
        predictor: &'static Predictor,
        server_span: Option<SpanContext>,
        gathered: Gathered,
    ) -> Call {
        Call {
            predictor,
            body: Bytes::new(),
            server_span,
            trace_state: None,
            gathered: Some(RefCell::new(gathered)),
        }
    }

    /// Its spans, if they were gathered.
    pub(super) fn into_gathered(self) -> Gathered {
        self.gathered.map(RefCell::into_inner).unwrap_or_default()
    }

    /// The time when the call is traced; nothing reads it otherwise, so that it is not asked for.
    #[inline]
    pub(super) fn now_unix_ns(&self) -> u64 {
        if self.server_span.is_some() {
            telemetry::now_unix_ns()
        } else {
            0
        }
    }

    /// The server span, when the request is traced.
    #[inline]
    pub(super) fn server_span(&self) -> Option<SpanContext> {
        self.server_span
    }

    /// Records a step, from `start_unix_ns` to now, as a child of the server span. Gives the time of
    /// its end.
    pub(super) fn record(
        &self,
        name: &str,
        start_unix_ns: u64,
        attributes: &[Attribute<'_>],
        status: Status<'_>,
    ) -> u64 {
        let none = &EncodedAttributes::default();
        self.record_as(start_unix_ns, |stamp| {
            self.put(name, &stamp, none, attributes, status);
        })
    }

    /// The same for a step that most requests record alike, with at most one attribute of its own.
    pub(super) fn record_known(
        &self,
        known: &KnownSpan,
        start_unix_ns: u64,
        own: Option<Attribute<'_>>,
    ) -> u64 {
        self.record_as(start_unix_ns, |stamp| {
            let last = match own {
                Some((_, Value::Double(last))) => Some(last),
                _ => None,
            };
            match &self.gathered {
                Some(gathered) if own.is_some() == last.is_some() => {
                    let stamp = Stamp { last, ..stamp };
                    gathered.borrow_mut().add_like(&known.template, &stamp);
                }
                _ => self.put(
                    known.name,
                    &stamp,
                    &known.shared,
                    own.as_slice(),
                    Status::Unset,
                ),
            }
        })
    }

    /// Who a span is that begins as a step of this call and ends now.
    fn record_as(&self, start_unix_ns: u64, put: impl FnOnce(Stamp)) -> u64 {
        let Some(server) = self.server_span else {
            return 0;
        };
        let end_unix_ns = telemetry::now_unix_ns();
        put(Stamp {
            context: SpanContext {
                trace_id: server.trace_id,
                span_id: telemetry::new_span_id(),
            },
            parent_span_id: Some(server.span_id),
            start_unix_ns,
            end_unix_ns,
            last: None,
        });
        end_unix_ns
    }

    fn put(
        &self,
        name: &str,
        stamp: &Stamp,
        shared: &EncodedAttributes,
        attributes: &[Attribute<'_>],
        status: Status<'_>,
    ) {
        let span = SpanRecord {
            context: stamp.context,
            parent_span_id: stamp.parent_span_id,
            trace_state: self.trace_state.as_ref().map_or("", |state| &state.0),
            name,
            kind: Kind::Internal,
            start_unix_ns: stamp.start_unix_ns,
            end_unix_ns: stamp.end_unix_ns,
            attributes,
            status,
        };
        match &self.gathered {
            Some(gathered) => gathered.borrow_mut().add(&span, shared),
            None => self
                .predictor
                .recorder
                .record_described(&span, shared, true),
        }
    }
}

/// `application/json` or `application/*+json`, parameters allowed. A body without any declared type
/// is taken for JSON too (RFC 9110, 8.3: the recipient may examine it).
fn declared_as_json(headers: &HeaderMap) -> Result<(), Error> {
    let Some(declared) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    if declared.as_bytes() == b"application/json" {
        return Ok(());
    }
    let essence = declared
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    match essence.strip_prefix("application/") {
        Some(subtype) if subtype == "json" || subtype.ends_with("+json") => Ok(()),
        _ => Err(Error::NotJson),
    }
}

/// The whole body; it is copied only when it came in several frames.
async fn read(
    mut body: axum::body::Body,
    headers: &HeaderMap,
    limit: usize,
) -> Result<Bytes, Error> {
    let too_large = Error::BodyTooLarge { limit_bytes: limit };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large);
    }
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers carry no body.
        let Ok(data) = frame.map_err(|_| Error::BodyUnreadable)?.into_data() else {
            continue;
        };
        if first.len().max(all.len()) + data.len() > limit {
            return Err(too_large);
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
