//! `performance_trends.csv`: a row for each second of each stage, of the requests that were meant to start in it.

use super::Out;
use crate::record::{Exchange, Outcome, Span};
use crate::verdict::align::Timeline;
use crate::verdict::judge::percentile_ns;
use crate::verdict::outcome::Verdict;
use anyhow::Result;
use std::ops::Range;

const SECOND_NS: u64 = 1_000_000_000;
/// Seconds of a stage that are told apart: more than eleven days. A row whose times are damaged goes to the last.
const MOST_SECONDS: u64 = 1_000_000;

/// Writes the table. Beside the timeline there are the samples of one second, and for each second of a stage where its
/// rows stand: rows are nearly in the order of their intended starts.
///
/// # Errors
/// When it can not be written.
pub(super) fn write(out: &mut Out, timeline: &Timeline<'_>, verdict: &Verdict) -> Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    let names = timeline.plan.span_names();
    let mut head: Vec<String> = [
        "stage",
        "second",
        "requests",
        "ok",
        "failed",
        "latency_p50_ms",
        "latency_p95_ms",
        "latency_p99_ms",
        "latency_max_ms",
    ]
    .map(str::to_owned)
    .into();
    for name in &names {
        head.extend([50, 99].map(|p| format!("{name}_p{p}_ms")));
    }
    csv.write_record(&head)?;
    for (index, stage) in verdict.stages.iter().enumerate() {
        let start_ns = timeline.stage_start_ns(index).unwrap_or(0);
        for (second, rows) in seconds(timeline, index, start_ns) {
            let mut sample = Sample::new(names.len());
            for (exchange, spans) in timeline.rows(index, rows) {
                if second_of(exchange, start_ns) == second {
                    sample.add(timeline, &names, exchange, spans);
                }
            }
            csv.write_record(sample.row(&stage.name, second))?;
        }
    }
    csv.flush()?;
    Ok(())
}

fn second_of(exchange: &Exchange, start_ns: u64) -> u64 {
    let since_ns = exchange.intended_ns.saturating_sub(start_ns);
    (since_ns / SECOND_NS).min(MOST_SECONDS)
}

/// For each second in which a request was meant to start, the rows among which those requests stand.
fn seconds(
    timeline: &Timeline<'_>,
    index: usize,
    start_ns: u64,
) -> impl Iterator<Item = (u64, Range<usize>)> + use<> {
    let mut seconds: std::collections::BTreeMap<u64, Range<usize>> =
        std::collections::BTreeMap::new();
    for (row, exchange) in timeline.exchanges(index, None).enumerate() {
        let rows = seconds.entry(second_of(exchange, start_ns));
        rows.or_insert(row..row).end = row + 1;
    }
    seconds.into_iter()
}

/// The requests of one second.
struct Sample {
    requests: u64,
    ok: u64,
    failed: u64,
    /// Of what was sent.
    latencies_ns: Vec<u64>,
    /// By expected name.
    spans_ns: Vec<Vec<u64>>,
}

impl Sample {
    fn new(names: usize) -> Sample {
        Sample {
            requests: 0,
            ok: 0,
            failed: 0,
            latencies_ns: Vec::new(),
            spans_ns: vec![Vec::new(); names],
        }
    }

    fn add(
        &mut self,
        timeline: &Timeline<'_>,
        names: &[&str],
        exchange: &Exchange,
        spans: &[Span],
    ) {
        self.requests += 1;
        let ok = exchange.outcome == Outcome::Ok;
        self.ok += u64::from(ok);
        self.failed += u64::from(!ok);
        if exchange.outcome.sent() {
            self.latencies_ns.push(exchange.latency_ns());
        }
        let trace = timeline.trace(exchange, spans);
        let expected = timeline.expected(exchange).spans;
        for (span, expected) in trace.spans.iter().zip(expected) {
            let place = names.iter().position(|name| *name == expected.name);
            if let (Some(span), Some(place)) = (span, place) {
                self.spans_ns[place].push(span.duration_ns());
            }
        }
    }

    /// An empty cell: nothing sent, or too few samples for the percentile.
    fn row(mut self, stage: &str, second: u64) -> Vec<String> {
        let cell =
            |ns: Option<u64>| ns.map_or_else(String::new, |ns| format!("{:.3}", ns as f64 / 1e6));
        self.latencies_ns.sort_unstable();
        let mut row = vec![stage.to_owned()];
        row.extend([second, self.requests, self.ok, self.failed].map(|n| n.to_string()));
        row.extend([0.5, 0.95, 0.99].map(|p| cell(percentile_ns(&self.latencies_ns, p))));
        row.push(cell(self.latencies_ns.last().copied()));
        for ns in &mut self.spans_ns {
            ns.sort_unstable();
            row.extend([0.5, 0.99].map(|p| cell(percentile_ns(ns, p))));
        }
        row
    }
}
