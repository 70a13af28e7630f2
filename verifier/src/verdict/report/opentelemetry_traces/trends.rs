//! `performance_trends.csv`: a row for each second of each stage, of the requests that were meant to start in it.

use super::Out;
use crate::record::{Exchange, Outcome, Span};
use crate::verdict::align::Timeline;
use crate::verdict::judge::percentile_ns;
use crate::verdict::outcome::Verdict;
use anyhow::Result;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

const SECOND_NS: u64 = 1_000_000_000;
/// Requests whose samples are in memory at once: some 32 MB.
const AT_ONCE: usize = 1 << 20;
/// Seconds of a stage that are told apart: more than eleven days. A row whose times are damaged goes to the last.
const MOST_SECONDS: u64 = 1_000_000;

/// Writes the table. Beside the timeline there are the samples of a million requests (or of one second), and for each
/// second of a stage where its rows stand.
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
        let exchanges = timeline.exchanges(index, None);
        let rows = exchanges.map(|exchange| second_of(exchange, start_ns));
        for part in parts(rows, AT_ONCE) {
            let mut samples: BTreeMap<u64, Sample> = BTreeMap::new();
            for (exchange, spans) in timeline.rows(index, part.rows) {
                let second = second_of(exchange, start_ns);
                if part.seconds.contains(&second) {
                    let sample = samples.entry(second);
                    let sample = sample.or_insert_with(|| Sample::new(names.len()));
                    sample.add(timeline, &names, exchange, spans);
                }
            }
            for (second, sample) in samples {
                csv.write_record(sample.row(&stage.name, second))?;
            }
        }
    }
    csv.flush()?;
    Ok(())
}

fn second_of(exchange: &Exchange, start_ns: u64) -> u64 {
    let since_ns = exchange.intended_ns.saturating_sub(start_ns);
    (since_ns / SECOND_NS).min(MOST_SECONDS)
}

/// Some seconds of a stage, and the rows among which their requests stand.
struct Part {
    seconds: RangeInclusive<u64>,
    rows: Range<usize>,
    requests: usize,
}

/// Rows, given by their seconds, in parts of up to so many requests, or of one second. Workers number their requests in turn, and one that
/// is faster than another is ahead of it: rows are in the order of time for each worker alone, so that parts overlap.
fn parts(rows: impl Iterator<Item = u64>, at_once: usize) -> Vec<Part> {
    let mut seconds: BTreeMap<u64, Part> = BTreeMap::new();
    for (row, second) in rows.enumerate() {
        let part = seconds.entry(second).or_insert(Part {
            seconds: second..=second,
            rows: row..row,
            requests: 0,
        });
        part.rows.end = row + 1;
        part.requests += 1;
    }
    let mut parts: Vec<Part> = Vec::new();
    for second in seconds.into_values() {
        match parts.last_mut() {
            Some(part) if part.requests + second.requests <= at_once => {
                part.seconds = *part.seconds.start()..=*second.seconds.end();
                let (from, to) = (part.rows.start, part.rows.end);
                part.rows = from.min(second.rows.start)..to.max(second.rows.end);
                part.requests += second.requests;
            }
            _ => parts.push(second),
        }
    }
    parts
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
            |ns: Option<u64>| ns.map_or_else(String::new, |ns| format!("{:.6}", ns as f64 / 1e6));
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

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn each_row_is_in_the_part_of_its_second() {
        // Two workers, of which one is twice as fast.
        let rows: Vec<u64> = (0..60).flat_map(|i| [i / 10, i / 5]).collect();
        for at_once in [1, 20, 25, 1000] {
            let parts = parts(rows.iter().copied(), at_once);
            for (row, second) in rows.iter().enumerate() {
                let of = |part: &&super::Part| part.seconds.contains(second);
                let found: Vec<_> = parts.iter().filter(of).collect();
                assert!(
                    found.len() == 1 && found[0].rows.contains(&row),
                    "{at_once} {row}"
                );
            }
            let requests: usize = parts.iter().map(|part| part.requests).sum();
            assert_eq!(requests, rows.len());
            assert_eq!(parts.len() == 1, at_once == 1000);
        }
    }
}
