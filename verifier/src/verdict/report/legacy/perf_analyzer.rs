//! `perf_analyzer_*.csv`: the sweep over stages, as `perf_analyzer -f` writes one.

use super::printf::general;
use super::tally::{Sum, Tally};
use super::{File, csv_text, file};
use crate::plan::Load;
use crate::verdict::align::Timeline;
use anyhow::Result;

/// The rows so far, each with its rate, by which they are sorted.
#[derive(Default)]
pub(super) struct Sweep {
    concurrency: Vec<(f64, Vec<String>)>,
    request_rate: Vec<(f64, Vec<String>)>,
}

/// perf_analyzer's columns between the rate and the percentiles.
const COLUMNS: [&str; 8] = [
    "Inferences/Second",
    "Client Send",
    "Network+Server Send/Recv",
    "Server Queue",
    "Server Compute Input",
    "Server Compute Infer",
    "Server Compute Output",
    "Client Recv",
];
/// Its percentiles.
const PERCENTILES: [u8; 4] = [50, 90, 95, 99];

impl Sweep {
    /// Adds a stage: microseconds, cut to whole ones, from the columns of `ReportWriter::GenerateReport`
    /// (`src/report_writer.cc`, commit 263c5f6). The first two spans under the root are its compute input and infer;
    /// what of the answer's time is neither theirs nor the reading of the answer is network and server.
    pub(super) fn add(&mut self, timeline: &Timeline<'_>, load: &Load, tally: &Tally) {
        let rate = tally.per_second(tally.answers() as f64).unwrap_or(0.0);
        let micros = |sum: &Sum| sum.mean_ns().map(|ns| (ns / 1e3) as u64);
        let service: u128 = tally.service_ns.iter().map(|&ns| u128::from(ns)).sum();
        let whole = (tally.answers() > 0).then(|| service as f64 / tally.answers() as f64);
        let stages: Vec<Option<u64>> = tally.spans.iter().skip(1).map(micros).collect();
        let [input, infer] = [0, 1].map(|place| stages.get(place).copied().flatten());
        let spans_ns = |place| tally.spans.get(place).and_then(Sum::mean_ns).unwrap_or(0.0);
        let network = whole
            .filter(|_| input.is_some() || infer.is_some())
            .map(|whole| {
                let accounted = spans_ns(1) + spans_ns(2) + tally.receive.mean_ns().unwrap_or(0.0);
                ((whole - accounted).max(0.0) / 1e3) as u64
            });
        let known = network.map(|_| 0);
        let mut row = vec![general(load.size()), general(rate)];
        row.extend(
            [
                Some(0),
                network,
                known,
                input,
                infer,
                known,
                micros(&tally.receive),
            ]
            .map(cell),
        );
        row.extend(PERCENTILES.map(|p| cell(percentile(&tally.service_ns, p).map(|ns| ns / 1000))));
        row.extend(stages.iter().map(|us| cell(*us)));
        debug_assert_eq!(row.len(), head(timeline, "").len());
        match load {
            Load::Rate { .. } => self.request_rate.push((rate, row)),
            Load::Connections { .. } | Load::Users { .. } => self.concurrency.push((rate, row)),
        }
    }

    /// One file a kind of load, where the plan has it: rows by rising rate, as perf_analyzer sorts them.
    ///
    /// # Errors
    /// Never: memory takes every row.
    pub(super) fn files(self, timeline: &Timeline<'_>) -> Result<Vec<File>> {
        let kinds = [
            (
                "perf_analyzer_concurrency.csv",
                "Concurrency",
                self.concurrency,
            ),
            (
                "perf_analyzer_request_rate.csv",
                "Request Rate",
                self.request_rate,
            ),
        ];
        let mut files = Vec::new();
        for (name, size, mut rows) in kinds.into_iter().filter(|(_, _, rows)| !rows.is_empty()) {
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut table = vec![head(timeline, size)];
            table.extend(rows.into_iter().map(|(_, row)| row));
            files.push(file(name, csv_text(csv::Terminator::Any(b'\n'), &table)?));
        }
        Ok(files)
    }
}

fn head(timeline: &Timeline<'_>, size: &str) -> Vec<String> {
    let percentiles = PERCENTILES.map(|p| format!("p{p} latency"));
    let spans = timeline.plan.traces.spans.iter().skip(1);
    let columns = [size].into_iter().chain(COLUMNS).map(str::to_owned);
    columns
        .chain(percentiles)
        .chain(spans.map(|span| span.name.clone()))
        .collect()
}

fn cell(us: Option<u64>) -> String {
    us.map_or_else(String::new, |us| us.to_string())
}

/// `SummarizeLatency` of `src/inference_profiler.cc`: the value at index p/100 * (n - 1) + 0.5, cut.
fn percentile(sorted: &[u64], p: u8) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    let index = f64::from(p) / 100.0 * last as f64 + 0.5;
    sorted.get(index as usize).copied()
}
