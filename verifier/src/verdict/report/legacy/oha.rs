//! `NN-STAGE.oha.json`: a stage in the shape of `oha --output-format json` (`print_json` of `src/printer.rs`, oha 1.15.0).

use super::tally::{Sum, Tally};
use crate::record::Outcome;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// oha's percentiles, and how it writes them.
const PERCENTILES: [(f64, &str); 9] = [
    (10.0, "p10"),
    (25.0, "p25"),
    (50.0, "p50"),
    (75.0, "p75"),
    (90.0, "p90"),
    (95.0, "p95"),
    (99.0, "p99"),
    (99.9, "p99.9"),
    (99.99, "p99.99"),
];
/// Bars of its histograms.
const BINS: usize = 11;

/// The JSON, seconds throughout but `latency_ms`. What there are no samples of is null, as there.
///
/// # Errors
/// Never: all keys are texts.
pub(super) fn json(tally: &Tally) -> Result<String> {
    let errors = errors(tally);
    let requests = tally.answers() + errors.values().sum::<u64>();
    let judged = requests - tally.late;
    let success_rate = (judged > 0).then(|| tally.answers() as f64 / judged as f64);
    let latency = Triple::of(&tally.service_ns, seconds);
    let percentiles_of_latency = percentiles(&tally.service_ns, seconds);
    let statuses = tally.statuses.iter().map(|(s, n)| (s.to_string(), *n));
    let value = json!({
        "summary": summary(tally, &latency, requests, success_rate),
        "metrics": {
            "success_rate": success_rate,
            "requests_per_sec": tally.per_second(requests as f64),
            "latency_ms": milliseconds(&latency, &percentiles_of_latency),
        },
        "responseTimeHistogram": histogram(&tally.service_ns),
        "latencyPercentiles": percentiles_of_latency,
        "firstByteHistogram": histogram(&tally.first_byte_ns),
        "firstBytePercentiles": percentiles(&tally.first_byte_ns, seconds),
        "rps": rates(tally),
        "details": {
            "DNSDialup": Triple::sum(&tally.dialup).json(),
            "DNSLookup": Triple::default().json(),
            "firstByte": Triple::of(&tally.first_byte_ns, seconds).json(),
        },
        "statusCodeDistribution": statuses.collect::<BTreeMap<_, _>>(),
        "errorDistribution": errors,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}

fn summary(tally: &Tally, latency: &Triple, requests: u64, success_rate: Option<f64>) -> Value {
    json!({
        "successRate": success_rate,
        "total": tally.seconds,
        "slowest": latency.slowest,
        "fastest": latency.fastest,
        "average": latency.average,
        "requestsPerSec": tally.per_second(requests as f64),
        "totalData": tally.bytes,
        "sizePerRequest": tally.bytes.checked_div(tally.answers()),
        "sizePerSec": tally.per_second(tally.bytes as f64),
    })
}

/// `ms`: rounded to a microsecond.
fn milliseconds(latency: &Triple, percentiles: &Map<String, Value>) -> Value {
    let ms = |value: Option<f64>| value.map(|s| (s * 1e6).round() / 1e3);
    let at = |name: &str| ms(percentiles[name].as_f64());
    json!({
        "min": ms(latency.fastest),
        "mean": ms(latency.average),
        "p50": at("p50"),
        "p95": at("p95"),
        "p99": at("p99"),
        "max": ms(latency.slowest),
    })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[derive(Default)]
struct Triple {
    average: Option<f64>,
    fastest: Option<f64>,
    slowest: Option<f64>,
}

impl Triple {
    /// Of sorted samples, each turned into its figure.
    fn of<T: Copy>(sorted: &[T], figure: impl Fn(T) -> f64) -> Triple {
        let sum: f64 = sorted.iter().map(|sample| figure(*sample)).sum();
        Triple {
            average: (!sorted.is_empty()).then(|| sum / sorted.len() as f64),
            fastest: sorted.first().copied().map(&figure),
            slowest: sorted.last().copied().map(&figure),
        }
    }

    fn sum(sum: &Sum) -> Triple {
        let known = |ns: u64| (sum.n > 0).then_some(ns as f64 / 1e9);
        Triple {
            average: sum.mean_ns().map(|ns| ns / 1e9),
            fastest: known(sum.least_ns),
            slowest: known(sum.most_ns),
        }
    }

    fn json(&self) -> Value {
        json!({"average": self.average, "fastest": self.fastest, "slowest": self.slowest})
    }
}

/// `percentile_iter`: the value at index floor(p/100 * n).
fn percentiles<T: Copy>(sorted: &[T], figure: impl Fn(T) -> f64) -> Map<String, Value> {
    let at = |p: f64| sorted.get((p / 100.0 * sorted.len() as f64) as usize);
    PERCENTILES
        .iter()
        .map(|(p, name)| ((*name).to_owned(), json!(at(*p).copied().map(&figure))))
        .collect()
}

/// `histogram`: bar i holds what lies above min + (i-1) step, up to min + i step.
fn histogram(sorted_ns: &[u64]) -> BTreeMap<String, usize> {
    let [Some(least), Some(most)] =
        [sorted_ns.first(), sorted_ns.last()].map(|v| v.copied().map(seconds))
    else {
        return BTreeMap::new();
    };
    let step = (most - least) / (BINS - 1) as f64;
    if step == 0.0 {
        return BTreeMap::from([(least.to_string(), sorted_ns.len())]);
    }
    let mut counted = 0;
    let mut bars = BTreeMap::new();
    for bar in 0..BINS {
        let place = |ns: u64| ((seconds(ns) - least) / step).ceil() as usize;
        let up_to = sorted_ns.partition_point(|ns| place(*ns) <= bar || bar + 1 == BINS);
        bars.insert((least + step * bar as f64).to_string(), up_to - counted);
        counted = up_to;
    }
    bars
}

/// What became of the requests that got no answer within the stage, in oha's words where it has any.
fn errors(tally: &Tally) -> BTreeMap<&'static str, u64> {
    let errors = [
        ("timeout", tally.count(Outcome::Timeout)),
        ("connection error", tally.count(Outcome::ConnectError)),
        (
            "connection closed before message completed",
            tally.count(Outcome::Reset),
        ),
        ("aborted due to deadline", tally.late),
    ];
    errors.into_iter().filter(|(_, n)| *n > 0).collect()
}

/// Rates of the slots that had answers: each slot's answers over the time since the last before it.
fn rates(tally: &Tally) -> Value {
    let mut rates = Vec::new();
    let mut before_ns = 0;
    for slot in tally.ends.iter().filter(|slot| slot.answers > 0) {
        // Two answers of one nanosecond on either side of a slot's border have no rate.
        if slot.last_ns == before_ns {
            continue;
        }
        rates.push(slot.answers as f64 * 1e9 / (slot.last_ns - before_ns) as f64);
        before_ns = slot.last_ns;
    }
    rates.sort_unstable_by(f64::total_cmp);
    let mean = Triple::of(&rates, |rate| rate).average;
    let squares = |mean: f64| rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>();
    let deviation = mean.filter(|_| rates.len() > 1);
    let deviation = deviation.map(|mean| (squares(mean) / (rates.len() - 1) as f64).sqrt());
    json!({
        "mean": mean,
        "stddev": deviation,
        "max": rates.last(),
        "min": rates.first(),
        "percentiles": percentiles(&rates, |rate| rate),
    })
}
