//! Confidence intervals of one run's figures, from data whose neighbours resemble each other.
//!
//! Requests of a load test are no independent samples: a pause slows all that are under way. An interval that
//! takes them for independent is too narrow. So a stage is cut into [`BATCHES`] batches of equal length, and what
//! differs between batches tells how much the samples are worth: Schmeiser, Batch size effects in the analysis of
//! simulation output, Operations Research 30 (1982), who finds that 10 to 30 batches serve best, whatever the length.
//! What differs between two runs and not within one (where memory lies, what else the machine does) no such interval
//! can know; the noise threshold is for that.

use crate::verdict::judge::fewest_samples;
use serde::{Deserialize, Serialize};

/// Batches that a stage is cut into.
pub const BATCHES: usize = 20;
/// Confidence of each interval. At 99 %, two intervals of runs that are alike fall apart in fewer than three of
/// ten thousand comparisons, which leaves room for the dozen figures of each of a few stages.
pub const CONFIDENCE: f64 = 0.99;
/// The normal distribution's quantile of 99.5 %.
const NORMAL: f64 = 2.575_829;
/// Student's, with `BATCHES` - 1 degrees of freedom.
const STUDENT: f64 = 2.860_935;

/// A figure and what its run says about where it may really lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end of the interval; `None`: not bounded by these samples.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Samples.
    pub n: u64,
}

impl Estimate {
    /// The whole interval lies above the other's; one without a bound on that side does not.
    pub fn above(&self, other: &Estimate) -> bool {
        matches!((self.low, other.high), (Some(low), Some(high)) if low > high)
    }
}

/// What `n` samples are worth of which that many per batch are hits: `n` over the design effect, the variance of
/// the share between batches over what it would be were samples independent (Kish, Survey Sampling, 1965, 8.2), never
/// under 1; and, since that variance is itself estimated from few batches, less by the square of the normal's quantile
/// over Student's (Korn and Graubard, Survey Methodology 24, 1998).
fn effective(hits: &[u64; BATCHES], totals: &[u64; BATCHES]) -> f64 {
    let n = totals.iter().sum::<u64>() as f64;
    let share = hits.iter().sum::<u64>() as f64 / n;
    let squares: f64 = hits
        .iter()
        .zip(totals)
        .map(|(h, t)| (*h as f64 - share * *t as f64).powi(2))
        .sum();
    let batches = BATCHES as f64;
    let between = batches / (batches - 1.0) * squares / (n * n);
    let independent = share * (1.0 - share) / n;
    let effect = if independent > 0.0 {
        (between / independent).max(1.0)
    } else {
        1.0
    };
    n / effect * (NORMAL / STUDENT).powi(2)
}

/// A percentile of samples `(value, batch)` that are sorted by value: nearest rank, and the exact interval of order
/// statistics (David and Nagaraja, Order Statistics, 3rd ed., 7.1) at the effective number of samples, its ranks
/// stretched to the real one. `None` where the samples do not support the percentile, as in the verdict.
pub fn percentile(sorted: &[(u64, u8)], p: f64) -> Option<Estimate> {
    let n = sorted.len();
    if (n as u64) < fewest_samples(p) {
        return None;
    }
    let rank = ((p * n as f64).ceil() as usize).clamp(1, n);
    let value = sorted[rank - 1].0;
    let (mut above, mut totals) = ([0; BATCHES], [0; BATCHES]);
    for (sample, batch) in sorted {
        let batch = usize::from(*batch).min(BATCHES - 1);
        totals[batch] += 1;
        above[batch] += u64::from(*sample > value);
    }
    let worth = (effective(&above, &totals).floor() as u64).max(1);
    let stretch = n as f64 / worth as f64;
    let (low, high) = ranks(worth, p);
    let at = |rank: usize| {
        sorted
            .get(rank.saturating_sub(1))
            .map(|(value, _)| *value as f64)
    };
    Some(Estimate {
        value: value as f64,
        low: low.and_then(|rank| at(((rank as f64 * stretch).floor() as usize).max(1))),
        high: high.and_then(|rank| at(((rank as f64 * stretch).ceil() as usize).min(n))),
        n: n as u64,
    })
}

