//! A search while it runs: the rows of the last probe in, the next probe out. Its opinion of a probe only
//! steers; the verdict is formed from the record, with the traces, by the judge.

use crate::plan::{Metric, Plan, Search, Stage, Statistic, Threshold};
use crate::record::{Exchange, Observation, Outcome, Recorder};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long the next probe waits for the traces of the one before, so that it does not pay for it.
const SETTLE_NS: u64 = 2_000_000_000;

/// The probes of a search so far.
pub(super) struct Probes {
    search: Search,
    thresholds: Vec<Threshold>,
    recorder: Recorder,
    /// Their rates, and whether each met the thresholds.
    ended: Vec<(f64, bool)>,
    running: Option<Stage>,
}

impl Probes {
    /// `None` for a plan without a search.
    pub(super) fn new(plan: &Plan, recorder: &Recorder) -> Option<Probes> {
        let search = plan.search.clone()?;
        recorder.keep_exchanges();
        Some(Probes {
            search,
            thresholds: plan.thresholds.clone(),
            recorder: recorder.clone(),
            ended: Vec::new(),
            running: None,
        })
    }

    /// Closes the probe that has just ended, and gives the next one, journalled; `None` when the search is over.
    pub(super) fn next(&mut self, stopped: &dyn Fn() -> bool) -> Option<Stage> {
        self.recorder.flush();
        let rows = self.recorder.take_exchanges();
        if let Some(stage) = self.running.take() {
            let met = self.thresholds.iter().all(|t| met(t, &stage, &rows));
            self.ended.push((stage.load.size(), met));
            self.settle(stopped);
        }
        let rate = self.search.next_rate(&self.ended)?;
        let number = self.ended.len();
        let stage = self.search.stage(number, rate, &self.thresholds);
        self.recorder.observe(Observation::StagePlanned {
            stage: u16::try_from(number).unwrap_or(u16::MAX),
            toml: stage.to_toml(),
        });
        self.running = Some(stage.clone());
        Some(stage)
    }

    fn settle(&self, stopped: &dyn Fn() -> bool) {
        let until_ns = self.recorder.clock().now_ns() + SETTLE_NS;
        let live = self.recorder.live();
        let due = || live.traces_complete() < live.traces_expected.load(Relaxed);
        while due() && !stopped() && self.recorder.clock().now_ns() < until_ns {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The probe met the threshold, as far as its exchanges tell; what only traces tell is left to the judge.
fn met(threshold: &Threshold, stage: &Stage, rows: &[Exchange]) -> bool {
    let sent = || rows.iter().filter(|row| row.outcome.sent());
    let milliseconds = |ns: Option<f64>| ns.map(|ns| ns / 1e6);
    let figure = match &threshold.metric {
        Metric::Latency(s) => milliseconds(of(*s, sent().map(Exchange::latency_ns))),
        Metric::ServiceTime(s) => milliseconds(of(*s, sent().map(Exchange::service_time_ns))),
        Metric::ErrorRate => {
            let ok = rows.iter().filter(|row| row.outcome == Outcome::Ok).count();
            (ok > 0).then(|| 1.0 - ok as f64 / rows.len() as f64)
        }
        Metric::RequestsPerSecond => {
            let answered = rows.iter().filter(|row| row.outcome.answered()).count();
            Some(answered as f64 / stage.duration.as_secs_f64())
        }
        Metric::Span(..)
        | Metric::Coverage
        | Metric::StarvedReplicas
        | Metric::ScaleUp
        | Metric::Recovery => return true,
    };
    figure.is_some_and(|figure| threshold.operator.holds(figure, threshold.limit))
}

/// The statistic of nanoseconds, nearest rank; `None` of none.
fn of(statistic: Statistic, ns: impl Iterator<Item = u64>) -> Option<f64> {
    let mut ns: Vec<u64> = ns.collect();
    let last = ns.len().checked_sub(1)?;
    let at = match statistic {
        Statistic::Mean => {
            let sum: u128 = ns.iter().map(|&v| u128::from(v)).sum();
            return Some(sum as f64 / ns.len() as f64);
        }
        Statistic::Max => last,
        Statistic::Percentile { per_mille } => {
            let rank = (ns.len() * usize::from(per_mille)).div_ceil(1000);
            rank.max(1) - 1
        }
    };
    let (_, value, _) = ns.select_nth_unstable(at);
    Some(*value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_the_nearest_rank() {
        let values = || (1..=1000_u64).rev();
        let percentile = |per_mille| of(Statistic::Percentile { per_mille }, values());
        assert_eq!(percentile(500), Some(500.0));
        assert_eq!(percentile(999), Some(999.0));
        assert_eq!(of(Statistic::Max, values()), Some(1000.0));
        assert_eq!(of(Statistic::Mean, values()), Some(500.5));
        assert_eq!(of(Statistic::Max, std::iter::empty()), None);
    }
}
