//! `report.md`: the report in text.

use super::link::pieces;
use super::parts::{self, achieved};
use super::text::{cause, seen_late};
use super::{duration, grouped, known, percent};
use crate::record::TraceLink;
use crate::verdict::outcome::{Stage, Verdict};
use std::fmt::Write;

/// The report as Markdown; trace ids lead to where the link says.
pub(super) fn to_markdown(verdict: &Verdict, link: Option<&TraceLink>) -> String {
    let mut out = String::new();
    // Writing to a String does not fail; so all through this file.
    let _ = writeln!(
        out,
        "# {}: {}\n",
        verdict.outcome.word(),
        escape(&verdict.run.id)
    );
    for reason in &verdict.reasons {
        let _ = writeln!(out, "- {}", linked(reason, link));
    }
    for warning in &verdict.warnings {
        let _ = writeln!(out, "- Warning: {}", linked(warning, link));
    }
    let run = &verdict.run;
    let _ = writeln!(
        out,
        "\nPlan {}, begun {}, target {}, load from {}, verifier {}.\n",
        escape(&run.plan),
        run.started,
        escape(run.target.as_deref().unwrap_or("unknown")),
        escape(&run.host),
        escape(&run.verifier_version)
    );
    if let Some(saturation) = &verdict.saturation {
        let _ = writeln!(out, "## Search");
        set(&mut out, &parts::probes(saturation));
        out.push('\n');
    }
    stages(&mut out, verdict);
    for table in verdict.cluster.iter().flat_map(parts::of_cluster) {
        out.push('\n');
        set(&mut out, &table);
    }
    for stage in &verdict.stages {
        stage_details(&mut out, stage, link);
    }
    books(&mut out, verdict);
    checks(&mut out, verdict, link);
    out
}

fn stages(out: &mut String, verdict: &Verdict) {
    let _ = writeln!(
        out,
        "## Stages\n\nLatency from the intended start; a percentile that the samples can not support is n/a.\n"
    );
    let _ = writeln!(
        out,
        "| stage | planned | ok | failed | req/s | p50 | p90 | p95 | p99 | p99.9 | max | coverage |"
    );
    let _ = writeln!(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for stage in &verdict.stages {
        let (e, l) = (&stage.exchanges, &stage.latency_ms);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            escape(&stage.name),
            grouped(e.planned),
            grouped(e.ok),
            grouped(e.planned - e.ok),
            achieved(stage),
            known(l.p50),
            known(l.p90),
            known(l.p95),
            known(l.p99),
            known(l.p999),
            known(l.max),
            percent(stage.traces.coverage),
        );
    }
}

fn stage_details(out: &mut String, stage: &Stage, link: Option<&TraceLink>) {
    let _ = writeln!(out, "\n## {}\n", escape(&stage.name));
    let t = &stage.traces;
    let _ = writeln!(
        out,
        "Traces: {} due, {} complete, {} incomplete, {} missing; {} duplicate spans, {} late, {} orphans.",
        grouped(t.expected),
        grouped(t.complete),
        grouped(t.incomplete),
        grouped(t.missing),
        t.duplicate,
        t.late,
        t.orphan
    );
    for example in &t.examples {
        let _ = writeln!(out, "- {}", linked(example, link));
    }
    for line in [cause(stage), seen_late(stage)].into_iter().flatten() {
        let _ = writeln!(out, "\n{}.\n", escape(&line));
    }
    if let Some(tail) = &stage.tail {
        let _ = writeln!(out, "| part | median's | slowest 1 % |\n|---|--:|--:|");
        for part in &tail.parts {
            let _ = writeln!(
                out,
                "| {} | {} | {} |",
                escape(&part.name),
                duration(part.p50_band_ms),
                duration(part.p99_band_ms)
            );
        }
        let _ = writeln!(
            out,
            "| **latency** | **{}** | **{}** |",
            duration(tail.p50_band_ms),
            duration(tail.p99_band_ms)
        );
    }
    let _ = writeln!(
        out,
        "\n| span | n | p50 | p90 | p99 | max |\n|---|--:|--:|--:|--:|--:|"
    );
    for (name, d) in &stage.spans_ms {
        let cells = [d.p50, d.p90, d.p99, d.max].map(known).join(" | ");
        let _ = writeln!(out, "| {} | {} | {cells} |", escape(name), grouped(d.n));
    }
    for table in parts::tables(stage) {
        set(out, &table);
    }
    for span in &stage.error_spans.spans {
        let _ = writeln!(
            out,
            "\n- {} error spans {} {}, e.g. trace {}",
            grouped(span.count),
            escape(&span.name),
            escape(&span.detail),
            linked(span.examples.first().map_or("", String::as_str), link)
        );
    }
}

fn set(out: &mut String, table: &parts::Table) {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let figures = "--:|".repeat(table.head.len() - 1);
    let _ = writeln!(out, "\n{}\n|---|{figures}", line(&table.head));
    for row in &table.rows {
        let _ = writeln!(out, "{}", line(row));
    }
}

/// What the target's processes say of their spans.
fn books(out: &mut String, verdict: &Verdict) {
    let way = parts::way(verdict);
    if !way.is_empty() {
        let _ = writeln!(out, "\n## Way of the traces");
    }
    for table in way {
        set(out, &table);
    }
    if verdict.services.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n## Span books\n\n| process | started | recovered | acknowledged | queued | left on disk | lost | requests refused |\n|---|--:|--:|--:|--:|--:|---|--:|"
    );
    for service in &verdict.services {
        let lost = service.lost.iter().map(|(why, n)| format!("{n} {why}"));
        let lost = lost.collect::<Vec<_>>().join(", ");
        let counts = [
            service.started,
            service.recovered,
            service.acknowledged,
            service.queued,
            service.left_on_disk,
        ];
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            escape(&service.source),
            counts.map(grouped).join(" | "),
            escape(&lost),
            service.refused_requests
        );
    }
}

fn checks(out: &mut String, verdict: &Verdict, link: Option<&TraceLink>) {
    let _ = writeln!(
        out,
        "\n## Checks\n\n| | check | stage | evidence |\n|---|---|---|---|"
    );
    for check in &verdict.checks {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            check.outcome.word(),
            escape(&check.name),
            escape(check.stage.as_deref().unwrap_or("")),
            check
                .evidence
                .iter()
                .map(|line| linked(line, link))
                .collect::<Vec<_>>()
                .join("; ")
        );
    }
}

/// The text, with its trace ids as links.
fn linked(text: &str, link: Option<&TraceLink>) -> String {
    let piece = |piece: super::link::Piece<'_>| match piece.address {
        Some(address) => format!("[{}](<{address}>)", piece.text),
        None => escape(piece.text),
    };
    pieces(text, link).into_iter().map(piece).collect()
}

/// Text of the plan or of a target, in a paragraph or a table cell: no markup, no line of its own.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '\\' | '|' | '<' | '`' | '[' => out.extend(['\\', character]),
            other => out.push(other),
        }
    }
    out
}
