//! What we emit: spans on their way to the collector. One bounded pipeline for the request path's
//! own spans and for whatever ends a span through the OpenTelemetry SDK.

mod config;
mod id;
mod span;

pub use config::{Compression, Exporter, OnPressure, OtlpConfig, Protocol, TelemetryConfig};
pub use id::{new_span_id, new_trace_id};
pub use span::{Attribute, Kind, SpanContext, SpanRecord, Status, Value};

/// Records spans. Clones share one pipeline; any thread may hold one; recording never blocks.
#[derive(Clone, Debug)]
pub struct Recorder;

impl Recorder {
    /// A recorder that keeps nothing: telemetry is off.
    pub fn disabled() -> Recorder {
        Recorder
    }

    /// Whether spans are kept at all; when not, callers may skip the work of describing them.
    pub fn enabled(&self) -> bool {
        false
    }

    /// Puts one ended span on its way.
    pub fn record(&self, _span: &SpanRecord<'_>) {}
}

/// Now, in Unix nanoseconds; the request path's only clock for spans.
#[allow(clippy::disallowed_methods, reason = "the home of the service's clock")]
pub fn now_unix_ns() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
