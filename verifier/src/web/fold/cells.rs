//! The exchanges of one task in one stage, counted as they come.

use super::histogram::{Histogram, ms};
use crate::record::{Exchange, Outcome};
use crate::verdict::page::Times;

/// Seconds that the present rate is over.
pub(in super::super) const PRESENT_SECONDS: u64 = 10;
/// Seconds that are remembered for it: the last may not be over yet.
const REMEMBERED: usize = 16;

/// Times of exchanges: exact sum, least and most; percentiles from a histogram.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Timed {
    pub(in super::super) histogram: Histogram,
    sum_ns: u128,
    least_ns: Option<u64>,
    most_ns: u64,
}

impl Timed {
    pub(super) fn record(&mut self, ns: u64) {
        self.histogram.record(ns);
        self.sum_ns += u128::from(ns);
        self.least_ns = Some(self.least_ns.map_or(ns, |least| least.min(ns)));
        self.most_ns = self.most_ns.max(ns);
    }

    pub(super) fn merge(&mut self, other: &Timed) {
        self.histogram.merge(&other.histogram);
        self.sum_ns += other.sum_ns;
        self.least_ns = [self.least_ns, other.least_ns].into_iter().flatten().min();
        self.most_ns = self.most_ns.max(other.most_ns);
    }

    /// A percentile, never outside what was seen.
    pub(in super::super) fn percentiles_ns<const N: usize>(
        &self,
        shares: [f64; N],
    ) -> [Option<u64>; N] {
        let least = self.least_ns.unwrap_or(0);
        let within = |ns: u64| ns.clamp(least, self.most_ns.max(least));
        self.histogram
            .percentiles_ns(shares)
            .map(|found| found.map(within))
    }

    pub(in super::super) fn mean_ms(&self) -> Option<f64> {
        let n = self.histogram.n();
        (n > 0).then(|| self.sum_ns as f64 / n as f64 / 1e6)
    }

    pub(in super::super) fn least_ms(&self) -> Option<f64> {
        self.least_ns.map(ms)
    }

    pub(in super::super) fn most_ms(&self) -> Option<f64> {
        self.least_ns.map(|_| ms(self.most_ns))
    }

    pub(super) fn times(&self) -> Times {
        let [p50, p95, p99] = self
            .percentiles_ns([0.5, 0.95, 0.99])
            .map(|found| found.map(ms));
        Times {
            p50,
            p95,
            p99,
            mean: self.mean_ms(),
            min: self.least_ms(),
            max: self.most_ms(),
        }
    }
}

/// What one second had.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    at: u64,
    answered: u32,
    failed: u32,
    tried: u32,
    tried_failed: u32,
}

/// The counts.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Cell {
    pub(in super::super) requests: u64,
    pub(in super::super) failures: u64,
    /// Never tried: none of Locust's requests.
    pub(in super::super) unsent: u64,
    pub(in super::super) answered: u64,
    /// Answered before the stage's planned end.
    pub(in super::super) in_time: u64,
    /// Of the answers.
    pub(in super::super) bytes: u64,
    pub(in super::super) latency: Timed,
    pub(in super::super) service: Timed,
    pub(in super::super) last_ns: u64,
    recent: [Second; REMEMBERED],
}

impl Cell {
    /// Takes in an exchange of a stage whose answers count until `until_ns`.
    pub(super) fn take(&mut self, exchange: &Exchange, until_ns: u64) {
        let failed = exchange.outcome != Outcome::Ok;
        let answered = exchange.outcome.answered();
        let unsent = exchange.outcome == Outcome::Unsent;
        self.requests += 1;
        self.failures += u64::from(failed);
        self.unsent += u64::from(unsent);
        self.answered += u64::from(answered);
        self.in_time += u64::from(answered && exchange.done_ns <= until_ns);
        self.bytes += u64::from(exchange.bytes);
        self.last_ns = self.last_ns.max(exchange.done_ns);
        if exchange.outcome.sent() {
            self.latency.record(exchange.latency_ns());
            self.service.record(exchange.service_time_ns());
        }
        let at = exchange.done_ns / super::SECOND_NS;
        let second = &mut self.recent[(at as usize) % REMEMBERED];
        if second.at < at {
            *second = Second {
                at,
                ..Second::default()
            };
        }
        if second.at == at {
            second.answered += u32::from(answered);
            second.failed += u32::from(failed);
            second.tried += u32::from(!unsent);
            second.tried_failed += u32::from(failed && !unsent);
        }
    }

    /// Adds what another has.
    pub(in super::super) fn merge(&mut self, other: &Cell) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.unsent += other.unsent;
        self.answered += other.answered;
        self.in_time += other.in_time;
        self.bytes += other.bytes;
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
        self.last_ns = self.last_ns.max(other.last_ns);
        for theirs in &other.recent {
            let mine = &mut self.recent[(theirs.at as usize) % REMEMBERED];
            if mine.at < theirs.at {
                *mine = *theirs;
            } else if mine.at == theirs.at {
                mine.answered += theirs.answered;
                mine.failed += theirs.failed;
                mine.tried += theirs.tried;
                mine.tried_failed += theirs.tried_failed;
            }
        }
    }

    /// Answers and failures per second, over the whole seconds from `from` on and before `now`, ten at most.
    pub(super) fn present_rates(&self, from: u64, now: u64) -> Option<[f64; 2]> {
        self.over(from, now, |second| [second.answered, second.failed])
    }

    /// Requests that were tried, and of those the failed, per second likewise.
    pub(in super::super) fn present_tries(&self, from: u64, now: u64) -> Option<[f64; 2]> {
        self.over(from, now, |second| [second.tried, second.tried_failed])
    }

    fn over(&self, from: u64, now: u64, of: fn(&Second) -> [u32; 2]) -> Option<[f64; 2]> {
        let from = from.max(now.saturating_sub(PRESENT_SECONDS));
        let seconds = now.checked_sub(from).filter(|seconds| *seconds > 0)?;
        let mut sum = [0.0; 2];
        for second in self.recent.iter().filter(|s| s.at >= from && s.at < now) {
            let counts = of(second).map(f64::from);
            sum = [sum[0] + counts[0], sum[1] + counts[1]];
        }
        Some(sum.map(|counted| counted / seconds as f64))
    }
}
