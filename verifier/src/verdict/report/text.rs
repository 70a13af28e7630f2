//! The result table that a person reads in ten seconds.

use super::{duration, grouped, known, percent};
use crate::verdict::outcome::{Judgement, Stage, Verdict};
use std::fmt::Write;

const HEAD: [&str; 9] = [
    "stage", "req/s", "p50", "p99", "p99.9", "max", "failed", "traces", "coverage",
];

/// The table, the tail's cause, and the verdict with its reasons.
pub fn to_text(verdict: &Verdict) -> String {
    let mut out = String::new();
    // Writing to a String does not fail; so all through this file.
    let _ = writeln!(
        out,
        "\nrun {}, plan {}, {}",
        verdict.run.id, verdict.run.plan, verdict.run.host
    );
    table(&mut out, verdict);
    for stage in &verdict.stages {
        if let Some(line) = cause(stage) {
            let _ = writeln!(out, "{line}");
        }
    }
    let _ = writeln!(out, "\n{}", verdict.outcome.word());
    for reason in &verdict.reasons {
        let _ = writeln!(out, "  {reason}");
    }
    for check in verdict
        .checks
        .iter()
        .filter(|c| c.outcome == Judgement::Fail)
    {
        for line in check.evidence.iter().skip(1) {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

fn table(out: &mut String, verdict: &Verdict) {
    let rows: Vec<[String; 9]> = [HEAD.map(str::to_owned)]
        .into_iter()
        .chain(verdict.stages.iter().map(row))
        .collect();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0);
            let _ = if column == 0 {
                write!(line, "{cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn row(stage: &Stage) -> [String; 9] {
    let latency = &stage.latency_ms;
    [
        stage.name.clone(),
        stage
            .requests_per_second
            .map_or_else(|| "n/a".to_owned(), |rps| grouped(rps as u64)),
        known(latency.p50),
        known(latency.p99),
        known(latency.p999),
        known(latency.max),
        grouped(stage.exchanges.planned - stage.exchanges.ok),
        grouped(stage.traces.complete),
        percent(stage.traces.coverage),
    ]
}

/// Where the slow requests' time goes: the parts that grow most.
pub(super) fn cause(stage: &Stage) -> Option<String> {
    let tail = stage.tail.as_ref()?;
    let mut parts: Vec<_> = tail
        .parts
        .iter()
        .map(|p| (p.p99_band_ms - p.p50_band_ms, p.name.as_str()))
        .collect();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let slower = tail.p99_band_ms - tail.p50_band_ms;
    let most = parts
        .iter()
        .take(2)
        .filter(|(ms, _)| *ms > 0.0)
        .map(|(ms, name)| format!("{name} +{}", duration(*ms)));
    let most = most.collect::<Vec<_>>().join(", ");
    Some(format!(
        "{}: the slowest 1 % take {} more than the median: {most}",
        stage.name,
        duration(slower)
    ))
}
