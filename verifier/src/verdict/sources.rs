//! What the verdict says of the way of the traces: each source, and the collector before them.

use super::outcome::{Losses, Receiver, SpanDistribution};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One source of traces, over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceSource {
    /// As typed after `--traces`.
    pub name: String,
    /// Where it is.
    pub place: String,
    /// Its books.
    pub receiver: Receiver,
    /// Traces that were due.
    pub expected: u64,
    /// Of those, complete in this source.
    pub complete: u64,
    /// Expected spans that are not in this source.
    pub spans_missing: u64,
    /// Spans that it gave more than once.
    pub duplicate: u64,
    /// Where the missing ones were lost.
    pub losses: Losses,
    /// Durations of the expected spans, by stage and name.
    pub spans_ms: BTreeMap<String, BTreeMap<String, SpanDistribution>>,
}

/// What the collector says of the spans that came during the run, with all its restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collector {
    /// Where its books were read.
    pub place: String,
    /// How often another process took over; what the one before it did in its last second is in no books.
    pub restarts: u64,
    /// Spans that it took over from the service.
    pub accepted: u64,
    /// Spans that it refused for want of room; the sender keeps them.
    pub refused: u64,
    /// Spans that it could not take for another reason.
    pub failed: u64,
    /// By exporter.
    pub exporters: BTreeMap<String, Exporter>,
}

/// One exporter of the collector: `accepted = sent + send_failed + enqueue_failed + queue`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exporter {
    /// Taken over by the backend.
    pub sent: u64,
    /// Given up.
    pub send_failed: u64,
    /// Not taken into its queue.
    pub enqueue_failed: u64,
    /// In its queue at the end.
    pub queue: u64,
}
