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
    // The document, the library that draws, the page's own script: no text of the target has made another.
    assert_eq!(html.matches("<script").count(), 3);
    assert!(html.contains(r"\u003cscript>alert(1)\u003c/script>"));
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
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    assert!(html.contains("http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';"));
    for outside in ["<link rel=\"stylesheet", "@import", "src=\"", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    let json = written.text("page.json");
    assert!(
        html.contains(&json.replace('<', r"\u003c")),
        "another document than page.json"
    );
    // Who reads without JavaScript is told the verdict.
    let without = html.split_once("<noscript>").unwrap().1;
    assert!(without.starts_with("<h1>FAIL: "), "{without}");

    let page: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&page["schema"], &page["exact"]),
        (&"page/1".into(), &true.into())
    );
    let verdict: serde_json::Value = serde_json::from_str(&written.text("verdict.json")).unwrap();
    assert_eq!(page["verdict"], verdict);
    for figure in ["requests", "failures"] {
        let rows = page["statistics"].as_array().unwrap();
        let (whole, stages) = rows.split_last().unwrap();
        let sum: u64 = stages.iter().map(|row| row[figure].as_u64().unwrap()).sum();
        assert_eq!(whole[figure], sum, "{figure}");
    }
    let files: Vec<&str> = page["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    for file in [
        "journal.jsonl",
        "legacy/locust_stats.csv",
        "page.json",
        "report.html",
        "verdict.json",
    ] {
        assert!(files.contains(&file), "{file} of {files:?}");
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
