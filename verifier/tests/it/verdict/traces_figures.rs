//! Figures, pictures and links of `opentelemetry_traces/` and of the reports.

use super::builder::{INFERENCE, MS, OnDisk, PREPARATION, ROOT, Run};
use std::fs;
use verifier::record::run_key::hex;
use verifier::record::{Asked, Observation, Outcome, Table};
use verifier::verdict::Verdict;

fn file(written: &OnDisk, name: &str) -> String {
    written.text(&format!("opentelemetry_traces/{name}"))
}

fn judged(run: &Run) -> (OnDisk, Verdict) {
    let written = run.write();
    let verdict = written.judge();
    (written, verdict)
}

/// A stage of 2.5 seconds and a short one.
fn run() -> Run {
    let mut run = Run::of_stages(&[("steady", 2500), ("short, \"quoted\"", 20)]);
    let detail = run.number(Table::Detail, "ModelError");
    for seq in 1000..1007 {
        run.exchanges[seq].outcome = Outcome::HttpError;
        run.exchanges[seq].status = 503;
        let span = run.span(seq as u64, INFERENCE);
        (span.status, span.detail) = (2, detail);
    }
    run.unanswered(1100, Outcome::Timeout, 3000 * MS);
    run.spans.retain(|span| span.seq != 1100);
    run
}

#[test]
fn each_second_of_each_stage_has_its_row() {
    let mut run = run();
    // Rows in another order than that of their times.
    run.exchanges.swap(10, 1900);
    let (exchanges, (written, verdict)) = (run.exchanges.clone(), judged(&run));
    let text = file(&written, "performance_trends.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let head: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let spans = [ROOT, PREPARATION, INFERENCE];
    let spans = spans
        .iter()
        .flat_map(|name| [50, 99].map(|p| format!("{name}_p{p}_ms")));
    assert_eq!(head[9..], spans.collect::<Vec<_>>());
    let rows: Vec<Vec<String>> = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let counts: Vec<&[String]> = rows.iter().map(|row| &row[..5]).collect();
    assert_eq!(
        counts,
        [
            ["steady", "0", "1000", "1000", "0"],
            ["steady", "1", "1000", "992", "8"],
            ["steady", "2", "500", "500", "0"],
            ["short, \"quoted\"", "0", "20", "20", "0"],
        ]
    );
    let mut latencies: Vec<u64> = exchanges
        .iter()
        .filter(|e| e.intended_ns < 2000 * MS)
        .map(|e| e.latency_ns())
        .collect();
    latencies.sort_unstable();
    let p99 = format!("{:.6}", latencies[989] as f64 / 1e6);
    assert_eq!(rows[0][7], p99);
    assert_eq!(rows[1][8], "3000.000000");
    // 500 samples do not support a p99; 1000 durations of a span do.
    assert_eq!((rows[2][7].as_str(), rows[2][5].is_empty()), ("", false));
    assert_eq!(
        (rows[0][13].as_str(), rows[0][14].as_str()),
        ("0.500000", "0.500000")
    );
    assert_eq!(verdict.stages[0].exchanges.planned, 2500);
}

#[test]
fn durations_by_span_name() {
    let mut run = run();
    let other = run.number(Table::SpanName, "GET /cache\n# x");
    let mut extra = *run.span(5, PREPARATION);
    (extra.span_id, extra.name) = (extra.span_id + 8, other);
    run.spans.extend([extra, extra]);
    let (written, _) = judged(&run);
    insta::assert_snapshot!(file(&written, "span_details.txt"));
}

#[test]
fn the_list_and_the_books() {
    let mut run = Run::of_stages(&[("a", 30), ("b", 8)]);
    run.exchanges[31].outcome = Outcome::HttpError;
    run.exchanges[31].status = 500;
    run.lose(INFERENCE, |seq| seq == 4);
    run.spans.retain(|span| span.seq != 6);
    let written = run.write();
    let asked = Asked {
        trace_link: Some("http://localhost:16686/trace/{trace_id}".parse().unwrap()),
        ..Asked::default()
    };
    written.judge_asked(asked);
    insta::assert_snapshot!("trace_list", file(&written, "trace_list.txt"));
    insta::assert_snapshot!("completeness", file(&written, "completeness.json"));
}

#[test]
fn a_picture_of_each_trace_that_the_page_shows() {
    let mut run = run();
    let hostile = run.number(Table::Detail, "<script>&\u{0}");
    run.span(1000, INFERENCE).detail = hostile;
    run.plan.stages[0].name = "<b>".into();
    let (written, _) = judged(&run);
    let folder = written
        .folder
        .path()
        .join("opentelemetry_traces/waterfalls");
    let html = written.text("report.html");
    let mut pictures = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(html.contains(name.strip_suffix(".svg").unwrap()), "{name}");
        let svg = file(&written, &format!("waterfalls/{name}"));
        for outside in ["<script", "<b>", "url(", "href", "\u{0}"] {
            assert!(!svg.contains(outside), "{outside}: {svg}");
        }
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
        pictures += 1;
    }
    // Of each kind as many as a page has, and none twice.
    assert_eq!(pictures, 22);
    let id = hex(&run.key.trace_id(1000));
    insta::assert_snapshot!("waterfall", file(&written, &format!("waterfalls/{id}.svg")));
}

#[test]
fn trace_ids_lead_to_a_viewer_as_the_run_or_the_judge_was_asked() {
    let mut run = run();
    run.lose(PREPARATION, |seq| seq == 7);
    let asked = |link: &str| Asked {
        trace_link: Some(link.parse().unwrap()),
        ..Asked::default()
    };
    let id = hex(&run.key.trace_id(7));
    let written = run.write();
    written.judge();
    for name in [
        "report.html",
        "report.md",
        "opentelemetry_traces/trace_list.txt",
    ] {
        assert!(written.text(name).contains(&id) && !written.text(name).contains("http://j"));
    }
    run.journal.insert(
        0,
        verifier::record::Entry {
            at_ns: 0,
            observation: Observation::ReportsAsked(asked("http://j/{trace_id}")),
        },
    );
    let written = run.write();
    let links = |at: &str| {
        let html = written.text("report.html");
        let link = format!("\"trace_link\":\"{at}{{trace_id}}\"");
        assert!(html.contains(&link) && html.contains(&id), "{link}");
        let md = written.text("report.md");
        assert!(md.contains(&format!("trace [{id}](<{at}{id}>): ")), "{md}");
        let list = file(&written, "trace_list.txt");
        assert!(list.contains(&format!("  {at}{id}\n")), "{list}");
    };
    written.judge();
    links("http://j/");
    written.judge_asked(asked("https://other/t={trace_id}"));
    links("https://other/t=");
}
