//! The same run gives the same verdict, byte for byte, however its rows are stored and ordered.

use super::builder::{INFERENCE, MS, OnDisk, PREPARATION, ROOT, Run};
use super::page::embedded;
use std::fs;
use verifier::record::{Outcome, Table};

/// A run with some of everything, ties among spans included.
fn mixed() -> Run {
    let mut run = Run::of_stages(&[("a", 1500), ("b", 700)]);
    run.plan.traces.spans[1].on = verifier::plan::On::Answered;
    let (skewed, unseen) = (
        run.number(Table::Source, "pod-1"),
        run.number(Table::Source, "a-pod"),
    );
    let (other, detail) = (
        run.number(Table::SpanName, "GET /cache"),
        run.number(Table::Detail, "Timeout"),
    );
    for span in &mut run.spans {
        span.source = [0, skewed, unseen][(span.seq % 3) as usize];
    }
    run.lose(INFERENCE, |seq| seq % 40 == 1);
    run.lose(ROOT, |seq| seq % 200 == 2);
    for seq in [11, 12, 1700] {
        run.unanswered(seq, Outcome::Timeout, 5000 * MS);
    }
    for seq in (20..2200).step_by(90) {
        run.exchanges[seq].outcome = Outcome::HttpError;
        run.exchanges[seq].status = 503;
    }
    // The same span again in the same export, with another end; and one that nobody expects.
    for seq in (5..2200).step_by(50) {
        let mut again = *run.span(seq, PREPARATION);
        again.end_unix_ns += 7 * MS;
        again.status = 2;
        let mut extra = again;
        (extra.span_id, extra.name, extra.detail) = (again.span_id + 8, other, detail);
        run.spans.extend([again, extra]);
    }
    run
}

/// Everything that judging writes, the files of its folders too.
fn outputs(written: &OnDisk) -> Vec<String> {
    let mut names = ["verdict.json", "report.md", "page.json", "report.html"]
        .map(str::to_owned)
        .to_vec();
    for folder in [
        "legacy",
        "opentelemetry_traces",
        "opentelemetry_traces/waterfalls",
    ] {
        for entry in fs::read_dir(written.folder.path().join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                names.push(format!("{folder}/{}", entry.file_name().display()));
            }
        }
    }
    names.sort();
    names
}

#[test]
fn rows_and_parquet() {
    let written = mixed().write();
    written.judge();
    let files = outputs(&written);
    assert!(files.len() > 20, "{files:?}");
    let from_rows: Vec<String> = files.iter().map(|name| written.text(name)).collect();
    written.folder.seal().unwrap();
    assert!(written.folder.spans_parquet().is_file() && !written.folder.span_rows().exists());
    written.judge();
    assert_eq!(outputs(&written), files);
    for (name, before) in files.iter().zip(from_rows) {
        let now = written.text(name);
        // The page lists the folder's files, and these are others now.
        let same = match name.as_str() {
            "page.json" => without_files(&now) == without_files(&before),
            "report.html" => without_files(&embedded(&now)) == without_files(&embedded(&before)),
            _ => now == before,
        };
        assert!(same, "{name} differs");
    }
}

fn without_files(page: &str) -> serde_json::Value {
    let mut page: serde_json::Value = serde_json::from_str(page).unwrap();
    page.as_object_mut().unwrap().remove("files").unwrap();
    page
}

#[test]
fn judged_twice() {
    let written = mixed().write();
    written.judge();
    let files = outputs(&written);
    let first: Vec<String> = files.iter().map(|name| written.text(name)).collect();
    written.judge();
    assert_eq!(outputs(&written), files);
    for (name, before) in files.iter().zip(first) {
        assert!(written.text(name) == before, "{name} differs");
    }
}

#[test]
fn any_order_of_rows() {
    let run = mixed();
    let first = run.write();
    first.judge();
    let expected = first.text("verdict.json");
    let files = outputs(&first);
    let html = first.text("report.html");
    for step in [1, 7, 1009] {
        let mut shuffled = mixed();
        shuffle(&mut shuffled.exchanges, step);
        shuffle(&mut shuffled.spans, step);
        assert_ne!(shuffled.spans, run.spans);
        let written = shuffled.write();
        written.judge();
        assert!(
            written.text("verdict.json") == expected,
            "step {step}: the verdict differs"
        );
        assert!(
            written.text("report.html") == html,
            "step {step}: the page differs"
        );
        for name in &files {
            assert!(
                written.text(name) == first.text(name),
                "step {step}: {name} differs"
            );
        }
    }
}

/// Fisher-Yates by a linear congruence: the same disorder each time.
fn shuffle<T>(rows: &mut [T], seed: u64) {
    let mut state = seed;
    for i in (1..rows.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        rows.swap(i, ((state >> 33) % (i as u64 + 1)) as usize);
    }
}
