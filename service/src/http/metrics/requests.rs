//! Requests in flight and the histogram of their durations, by method, route and status.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::shards::Shards;

/// Upper bounds in nanoseconds. The conventions start at 5 ms, where all of our answers would be
/// in the first bucket; ours start at 10 µs and end where theirs do.
const BOUNDS_NS: [u64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// All requests, per thread.
#[derive(Debug, Default)]
pub(super) struct Requests(Shards<Shard>);

/// One thread's requests. The lock is its own: only a scrape ever makes it wait.
#[derive(Debug, Default)]
struct Shard {
    in_flight: AtomicI64,
    series: Mutex<Vec<Series>>,
}

type Key = (&'static str, Option<&'static str>, Option<u16>);

#[derive(Clone, Debug)]
struct Series {
    key: Key,
    counts: [u64; BOUNDS_NS.len() + 1],
    sum_ns: u64,
}

impl Series {
    fn new(key: Key) -> Series {
        Series {
            key,
            counts: [0; BOUNDS_NS.len() + 1],
            sum_ns: 0,
        }
    }

    fn add(&mut self, other: &Series) {
        self.sum_ns += other.sum_ns;
        self.counts
            .iter_mut()
            .zip(other.counts)
            .for_each(|(count, more)| *count += more);
    }
}

/// The series of this key; a thread sees few of them, so that looking beats hashing.
fn series_of(all: &mut Vec<Series>, key: Key) -> &mut Series {
    let place = all
        .iter()
        .position(|series| series.key == key)
        .unwrap_or_else(|| {
            all.push(Series::new(key));
            all.len() - 1
        });
    &mut all[place]
}

impl Requests {
    pub(super) fn started(&self) {
        self.0.mine().in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn observe(
        &self,
        method: &'static str,
        route: Option<&'static str>,
        status: Option<u16>,
        duration: Duration,
    ) {
        let shard = self.0.mine();
        shard.in_flight.fetch_sub(1, Ordering::Relaxed);
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut all = shard.series.lock().unwrap_or_else(PoisonError::into_inner);
        let series = series_of(&mut all, (method, route, status));
        series.counts[BOUNDS_NS.partition_point(|bound| *bound < ns)] += 1;
        series.sum_ns = series.sum_ns.saturating_add(ns);
    }

    fn total(&self) -> Vec<Series> {
        let mut total = Vec::new();
        for shard in self.0.all() {
            for series in shard
                .series
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
            {
                series_of(&mut total, series.key).add(series);
            }
        }
        total.sort_by_key(|series| series.key);
        total
    }
}

impl Collector for &'static Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let in_flight: i64 = self
            .0
            .all()
            .map(|shard| shard.in_flight.load(Ordering::Relaxed))
            .sum();
        let help = "Requests that are being answered";
        let gauge = encoder.encode_descriptor(
            "http_server_active_requests",
            help,
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(in_flight).encode(gauge)?;

        let help = "Duration of requests, from their head to the end of their answer";
        let unit = Some(&Unit::Seconds);
        let mut family = encoder.encode_descriptor(
            "http_server_request_duration",
            help,
            unit,
            MetricType::Histogram,
        )?;
        for series in self.total() {
            let (method, route, status) = series.key;
            let status = status.map_or_else(String::new, |status| status.to_string());
            let labels = [
                ("http_request_method", method),
                ("http_route", route.unwrap_or_default()),
                ("http_response_status_code", status.as_str()),
            ];
            let bounds = BOUNDS_NS
                .iter()
                .map(|bound| *bound as f64 / 1e9)
                .chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(series.counts).collect();
            let count = series.counts.iter().sum();
            let mut metric = family.encode_family(&labels)?;
            metric.encode_histogram::<NoLabelSet>(
                series.sum_ns as f64 / 1e9,
                count,
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_land_in_the_bucket_whose_bound_holds_them() {
        let requests = Requests::default();
        for ns in [9_999, 10_000, 10_001, 11_000_000_000] {
            requests.started();
            requests.observe(
                "POST",
                Some("/predict"),
                Some(200),
                Duration::from_nanos(ns),
            );
        }
        let total = requests.total();
        assert_eq!(total.len(), 1);
        assert_eq!(total[0].counts[..2], [2, 1]);
        assert_eq!(total[0].counts[BOUNDS_NS.len()], 1);
        assert_eq!(total[0].sum_ns, 11_000_030_000);
    }
}
