//! What users felt: the plan's thresholds on latency and errors, held against each second by itself.

use crate::plan::{Metric, Statistic, Threshold};
use crate::record::{Exchange, Outcome};
use crate::verdict::align::Timeline;
use crate::verdict::cluster::Effect;
use std::collections::BTreeMap;

const SECOND_NS: u64 = 1_000_000_000;
/// So many good seconds in a row are met again.
const GOOD_IN_A_ROW: usize = 5;

/// One second of a stage, by intended start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    /// Its begin on the run's clock.
    pub from_ns: u64,
    /// Every threshold of the stage on latency and errors held for its requests.
    pub good: bool,
}

/// Every second in which a request was wanted, by stage.
pub(super) struct Seconds {
    stages: Vec<Vec<Second>>,
}

impl Seconds {
    pub(super) fn of(timeline: &Timeline<'_>) -> Seconds {
        let stages = 0..timeline.plan.stages.len();
        Seconds {
            stages: stages.map(|stage| seconds(timeline, stage)).collect(),
        }
    }

    /// What users felt from `from_ns` to `to_ns` of a stage's seconds, beside the seconds just before.
    pub(super) fn effect(&self, stage: usize, from_ns: u64, to_ns: u64) -> Effect {
        let all = self.stages.get(stage).map_or(&[][..], Vec::as_slice);
        let of = |from: u64, to: u64| {
            let within = |s: &&Second| s.from_ns + SECOND_NS > from && s.from_ns < to;
            all.iter().filter(within).copied().collect::<Vec<Second>>()
        };
        let seconds = of(from_ns, to_ns);
        let before = of(
            from_ns.saturating_sub(10 * SECOND_NS),
            from_ns.saturating_sub(SECOND_NS),
        );
        let bad = seconds.iter().filter(|second| !second.good).count();
        let last_bad = seconds.iter().rposition(|second| !second.good);
        let cannot_tell = |why: &str| Effect {
            seen: "cannot_tell".to_owned(),
            bad_seconds: bad as u64,
            met_again_seconds: None,
            evidence: why.to_owned(),
        };
        let Some(last_bad) = last_bad else {
            if seconds.is_empty() {
                return cannot_tell("no request was wanted in that time");
            }
            return Effect {
                seen: "none_seen".to_owned(),
                bad_seconds: 0,
                met_again_seconds: None,
                evidence: format!("the thresholds held in each of {} seconds", seconds.len()),
            };
        };
        let bad_before = before.iter().filter(|second| !second.good).count();
        let good_after = seconds.len() - 1 - last_bad;
        let met_again_ns = seconds[last_bad].from_ns + SECOND_NS;
        // The last seconds of a load are good enough as they are, if there are any.
        let met_again = good_after >= GOOD_IN_A_ROW.min(seconds.len()) && good_after > 0;
        if !before.is_empty() && bad_before * 2 > before.len() {
            return cannot_tell("the thresholds did not hold before it either");
        }
        Effect {
            seen: "seen".to_owned(),
            bad_seconds: bad as u64,
            met_again_seconds: met_again.then_some(met_again_ns as f64 / 1e9),
            evidence: match met_again {
                true => format!(
                    "{bad} of {} seconds did not meet the thresholds",
                    seconds.len()
                ),
                false => format!(
                    "{bad} of {} seconds did not meet the thresholds; only {good_after} good ones followed the last",
                    seconds.len()
                ),
            },
        }
    }
}

/// Those on latency and errors that hold in the stage.
fn thresholds<'t>(timeline: &'t Timeline<'_>, stage: usize) -> Vec<&'t Threshold> {
    let name = &timeline.plan.stages[stage].name;
    let of_stage = timeline.plan.thresholds.iter().filter(|threshold| {
        threshold.stage.as_ref().is_none_or(|stage| stage == name)
            && matches!(
                threshold.metric,
                Metric::Latency(_) | Metric::ServiceTime(_) | Metric::ErrorRate
            )
    });
    of_stage.collect()
}

fn seconds(timeline: &Timeline<'_>, stage: usize) -> Vec<Second> {
    let thresholds = thresholds(timeline, stage);
    // A plan that allows errors in words of its own allows them; one that says nothing does not.
    let silent = !thresholds.iter().any(|t| t.metric == Metric::ErrorRate);
    let mut by_second: BTreeMap<u64, Vec<&Exchange>> = BTreeMap::new();
    for exchange in timeline.exchanges(stage, None) {
        let second = exchange.intended_ns / SECOND_NS;
        by_second.entry(second).or_default().push(exchange);
    }
    let judged = by_second.into_iter().map(|(second, exchanges)| Second {
        from_ns: second * SECOND_NS,
        good: thresholds
            .iter()
            .all(|threshold| holds(threshold, &exchanges))
            && !(silent && failed(&exchanges) > 0),
    });
    judged.collect()
}

fn failed(exchanges: &[&Exchange]) -> u64 {
    exchanges
        .iter()
        .filter(|e| e.outcome != Outcome::Ok)
        .count() as u64
}

/// A second's few requests support no percentile of a whole run: here the plain nearest rank is what is held.
fn holds(threshold: &Threshold, exchanges: &[&Exchange]) -> bool {
    let sent = exchanges.iter().filter(|e| e.outcome.sent());
    let value_ms = |ns: Vec<u64>, statistic: Statistic| nearest(ns, statistic);
    let value = match &threshold.metric {
        Metric::ErrorRate => Some(failed(exchanges) as f64 / exchanges.len().max(1) as f64),
        Metric::Latency(statistic) => value_ms(sent.map(|e| e.latency_ns()).collect(), *statistic),
        Metric::ServiceTime(statistic) => {
            value_ms(sent.map(|e| e.service_time_ns()).collect(), *statistic)
        }
        _ => None,
    };
    value.is_none_or(|value| threshold.operator.holds(value, threshold.limit))
}

/// In milliseconds; `None` of nothing.
fn nearest(mut ns: Vec<u64>, statistic: Statistic) -> Option<f64> {
    ns.sort_unstable();
    let last = ns.len().checked_sub(1)?;
    let value = match statistic {
        Statistic::Percentile { per_mille } => {
            let rank = (ns.len() * usize::from(per_mille)).div_ceil(1000);
            ns[rank.saturating_sub(1).min(last)] as f64
        }
        Statistic::Max => ns[last] as f64,
        Statistic::Mean => ns.iter().sum::<u64>() as f64 / ns.len() as f64,
    };
    Some(value / 1e6)
}
