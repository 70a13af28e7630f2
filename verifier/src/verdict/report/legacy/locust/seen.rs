//! What Locust would have seen of a run: per stage and second its entry, and the errors.

use super::entry::Entry;
use crate::record::{Exchange, Outcome};
use crate::verdict::align::Timeline;
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;
/// No run is longer than this: a damaged row that says so must not take memory for each second.
const LONGEST_SECONDS: u64 = 7 * 24 * 3600;

/// One kind of failure.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Failure {
    pub(super) occurrences: u64,
    pub(super) first_unix_ns: u64,
    pub(super) last_unix_ns: u64,
}

/// The requests of one task in one stage.
#[derive(Clone, Debug, Default)]
pub(super) struct OfStage {
    pub(super) entry: Entry,
    /// By status and outcome.
    pub(super) failures: BTreeMap<(u16, Outcome), Failure>,
    pub(super) last_unix_ns: u64,
}

/// Everything that Locust's files need, of the whole run.
pub(in super::super) struct Seen {
    origin_unix_ns: u64,
    /// The Unix second of `seconds[0]`: that in which the first stage began.
    pub(super) first_second: u64,
    /// What ended in each second.
    pub(super) seconds: Vec<Entry>,
    /// The first stage's tasks, then the second's, and so on.
    pub(super) stages: Vec<OfStage>,
    /// Tasks of the plan, at least one.
    pub(super) tasks: usize,
}

impl Seen {
    /// Nothing yet.
    pub(in super::super) fn new(timeline: &Timeline<'_>) -> Seen {
        let origin_unix_ns = timeline.recorded.origin_unix_ns;
        let count = timeline.plan.stages.len();
        let tasks = timeline.plan.tasks.len().max(1);
        let starts = (0..count).filter_map(|stage| timeline.stage_start_ns(stage));
        let first_ns = starts.min().unwrap_or(0);
        Seen {
            origin_unix_ns,
            first_second: origin_unix_ns.saturating_add(first_ns) / SECOND_NS,
            seconds: Vec::new(),
            stages: vec![OfStage::default(); count * tasks],
            tasks,
        }
    }

    /// Takes in an exchange. One that was never tried is none of Locust's.
    pub(in super::super) fn exchange(&mut self, stage: usize, exchange: &Exchange) {
        if exchange.outcome == Outcome::Unsent {
            return;
        }
        let at_ns = self.origin_unix_ns.saturating_add(exchange.done_ns);
        let second = (at_ns / SECOND_NS).saturating_sub(self.first_second);
        let second = usize::try_from(second.min(LONGEST_SECONDS)).unwrap_or(0);
        if second >= self.seconds.len() {
            self.seconds.resize_with(second + 1, Entry::default);
        }
        self.seconds[second].log(exchange);
        let task = usize::from(exchange.task).min(self.tasks - 1);
        let of_stage = &mut self.stages[stage * self.tasks + task];
        of_stage.entry.log(exchange);
        of_stage.last_unix_ns = of_stage.last_unix_ns.max(at_ns);
        if exchange.outcome != Outcome::Ok {
            let key = (exchange.status, exchange.outcome);
            let failure = of_stage.failures.entry(key).or_insert(Failure {
                occurrences: 0,
                first_unix_ns: at_ns,
                last_unix_ns: at_ns,
            });
            failure.occurrences += 1;
            failure.first_unix_ns = failure.first_unix_ns.min(at_ns);
            failure.last_unix_ns = failure.last_unix_ns.max(at_ns);
        }
    }

    /// A moment of the run's clock as Unix nanoseconds.
    pub(super) fn unix_ns(&self, at_ns: u64) -> u64 {
        self.origin_unix_ns.saturating_add(at_ns)
    }
}
