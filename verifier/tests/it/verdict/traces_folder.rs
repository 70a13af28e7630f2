//! The folder `opentelemetry_traces/`: traces that others take again, and figures that agree with the verdict.

use super::builder::{INFERENCE, MS, OnDisk, PREPARATION, ROOT, Run};
use crate::testbed::{get, post, wait_until};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use serde_json::Value;
use std::fs;
use verifier::record::run_key::hex;
use verifier::record::{Asked, KeepTraces, Outcome, Table};
use verifier::run::traces::walk_json;

/// Two stages with each kind of fault.
fn spoilt() -> Run {
    let mut run = Run::of_stages(&[("warm up/1", 50), ("steady", 2000)]);
    let (detail, hostile) = (
        run.number(Table::Detail, "ModelError"),
        run.number(Table::Detail, "\"</script>\n\u{1}"),
    );
    for seq in 100..110 {
        run.exchanges[seq].outcome = Outcome::HttpError;
        run.exchanges[seq].status = 503;
        let span = run.span(seq as u64, INFERENCE);
        (span.status, span.detail) = (2, if seq % 2 == 0 { detail } else { hostile });
    }
    run.unanswered(200, Outcome::Timeout, 900 * MS);
    run.unanswered(201, Outcome::ConnectError, MS);
    run.unanswered(202, Outcome::Unsent, MS);
    run.spans.retain(|span| !(200..=202).contains(&span.seq));
    run.lose(PREPARATION, |seq| (300..310).contains(&seq));
    run.lose(ROOT, |seq| seq == 400);
    run.spans.retain(|span| span.seq != 401);
    run.span(500, INFERENCE).arrived_ns += 3_600_000 * MS;
    let again = *run.span(501, INFERENCE);
    run.spans.push(again);
    run
}

fn asked(keep: KeepTraces) -> Asked {
    Asked {
        keep_traces: Some(keep),
        ..Asked::default()
    }
}

fn judged(run: &Run, asked: Asked) -> OnDisk {
    let written = run.write();
    written.judge_asked(asked);
    written
}

fn file(written: &OnDisk, name: &str) -> String {
    written.text(&format!("opentelemetry_traces/{name}"))
}

fn json(written: &OnDisk, name: &str) -> Value {
    serde_json::from_str(&file(written, name)).unwrap()
}

/// What a span row and its texts come to, as a reader of OTLP sees it.
type Seen = (
    u64,
    [u8; 8],
    u64,
    String,
    i32,
    u64,
    u64,
    i32,
    u64,
    String,
    String,
);

/// Received spans of the lines, and how many the client's own are.
fn read_again(run: &Run, lines: &str) -> (Vec<Seen>, u64) {
    let (mut spans, mut clients) = (Vec::new(), 0);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for line in lines.lines() {
        let decoded: TracesData = serde_json::from_str(line).unwrap();
        let scopes = decoded.resource_spans.iter().flat_map(|r| &r.scope_spans);
        let decoded = scopes.map(|scope| scope.spans.len()).sum::<usize>();
        let mut walked = 0;
        walk_json(line.as_bytes(), |sender, span| {
            walked += 1;
            let seq = run.key.seq(span.trace_id.try_into().unwrap()).unwrap();
            let id: [u8; 8] = span.span_id.try_into().unwrap();
            if sender == b"verifier" {
                assert_eq!((id, span.kind), (run.key.client_span_id(seq), 3));
                assert_eq!(
                    (text(span.name), span.parent_span_id),
                    (ROOT.to_owned(), &[][..])
                );
                clients += 1;
                return;
            }
            let parent = u64::from_be_bytes(span.parent_span_id.try_into().unwrap());
            let times = (span.start_unix_ns, span.end_unix_ns);
            let (name, detail, sender) = (text(span.name), text(span.error_type), text(sender));
            let status = (span.status, span.http_status);
            spans.push((
                seq, id, parent, name, span.kind, times.0, times.1, status.0, status.1, detail,
                sender,
            ));
        })
        .unwrap();
        assert_eq!(walked, decoded, "{line}");
    }
    spans.sort();
    (spans, clients)
}

/// The same of the rows.
fn recorded(run: &Run) -> Vec<Seen> {
    let text = |table, number| run.dictionary.text(table, number).to_owned();
    let seen = |s: &verifier::record::Span| {
        (
            s.seq,
            s.span_id.to_be_bytes(),
            s.parent_span_id,
            text(Table::SpanName, s.name),
            i32::from(s.kind),
            s.start_unix_ns,
            s.end_unix_ns,
            i32::from(s.status),
            u64::from(s.http_status),
            text(Table::Detail, s.detail),
            text(Table::Source, s.source),
        )
    };
    let mut spans: Vec<Seen> = run.spans.iter().map(seen).collect();
    spans.sort();
    spans
}

