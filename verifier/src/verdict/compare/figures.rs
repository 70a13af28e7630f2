//! One stage's figures with their intervals, from the joined run.

use super::interval::{self, BATCHES, Estimate};
use crate::record::{Exchange, Outcome};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Stage;
use serde::{Deserialize, Serialize};

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Requests a second, coverage.
    Higher,
    /// Times, errors.
    Lower,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Requests a second.
    PerSecond,
    /// A share of 1.
    Share,
}

/// One figure of one run.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) better: Better,
    /// `None`: no samples, or too few.
    pub(super) estimate: Option<Estimate>,
    /// There were samples, if perhaps too few for this figure.
    pub(super) any: bool,
}

/// Percentiles of exchanges and of spans.
const EXCHANGE_PERCENTILES: [(f64, &str); 4] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];
const SPAN_PERCENTILES: [(f64, &str); 2] = [(0.5, "p50"), (0.99, "p99")];

/// Places exchanges in the stage's batches, by when they ended.
struct Batches {
    start_ns: u64,
    length_ns: f64,
}

impl Batches {
    fn of(&self, exchange: &Exchange) -> usize {
        let since_ns = exchange.done_ns.saturating_sub(self.start_ns);
        // What ended after the stage is of its last batch.
        ((since_ns as f64 / self.length_ns) as usize).min(BATCHES - 1)
    }
}

/// Every figure of the stage, in the order of the table.
pub(super) fn of_stage(timeline: &Timeline<'_>, index: usize, stage: &Stage) -> Vec<Figure> {
    let batches = Batches {
        start_ns: timeline.stage_start_ns(index).unwrap_or(0),
        length_ns: (stage.duration_seconds * 1e9 / BATCHES as f64).max(1.0),
    };
    let mut figures = shares(timeline, index, stage, &batches);
    let sent = || {
        timeline
            .stage(index)
            .map(|(e, _)| e)
            .filter(|e| e.outcome.sent())
    };
    let place = |e: &Exchange| u8::try_from(batches.of(e)).unwrap_or(u8::MAX);
    let latencies = sent().map(|e| (e.latency_ns(), place(e))).collect();
    figures.extend(times("latency", latencies, &EXCHANGE_PERCENTILES));
    let service_times = sent().map(|e| (e.service_time_ns(), place(e))).collect();
    figures.extend(times("service time", service_times, &EXCHANGE_PERCENTILES));
    for name in timeline.plan.span_names() {
        let durations = timeline.stage(index).filter_map(|(exchange, spans)| {
            // Each task expects spans of its own.
            let expected = timeline.expected(exchange).spans;
            let at = expected.iter().position(|span| span.name == name)?;
            let span = timeline.trace(exchange, spans).spans[at]?;
            Some((span.duration_ns(), place(exchange)))
        });
        let durations = durations.collect();
        figures.extend(times(name, durations, &SPAN_PERCENTILES));
    }
    figures
}

/// Requests a second, errors, and traces where the plan expects any.
fn shares(timeline: &Timeline<'_>, index: usize, stage: &Stage, batches: &Batches) -> Vec<Figure> {
    let end_ns = batches.start_ns + (stage.duration_seconds * 1e9).round() as u64;
    let [
        mut planned,
        mut failed,
        mut answered,
        mut in_time,
        mut incomplete,
    ] = [[0_u64; BATCHES]; 5];
    let traced = |exchange: &Exchange| !timeline.expected(exchange).spans.is_empty();
    for (exchange, spans) in timeline.stage(index) {
        let batch = batches.of(exchange);
        planned[batch] += 1;
        failed[batch] += u64::from(exchange.outcome != Outcome::Ok);
        if exchange.outcome.answered() {
            answered[batch] += 1;
            in_time[batch] += u64::from(exchange.done_ns <= end_ns);
            let complete = !traced(exchange) || timeline.trace(exchange, spans).complete();
            incomplete[batch] += u64::from(!complete);
        }
    }
    let rate = interval::rate(&in_time, batches.length_ns / 1e9);
    let mut figures = vec![
        figure("requests/s", Unit::PerSecond, Better::Higher, rate),
        figure(
            "error rate",
            Unit::Share,
            Better::Lower,
            interval::share(&failed, &planned),
        ),
    ];
    if !timeline.plan.span_names().is_empty() {
        // Of what is missing, not of what came: a noise of 5 % must not let 5 % of the traces go.
        let missing = interval::share(&incomplete, &answered);
        figures.push(figure(
            "traces incomplete",
            Unit::Share,
            Better::Lower,
            missing,
        ));
    }
    figures
}

fn figure(name: &str, unit: Unit, better: Better, estimate: Option<Estimate>) -> Figure {
    let any = estimate.is_some();
    let name = name.to_owned();
    Figure {
        name,
        unit,
        better,
        estimate,
        any,
    }
}

/// Percentiles of nanoseconds, as milliseconds.
fn times(name: &str, mut samples: Vec<(u64, u8)>, percentiles: &[(f64, &str)]) -> Vec<Figure> {
    samples.sort_unstable();
    let milliseconds = |estimate: Estimate| Estimate {
        value: estimate.value / 1e6,
        low: estimate.low.map(|ns| ns / 1e6),
        high: estimate.high.map(|ns| ns / 1e6),
        n: estimate.n,
    };
    let figures = percentiles.iter().map(|(p, percentile)| Figure {
        name: format!("{name} {percentile}"),
        unit: Unit::Milliseconds,
        better: Better::Lower,
        estimate: interval::percentile(&samples, *p).map(milliseconds),
        // Too few for a median are as good as none.
        any: !samples.is_empty() && *p > 0.5,
    });
    figures.collect()
}
