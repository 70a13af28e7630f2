//! The result table that a person reads in ten seconds.

use super::parts::{achieved, per_second};
use super::{duration, grouped, known, percent};
use crate::verdict::outcome::{Check, Judgement, Stage, TaskFigures, Verdict};
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
    let stages = [HEAD.map(str::to_owned).to_vec()];
    let stages = stages
        .into_iter()
        .chain(verdict.stages.iter().flat_map(rows));
    table(&mut out, &stages.collect::<Vec<_>>());
    for way in super::parts::way(verdict) {
        out.push('\n');
        table(&mut out, &[vec![way.head], way.rows].concat());
    }
    for of_cluster in verdict.cluster.iter().flat_map(super::parts::of_cluster) {
        out.push('\n');
        table(&mut out, &[vec![of_cluster.head], of_cluster.rows].concat());
    }
    for stage in &verdict.stages {
        for line in [cause(stage), seen_late(stage)].into_iter().flatten() {
            let _ = writeln!(out, "{line}");
        }
    }
    let _ = writeln!(out, "\n{}", verdict.outcome.word());
    for reason in &verdict.reasons {
        let _ = writeln!(out, "  {reason}");
    }
    for warning in &verdict.warnings {
        let _ = writeln!(out, "  warning: {warning}");
    }
    // Of what is unknown, only what concerns the whole run says more than its reason.
    let tells_more = |check: &&Check| match check.outcome {
        Judgement::Fail => true,
        Judgement::Unknown => check.stage.is_none(),
        Judgement::Pass => false,
    };
    for check in verdict.checks.iter().filter(tells_more) {
        for line in check.evidence.iter().skip(1) {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

/// Figures to the right, words to the left.
pub(super) fn table(out: &mut String, rows: &[Vec<String>]) {
    let columns = 0..rows.first().map_or(0, Vec::len);
    let widths = columns.clone().map(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let widths: Vec<usize> = widths.collect();
    let words =
        columns.map(|column| column == 0 || rows.iter().skip(1).any(|row| is_words(&row[column])));
    let words: Vec<bool> = words.collect();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let width = widths[column];
            let _ = match words[column] {
                true => write!(line, "{gap}{cell:<width$}"),
                false => write!(line, "{gap}{cell:>width$}"),
            };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// It is neither a figure nor the want of one.
fn is_words(cell: &str) -> bool {
    let figure = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '–');
    let moments = cell.ends_with(" s");
    !(cell.is_empty() || cell == "n/a" || figure && (moments || cell.len() < 16))
}

/// The stage's line, and one for each of its tasks.
fn rows(stage: &Stage) -> Vec<Vec<String>> {
    let of_task = |task: &TaskFigures| {
        let latency = &task.latency_ms;
        let coverage = task.traces_complete as f64 / task.traces_expected as f64;
        vec![
            format!("  {}", task.name),
            per_second(task.requests_per_second),
            known(latency.p50),
            known(latency.p99),
            known(latency.p999),
            known(latency.max),
            grouped(task.exchanges.planned - task.exchanges.ok),
            grouped(task.traces_complete),
            percent((task.traces_expected > 0).then_some(coverage)),
        ]
    };
    let tasks = stage.tasks.iter().map(of_task);
    std::iter::once(row(stage)).chain(tasks).collect()
}

fn row(stage: &Stage) -> Vec<String> {
    let latency = &stage.latency_ms;
    vec![
        stage.name.clone(),
        achieved(stage),
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

/// How exact the stage's moments of answers are, where the generator looked at many at a time.
pub(super) fn seen_late(stage: &Stage) -> Option<String> {
    let turn_ms = stage.generator.turn_ms.filter(|ms| *ms > 0.0)?;
    Some(format!(
        "{}: answers seen up to {} late: so dense a load is served in turns",
        stage.name,
        duration(turn_ms)
    ))
}