#[test]
fn every_line_is_otlp_and_all_lines_are_the_run() {
    let run = spoilt();
    let written = judged(&run, asked(KeepTraces::All));
    let (spans, clients) = read_again(&run, &file(&written, "traces.jsonl"));
    assert!(spans == recorded(&run), "the spans are not those recorded");
    // All but the one that was never sent.
    assert_eq!(clients, run.exchanges.len() as u64 - 1);
    let books = json(&written, "completeness.json");
    assert_eq!(books["kept"]["keep_traces"], "all");
    assert_eq!(books["kept"]["listed"], run.exchanges.len() as u64);
    assert_eq!(books["kept"]["without_spans"], 1);
    assert_eq!(books["kept"]["spans"], run.spans.len() as u64);
    let list = file(&written, "trace_list.txt");
    let listed = list.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(listed, run.exchanges.len() + 1);
}

#[test]
fn exemplars_are_a_few_of_each_class_of_each_stage() {
    let run = spoilt();
    let written = judged(&run, Asked::default());
    let list = file(&written, "trace_list.txt");
    let of = |seq: u64| {
        let id = hex(&run.key.trace_id(seq));
        list.lines()
            .find(|line| line.contains(&id))
            .unwrap_or_default()
    };
    for (seqs, why) in [
        (100..103, "status 503"),
        (100..101, "error in model_inference ModelError"),
        (200..201, "timeout"),
        (201..202, "connect_error"),
        (202..203, "unsent"),
        (300..303, "without data_preparation"),
        (401..402, "no span came"),
        (500..501, "late"),
        (501..502, "span came twice"),
    ] {
        for seq in seqs {
            assert!(of(seq).contains(why), "{seq} {why}: {list}");
        }
    }
    let count = |why: &str| list.matches(why).count();
    assert_eq!(
        count("steady: slowest") + count("warm up/1: slowest"),
        6,
        "{list}"
    );
    assert_eq!(count("median"), 1 + 6, "{list}");
    assert_eq!(count("without data_preparation"), 3);
    let (spans, clients) = read_again(&run, &file(&written, "traces.jsonl"));
    let books = json(&written, "completeness.json");
    assert_eq!(books["kept"]["spans"], spans.len() as u64);
    assert_eq!(books["kept"]["listed"], clients + 1);
    assert!(clients < 60, "{clients}");
    // The same spans as recorded.
    let recorded = recorded(&run);
    assert!(
        spans
            .iter()
            .all(|span| recorded.binary_search(span).is_ok())
    );
}

#[test]
fn traces_with_errors_are_kept_apart_and_bounded() {
    let mut run = spoilt();
    let written = judged(&run, asked(KeepTraces::None));
    assert_eq!(file(&written, "traces.jsonl"), "");
    let lines = file(&written, "error_traces.jsonl");
    // Ten 503, a timeout, a connect_error; the timeout's and the connect_error's have the client's span only.
    assert_eq!(lines.lines().count(), 12);
    let (spans, clients) = read_again(&run, &lines);
    assert_eq!((spans.len(), clients), (30, 12));
    for exchange in &mut run.exchanges[500..1900] {
        (exchange.outcome, exchange.status) = (Outcome::HttpError, 500);
    }
    let written = judged(&run, Asked::default());
    assert_eq!(file(&written, "error_traces.jsonl").lines().count(), 1000);
    let kept = &json(&written, "completeness.json")["kept"];
    assert_eq!(
        (&kept["error_traces"], &kept["error_traces_left_out"]),
        (&1412.into(), &412.into())
    );
}

#[test]
fn a_second_judgement_leaves_nothing_of_the_first() {
    let written = judged(&spoilt(), asked(KeepTraces::All));
    let folder = written.folder.path().join("opentelemetry_traces");
    fs::write(folder.join("waterfalls/old.svg"), "old").unwrap();
    written.judge_asked(asked(KeepTraces::None));
    assert!(!folder.join("waterfalls/old.svg").exists());
    assert_eq!(file(&written, "traces.jsonl"), "");
    assert!(!folder.with_extension("partial").exists());
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "completeness.json",
            "error_traces.jsonl",
            "performance_trends.csv",
            "span_details.txt",
            "trace_list.txt",
            "traces.jsonl",
            "waterfalls",
        ]
    );
}

/// The real collector takes each line, and counts every span of it.
#[test]
fn the_real_collector_takes_every_line() {
    let Some(jaeger) = crate::testbed::jaeger(10_000) else {
        return;
    };
    let to = [("JAEGER_OTLP", jaeger.otlp().to_string())];
    let collector = crate::testbed::collector(&["local"], &to).unwrap();
    let run = spoilt();
    let written = judged(&run, asked(KeepTraces::All));
    let mut accepted = 0;
    for name in ["traces.jsonl", "error_traces.jsonl"] {
        let lines = file(&written, name);
        for line in lines.lines() {
            let (status, answer) = post(collector.http(), "/v1/traces", line).unwrap();
            assert_eq!(
                (status, answer.trim()),
                (200, "{\"partialSuccess\":{}}"),
                "{line}"
            );
        }
        let (spans, clients) = read_again(&run, &lines);
        accepted += spans.len() as u64 + clients;
    }
    let name = "otelcol_receiver_accepted_spans{transport=\"http\",receiver=\"otlp\"}";
    assert_eq!(collector.metric(name), Some(accepted as f64));
    let path = format!("/api/v3/traces/{}", hex(&run.key.trace_id(100)));
    let found = || get(jaeger.query_http(), &path).unwrap();
    wait_until(
        || found().0 == 200 && found().1.contains("POST /predict"),
        || format!("{:?}", found()),
    );
}
