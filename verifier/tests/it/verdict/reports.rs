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
    // In the page they are strings of its document, and its title is escaped: no markup but the page's own.
    let html = written.text("report.html");
    assert_eq!(html.matches("<script").count(), 3, "{html}");
    assert!(html.contains("\\u003cscript>alert(1)\\u003c/script>"));
    assert!(!html.contains("<script>alert") && !html.contains("<script>plan"));
    let md = written.text("report.md");
    assert!(md.contains("alert(1)"));
    for line in md.lines() {
        assert!(!line.starts_with("# head"), "{md}");
        for (at, _) in line.match_indices(['<', '`', '[']) {
            assert!(line[..at].ends_with('\\'), "{line}");
        }
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
