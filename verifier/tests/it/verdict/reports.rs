//! The reports that people read.

use super::builder::{INFERENCE, Run};
use verifier::record::{Outcome, Table};
use verifier::verdict::to_text;

const HOSTILE: &str = "<script>alert(1)</script>` | [x](javascript:1)\n# head";

/// Names and details of a target, and names of a plan, are text, not markup.
#[test]
fn hostile_texts_stay_text() {
    let mut run = Run::of(1000);
    run.plan.name = "<script>plan</script>".into();
    run.plan.stages[0].name = "<script>stage".into();
    run.plan.traces.spans[2].name = HOSTILE.into();
    let (name, detail) = (
        run.number(Table::SpanName, HOSTILE),
        run.number(Table::Detail, HOSTILE),
    );
    for seq in 0..1000 {
        run.span(seq, INFERENCE).name = name;
    }
    for seq in 0..3 {
        let span = run.span(seq, HOSTILE);
        (span.status, span.detail, span.kind) = (2, detail, 3);
    }
    let written = run.write();
    written.judge();
    let html = written.text("report.html");
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    let md = written.text("report.md");
    assert!(md.contains("alert(1)"));
    for line in md.lines() {
        assert!(!line.starts_with("# head"), "{md}");
        for (at, _) in line.match_indices(['<', '`', '[']) {
            assert!(line[..at].ends_with('\\'), "{line}");
        }
    }
}

#[test]
fn the_page_is_whole_and_needs_no_network() {
    let mut run = Run::of(1000);
    run.unanswered(3, Outcome::Timeout, 900_000_000);
    let written = run.write();
    written.judge();
    let html = written.text("report.html");
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"));
    for outside in ["<script", "<link", "@import", "src=", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    for heading in [
        "Stages",
        "Latency",
        "Where the time went",
        "Throughput",
        "Traces",
        "Single traces",
        "Checks",
        "Limits of this run",
    ] {
        assert!(html.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
}

fn spoilt() -> Run {
    let mut run = Run::of_stages(&[("warm", 100), ("steady", 1200)]);
    run.thresholds(&[
        "error_rate==0",
        "coverage==1",
        "steady: p99<1ms",
        "p50<250ms",
    ]);
    let detail = run.number(Table::Detail, "ModelError");
    run.exchanges[700].outcome = Outcome::HttpError;
    run.exchanges[700].status = 500;
    let span = run.span(700, INFERENCE);
    (span.status, span.detail) = (2, detail);
    run.lose(INFERENCE, |seq| seq == 400 || seq == 401);
    run
}

#[test]
fn text_for_a_terminal() {
    insta::assert_snapshot!(to_text(&spoilt().judge()));
}

#[test]
fn markdown() {
    let written = spoilt().write();
    written.judge();
    insta::assert_snapshot!(written.text("report.md"));
}
