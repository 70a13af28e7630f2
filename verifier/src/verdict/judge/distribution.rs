//! Exact distributions, and how many samples a percentile needs.

use crate::record::Exchange;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Distribution, SpanDistribution};

/// Risk that fewer than two samples lie above the true percentile.
const RISK: f64 = 0.01;

/// The fewest samples that support a percentile: the least n for which, with X of Bin(n, 1 - p) samples
/// above the true percentile, P(X <= 1) = p^n + n (1 - p) p^(n-1) is at most 1 %. Then an order statistic
/// that is not the maximum bounds the percentile from above with 99 % confidence (David and Nagaraja,
/// Order Statistics, 3rd ed., section 7.1). 662 for p99, 6636 for p99.9.
pub fn fewest_samples(p: f64) -> u64 {
    let risk = |n: u64| p.powf(n as f64) + n as f64 * (1.0 - p) * p.powf((n - 1) as f64);
    let (mut low, mut high) = (1_u64, 2_u64);
    while risk(high) > RISK {
        (low, high) = (high, high * 2);
    }
    while low + 1 < high {
        let middle = u64::midpoint(low, high);
        if risk(middle) > RISK {
            low = middle
        } else {
            high = middle
        }
    }
    high
}

/// The nearest-rank percentile of sorted nanoseconds; `None` where they are too few for it.
pub fn percentile_ns(sorted: &[u64], p: f64) -> Option<u64> {
    let n = sorted.len() as u64;
    if n < fewest_samples(p) {
        return None;
    }
    let rank = (p * n as f64).ceil().max(1.0) as usize;
    sorted.get(rank.min(sorted.len()) - 1).copied()
}

fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// The distribution of nanoseconds, which are sorted here.
pub fn distribution(ns: &mut [u64]) -> Distribution {
    ns.sort_unstable();
    let at = |p| percentile_ns(ns, p).map(milliseconds);
    let sum: u128 = ns.iter().map(|&v| u128::from(v)).sum();
    Distribution {
        p50: at(0.50),
        p90: at(0.90),
        p95: at(0.95),
        p99: at(0.99),
        p999: at(0.999),
        min: ns.first().copied().map(milliseconds),
        max: ns.last().copied().map(milliseconds),
        mean: (!ns.is_empty()).then(|| sum as f64 / ns.len() as f64 / 1e6),
        n: ns.len() as u64,
    }
}

pub(super) fn of_spans(ns: &mut [u64]) -> SpanDistribution {
    let Distribution {
        p50,
        p90,
        p99,
        max,
        n,
        ..
    } = distribution(ns);
    SpanDistribution {
        p50,
        p90,
        p99,
        max,
        n,
    }
}

/// Latency and service time, in that order, of a stage's exchanges that were sent, or of one of its tasks'.
pub(super) fn of_stage(
    timeline: &Timeline<'_>,
    stage: usize,
    task: Option<u8>,
) -> (Distribution, Distribution) {
    let sent = || {
        let exchanges = timeline.exchanges(stage, task);
        exchanges.filter(|e| e.outcome.sent())
    };
    let mut latencies: Vec<u64> = sent().map(Exchange::latency_ns).collect();
    let latency = distribution(&mut latencies);
    let mut service_times = latencies;
    service_times.clear();
    service_times.extend(sent().map(Exchange::service_time_ns));
    (latency, distribution(&mut service_times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_a_percentile_needs() {
        assert_eq!(
            [0.5, 0.9, 0.95, 0.99, 0.999].map(fewest_samples),
            [11, 64, 130, 662, 6636]
        );
    }

    #[test]
    fn nearest_rank() {
        let mut ns: Vec<u64> = (1..=1000).map(|v| v * 1_000_000).rev().collect();
        let d = distribution(&mut ns);
        assert_eq!(
            (d.p50, d.p90, d.p99, d.p999),
            (Some(500.0), Some(900.0), Some(990.0), None)
        );
        assert_eq!((d.min, d.max), (Some(1.0), Some(1000.0)));
        assert_eq!((d.mean, d.n), (Some(500.5), 1000));
        let none = distribution(&mut []);
        assert_eq!(
            (none.p50, none.max, none.mean, none.n),
            (None, None, None, 0)
        );
    }
}
