//! Locust's `StatsEntry`: counts, and response times in its own coarse buckets.

use crate::record::{Exchange, Outcome};

/// Locust's `PERCENTILES_TO_REPORT`, and how it writes them.
pub(super) const PERCENTILES: [(f64, &str); 11] = [
    (0.50, "50%"),
    (0.66, "66%"),
    (0.75, "75%"),
    (0.80, "80%"),
    (0.90, "90%"),
    (0.95, "95%"),
    (0.98, "98%"),
    (0.99, "99%"),
    (0.999, "99.9%"),
    (0.9999, "99.99%"),
    (1.0, "100%"),
];

/// What Locust knows of the requests of one name, or of one second.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) requests: u64,
    /// Of those, without a response time: never sent.
    pub(super) untimed: u64,
    pub(super) failures: u64,
    total_ns: u128,
    least_ns: Option<u64>,
    most_ns: u64,
    content: u64,
    /// Requests by bucket, in the order of [`bucket`].
    buckets: Vec<u64>,
}

/// The number of the bucket that Locust's `bucket_response_time` rounds to, and so the order of the buckets: whole
/// milliseconds below 100, tens below 1000, hundreds below 10 000, then thousands; halves to the even neighbour, as
/// Python rounds.
fn bucket(ns: u64) -> usize {
    let (step_ms, before, first) = match ns / 1_000_000 {
        0..100 => (1, 0, 0),
        100..1000 => (10, 100, 10),
        1000..10_000 => (100, 190, 10),
        _ => (1000, 280, 10),
    };
    let step_ns = step_ms * 1_000_000;
    let (whole, rest) = (ns / step_ns, ns % step_ns);
    let up = rest * 2 > step_ns || (rest * 2 == step_ns && whole % 2 == 1);
    usize::try_from(before + whole + u64::from(up) - first).unwrap_or(usize::MAX)
}

/// The response time in milliseconds that a bucket stands for.
fn bucket_ms(number: usize) -> u64 {
    let number = number as u64;
    match number {
        0..100 => number,
        100..190 => (number - 90) * 10,
        190..280 => (number - 180) * 100,
        _ => (number - 270) * 1000,
    }
}

impl Entry {
    /// Takes in a request that was planned and tried.
    pub(super) fn log(&mut self, exchange: &Exchange) {
        self.requests += 1;
        self.failures += u64::from(exchange.outcome != Outcome::Ok);
        self.content += u64::from(exchange.bytes);
        if !exchange.outcome.sent() {
            self.untimed += 1;
            return;
        }
        let ns = exchange.service_time_ns();
        self.total_ns += u128::from(ns);
        self.least_ns = Some(self.least_ns.map_or(ns, |least| least.min(ns)));
        self.most_ns = self.most_ns.max(ns);
        let bucket = bucket(ns);
        if bucket >= self.buckets.len() {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
    }

    /// Adds what another knows.
    pub(super) fn extend(&mut self, other: &Entry) {
        self.requests += other.requests;
        self.untimed += other.untimed;
        self.failures += other.failures;
        self.total_ns += other.total_ns;
        self.least_ns = [self.least_ns, other.least_ns].into_iter().flatten().min();
        self.most_ns = self.most_ns.max(other.most_ns);
        self.content += other.content;
        if other.buckets.len() > self.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
    }

    /// Requests with a response time.
    pub(super) fn timed(&self) -> u64 {
        self.requests - self.untimed
    }

    /// `calculate_response_time_percentile`: milliseconds; 0 without response times.
    pub(super) fn percentile_ms(&self, share: f64) -> u64 {
        let below = (self.timed() as f64 * share) as u64;
        let mut above = 0;
        for (number, count) in self
            .buckets
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, n)| **n > 0)
        {
            above += count;
            if self.timed() - above <= below {
                return bucket_ms(number);
            }
        }
        0
    }

    /// The median's bucket, or the exact least or largest response time where it lies beyond; milliseconds.
    pub(super) fn median_ms(&self) -> Median {
        let median = self.percentile_ms(0.5);
        if self.timed() == 0 {
            Median::Bucket(0)
        } else if median as f64 > self.most_ms() {
            Median::Exact(self.most_ms())
        } else if (median as f64) < self.least_ms() {
            Median::Exact(self.least_ms())
        } else {
            Median::Bucket(median)
        }
    }

    pub(super) fn mean_ms(&self) -> f64 {
        ratio(self.total_ns as f64 / 1e6, self.timed())
    }

    pub(super) fn least_ms(&self) -> f64 {
        self.least_ns.unwrap_or(0) as f64 / 1e6
    }

    pub(super) fn most_ms(&self) -> f64 {
        self.most_ns as f64 / 1e6
    }

    /// Bytes of an answer, head and body.
    pub(super) fn mean_content(&self) -> f64 {
        ratio(self.content as f64, self.requests)
    }
}

/// Locust's median is a bucket, a whole number, or a response time, which is not.
pub(super) enum Median {
    Bucket(u64),
    Exact(f64),
}

fn ratio(sum: f64, n: u64) -> f64 {
    if n == 0 { 0.0 } else { sum / n as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_locust() {
        // Of `bucket_response_time` in Locust 2.47.0; the halves go to the even neighbour.
        let pairs = [
            (0.4, 0),
            (0.5, 0),
            (1.5, 2),
            (99.4, 99),
            (99.6, 100),
            (104.9, 100),
            (105.0, 100),
            (115.0, 120),
            (147.0, 150),
            (994.9, 990),
            (999.9, 1000),
            (1050.0, 1000),
            (3432.0, 3400),
            (9999.0, 10_000),
            (10_499.0, 10_000),
            (58_760.0, 59_000),
        ];
        for (ms, rounded) in pairs {
            assert_eq!(bucket_ms(bucket((ms * 1e6) as u64)), rounded, "{ms}");
        }
        for ns in (0..20_000_000_000_u64).step_by(777_777) {
            assert!(bucket(ns) <= bucket(ns + 777_777), "{ns}");
        }
    }
}