/// Ranks of `n` sorted samples between which the true percentile lies: with B of Bin(n, p) samples at or below it,
/// the greatest r with P(B < r) <= half the risk, and the least s with P(B >= s) <= half the risk. `None` where even
/// the least or the largest sample is no bound.
fn ranks(n: u64, p: f64) -> (Option<u64>, Option<u64>) {
    let half = (1.0 - CONFIDENCE) / 2.0;
    // Weights relative to the mode's: the same recurrence at any n, where factorials would overflow.
    let mode = ((n + 1) as f64 * p).floor().min(n as f64) as u64;
    let odds = p / (1.0 - p);
    let mut weights = std::collections::VecDeque::from([1.0_f64]);
    let (mut least, mut most) = (mode, mode);
    while least > 0 && weights[0] > 1e-18 {
        let weight = weights[0] * least as f64 / ((n - least + 1) as f64 * odds);
        weights.push_front(weight);
        least -= 1;
    }
    while most < n && weights[weights.len() - 1] > 1e-18 {
        let weight = weights[weights.len() - 1] * (n - most) as f64 * odds / (most + 1) as f64;
        weights.push_back(weight);
        most += 1;
    }
    let total: f64 = weights.iter().sum();
    let (mut low, mut high, mut below) = (None, None, 0.0);
    for (count, weight) in (least..).zip(&weights) {
        // Here `below` is P(B < count).
        if below <= half && count > 0 {
            low = Some(count);
        }
        if high.is_none() && 1.0 - below <= half {
            high = Some(count);
        }
        below += weight / total;
    }
    // Beyond the last weight there is nothing left to exceed: the next sample is a bound, if there is one.
    let next = (most < n).then_some(most + 1);
    (low, high.or(next))
}

/// A share of hits: Wilson's score interval (Journal of the American Statistical Association 22, 1927) at the
/// effective number of samples. It is never empty, not even without a single hit. `None` without samples.
pub fn share(hits: &[u64; BATCHES], totals: &[u64; BATCHES]) -> Option<Estimate> {
    let n = totals.iter().sum::<u64>();
    if n == 0 {
        return None;
    }
    let value = hits.iter().sum::<u64>() as f64 / n as f64;
    let worth = effective(hits, totals).max(1.0);
    let squared = NORMAL * NORMAL;
    let middle = (value + squared / (2.0 * worth)) / (1.0 + squared / worth);
    let spread = value * (1.0 - value) / worth + squared / (4.0 * worth * worth);
    let half = NORMAL * spread.sqrt() / (1.0 + squared / worth);
    Some(Estimate {
        value,
        low: Some((middle - half).max(0.0)),
        high: Some((middle + half).min(1.0)),
        n,
    })
}

/// Events per second from their counts in batches of that many seconds: the mean of the batches, and Student's
/// interval around it (batch means). `None` without events or time.
pub fn rate(counts: &[u64; BATCHES], batch_seconds: f64) -> Option<Estimate> {
    let n = counts.iter().sum::<u64>();
    if n == 0 || batch_seconds <= 0.0 {
        return None;
    }
    let batches = BATCHES as f64;
    let mean = n as f64 / batches;
    let squares: f64 = counts.iter().map(|c| (*c as f64 - mean).powi(2)).sum();
    let half = STUDENT * (squares / (batches - 1.0) / batches).sqrt();
    Some(Estimate {
        value: mean / batch_seconds,
        low: Some((mean - half).max(0.0) / batch_seconds),
        high: Some((mean + half) / batch_seconds),
        n,
    })
}

#[cfg(test)]
mod tests;
