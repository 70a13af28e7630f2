//! One request as a line of the list.

use super::super::names::{Names, stage};
use super::Row;
use crate::verdict::align::Timeline;
use crate::verdict::page::TraceLine;

/// The line, and why it is one.
pub(super) fn of(timeline: &Timeline<'_>, names: &Names, why: &str, (e, _): Row<'_>) -> TraceLine {
    TraceLine {
        trace_id: timeline.trace_id(e.seq),
        why: why.to_owned(),
        stage: stage(timeline, e).to_owned(),
        name: names.task(usize::from(e.task)).1,
        at_seconds: e.intended_ns as f64 / 1e9,
        latency_ms: e.latency_ns() as f64 / 1e6,
        outcome: e.outcome.name().to_owned(),
        status: (e.status > 0).then_some(e.status),
    }
}
