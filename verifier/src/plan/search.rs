//! The search for the highest open-loop rate that still meets the thresholds: which rate to probe next, and
//! what the probes so far say. Pure, so that the run and the judge of its record agree.

mod bracket;

pub use bracket::{Bracket, Tally, tallies};

use super::{Load, Metric, Reuse, Stage, Statistic, Threshold, duration};
use anyhow::ensure;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::time::Duration;

/// Rates below this are not searched, requests per second.
const LEAST: f64 = 1.0;
/// A search that has not settled by then never will: the target changes under it.
const MOST_PROBES: usize = 100;

/// A plan's search, instead of stages that are known beforehand. Doubles (or halves) the rate from
/// `start_rate` until one holds and the other does not, bisects, then repeats both borders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// First rate, requests per second.
    pub start_rate: f64,
    /// Highest rate to try.
    pub most_rate: f64,
    /// How long a probe lasts; longer at a rate at which it would have too few requests for the thresholds.
    #[serde(with = "duration")]
    pub probe: Duration,
    /// How far apart the rate that holds and the one that does not may be at the end, as a share of the former.
    pub precision: f64,
    /// Probes of each of the two: more make the answer surer. Where they disagree, up to three times as many.
    pub repeats: u32,
    /// Most connections of a probe.
    pub connections: u32,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            start_rate: 500.0,
            most_rate: 1e6,
            probe: Duration::from_secs(3),
            precision: 0.05,
            repeats: 5,
            connections: 256,
        }
    }
}

/// Requests that a figure needs to be judged: as many as support the percentile with 99 % confidence (64 for
/// p90, 662 for p99, 6636 for p99.9), and some more, since the last ones may be late.
fn fewest(metric: &Metric) -> u32 {
    let (Metric::Latency(statistic) | Metric::ServiceTime(statistic) | Metric::Span(_, statistic)) =
        metric
    else {
        return 1;
    };
    match statistic {
        Statistic::Percentile { per_mille: ..=500 } => 20,
        Statistic::Percentile { per_mille: ..=900 } => 80,
        Statistic::Percentile { per_mille: ..=950 } => 150,
        Statistic::Percentile { per_mille: ..=990 } => 700,
        Statistic::Percentile { .. } => 7000,
        Statistic::Max | Statistic::Mean => 1,
    }
}

impl Search {
    /// The rate to probe next, requests per second; `None` when the answer is as sure as was asked for, or
    /// can not be had.
    pub fn next_rate(&self, probes: &[(f64, bool)]) -> Option<f64> {
        if probes.len() >= MOST_PROBES {
            return None;
        }
        let tallies = tallies(probes);
        let bracket = Bracket::of(&tallies);
        match (bracket.lower, bracket.upper) {
            (None, None) => Some(self.start_rate.min(self.most_rate)),
            (Some(lower), None) if lower < self.most_rate => {
                Some((lower * 2.0).min(self.most_rate))
            }
            (None, Some(upper)) if upper > LEAST => Some((upper / 2.0).round().max(LEAST)),
            (lower, upper) => {
                if let (Some(lower), Some(upper)) = (lower, upper)
                    && let Some(middle) = self.middle(lower, upper)
                {
                    return Some(middle);
                }
                let few = |rate: &f64| {
                    let tally = tallies.iter().find(|tally| tally.rate == *rate);
                    tally.is_some_and(|tally| self.too_few(tally))
                };
                lower.filter(few).or(upper.filter(few))
            }
        }
    }

    /// A rate's probes leave more doubt than `repeats` that agree would; but three times as many must do.
    fn too_few(&self, tally: &Tally) -> bool {
        let agreed = 0.5_f64.powi(self.repeats.cast_signed());
        tally.probes < self.repeats
            || (tally.risk() > agreed * 1.001 && tally.probes < 3 * self.repeats)
    }

    /// The two are as near to each other as was asked for, or as whole requests per second can be.
    pub fn near(&self, lower: f64, upper: f64) -> bool {
        self.middle(lower, upper).is_none()
    }

    /// A rate between the two, if they are further apart than was asked for: whole requests per second.
    fn middle(&self, lower: f64, upper: f64) -> Option<f64> {
        let middle = (lower * upper).sqrt().round();
        (upper / lower > 1.0 + self.precision && lower < middle && middle < upper).then_some(middle)
    }

    /// A probe as a stage. It lasts until it has requests enough for every percentile among the thresholds.
    pub fn stage(&self, number: usize, rate: f64, thresholds: &[Threshold]) -> Stage {
        let fewest = thresholds.iter().map(|t| fewest(&t.metric)).max();
        let fewest = f64::from(fewest.unwrap_or(1));
        Stage {
            name: format!("probe-{:02}-{rate}", number + 1),
            duration: self
                .probe
                .max(Duration::from_millis((fewest / rate * 1e3).ceil() as u64)),
            load: Load::rate(rate, self.connections),
            reuse: Reuse::Keep,
        }
    }

    /// Makes probes longer or shorter, not below a second.
    pub(super) fn scale_time(&mut self, factor: f64) {
        let millis = (self.probe.as_secs_f64() * factor * 1e3).round() as u64;
        self.probe = Duration::from_millis(millis).max(Duration::from_secs(1).min(self.probe));
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        let rate = |rate: f64| (LEAST..=10e6).contains(&rate);
        ensure!(
            rate(self.start_rate) && rate(self.most_rate) && self.start_rate <= self.most_rate,
            "search: start_rate = {} and most_rate = {} are to be between 1 and 10000000 requests per second, the first no more than the second",
            self.start_rate,
            self.most_rate
        );
        ensure!(
            (0.001..=1.0).contains(&self.precision),
            "search.precision = {} is not between 0.001 and 1: 0.05 is 5 %",
            self.precision
        );
        ensure!(
            (1..=20).contains(&self.repeats),
            "search.repeats = {} is not between 1 and 20",
            self.repeats
        );
        ensure!(
            self.probe >= Duration::from_millis(100),
            "search.probe must be at least 100ms"
        );
        ensure!(
            (1..=50_000).contains(&self.connections),
            "search.connections = {} is not between 1 and 50000",
            self.connections
        );
        Ok(())
    }
}

/// Takes a search in, so that a complaint names its line.
pub(super) fn checked<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Search>, D::Error> {
    let search = Search::deserialize(deserializer)?;
    search.check().map_err(de::Error::custom)?;
    Ok(Some(search))
}

#[cfg(test)]
mod tests;
