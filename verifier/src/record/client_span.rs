//! The client's own span of an exchange: the parent that the target's root span names, from the exchange's row.

use super::{Exchange, Outcome, RunKey};

/// What the exchange's row tells of it. Attributes as OpenTelemetry's semantic conventions for HTTP name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSpan {
    /// The request's trace.
    pub trace_id: [u8; 16],
    /// As sent in `traceparent`.
    pub span_id: [u8; 8],
    /// The send; the intended start where there was none. Unix nanoseconds by the run's clock.
    pub start_unix_ns: u64,
    /// The end of the exchange.
    pub end_unix_ns: u64,
    /// `http.response.status_code`; 0 without an answer.
    pub http_status: u16,
    /// `error.type` of a failed exchange: the status, or what became of it.
    pub error_type: Option<String>,
}

/// Its kind, `SPAN_KIND_CLIENT` on the wire.
pub const KIND_CLIENT: u8 = 3;

impl ClientSpan {
    /// `None` of a request that nobody tried to send.
    pub fn of(key: &RunKey, origin_unix_ns: u64, exchange: &Exchange) -> Option<ClientSpan> {
        let error_type = match exchange.outcome {
            Outcome::Unsent => return None,
            Outcome::Ok => None,
            Outcome::HttpError => Some(exchange.status.to_string()),
            other => Some(other.name().to_owned()),
        };
        let start_ns = match exchange.sent_ns {
            0 => exchange.intended_ns,
            sent_ns => sent_ns,
        };
        Some(ClientSpan {
            trace_id: key.trace_id(exchange.seq),
            span_id: key.client_span_id(exchange.seq),
            start_unix_ns: origin_unix_ns.saturating_add(start_ns),
            end_unix_ns: origin_unix_ns.saturating_add(exchange.done_ns.max(start_ns)),
            http_status: exchange.status,
            error_type,
        })
    }
}
