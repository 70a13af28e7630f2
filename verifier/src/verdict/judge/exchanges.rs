//! What became of a stage's planned requests, and how many were answered per second.

use crate::record::{Exchange, Outcome};
use crate::verdict::align::{Timeline, shard_of};
use crate::verdict::outcome::Exchanges;

/// Counts a stage's exchanges, or those of one of its tasks.
pub(super) fn count(timeline: &Timeline<'_>, stage: usize, task: Option<u8>) -> Exchanges {
    let mut counts = Exchanges::default();
    for exchange in timeline.exchanges(stage, task) {
        counts.planned += 1;
        counts.sent += u64::from(exchange.outcome.sent());
        let count = match exchange.outcome {
            Outcome::Ok => &mut counts.ok,
            Outcome::HttpError => &mut counts.http_error,
            Outcome::Timeout => &mut counts.timeout,
            Outcome::ConnectError => &mut counts.connect_error,
            Outcome::Reset => &mut counts.reset,
            Outcome::Unsent => &mut counts.unsent,
        };
        *count += 1;
    }
    counts
}

/// From the stage's start to its planned end; to its last row, where the load ended before (a run cut short).
pub(super) fn duration_seconds(timeline: &Timeline<'_>, stage: usize) -> f64 {
    let planned = timeline.plan.stages[stage].duration.as_secs_f64();
    let Some(start_ns) = timeline.stage_start_ns(stage) else {
        return 0.0;
    };
    let lasted = timeline
        .stage_end_ns(stage)
        .map(|end_ns| end_ns.saturating_sub(start_ns));
    if lasted.is_some_and(|ns| ns as f64 / 1e9 >= planned) {
        return planned;
    }
    let last_ns = timeline
        .stage(stage)
        .map(|(exchange, _)| exchange.done_ns)
        .max()
        .unwrap_or(start_ns);
    planned.min(last_ns.saturating_sub(start_ns) as f64 / 1e9)
}

/// Which exchanges ended within a stage's duration. Each shard's duration begins with its own start, so that the rates of
/// shards that did not begin together add up.
pub struct InTime {
    starts_ns: Vec<u64>,
    duration_ns: u64,
}

impl InTime {
    /// Of a stage that lasted so long.
    pub fn of(timeline: &Timeline<'_>, stage: usize, duration_seconds: f64) -> InTime {
        InTime {
            starts_ns: timeline.stage_starts_ns(stage),
            duration_ns: (duration_seconds * 1e9).round() as u64,
        }
    }

    /// The exchange did.
    pub fn holds(&self, exchange: &Exchange) -> bool {
        let starts = &self.starts_ns;
        let start_ns = starts.get(shard_of(exchange.seq, starts.len()));
        start_ns.is_some_and(|start_ns| exchange.done_ns <= start_ns + self.duration_ns)
    }
}

/// Answers that came within the duration, per second; `None` where none came.
pub(super) fn per_second(
    timeline: &Timeline<'_>,
    stage: usize,
    duration_seconds: f64,
    task: Option<u8>,
) -> Option<f64> {
    let in_time = InTime::of(timeline, stage, duration_seconds);
    let answered = timeline
        .exchanges(stage, task)
        .filter(|e| e.outcome.answered() && in_time.holds(e))
        .count();
    (answered > 0 && duration_seconds > 0.0).then(|| answered as f64 / duration_seconds)
}
