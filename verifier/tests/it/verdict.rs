//! Recorded runs, and the verdict that each must get.

mod figures;
mod recorded;

use recorded::{MS, Recorded, exchange, judge, trace, trace_id, whole, worker};
use serde_json::Value;
use verifier::record::{Observation, Outcome, Receiver};
use verifier::verdict::{Check, Judgement, Verdict, schema, to_json, to_text};

fn assert_fits_schema(verdict: &Value) {
    let schema: Value = serde_json::from_str(&schema().unwrap()).unwrap();
    if let Err(error) = jsonschema::validate(&schema, verdict) {
        panic!("{error} at {}", error.instance_path());
    }
}

fn check<'a>(verdict: &'a Verdict, name: &str) -> &'a Check {
    verdict
        .checks
        .iter()
        .find(|check| check.name == name)
        .unwrap()
}

fn assert_reason(verdict: &Verdict, part: &str) {
    assert!(
        verdict.reasons.iter().any(|reason| reason.contains(part)),
        "{part:?} is not among {:#?}",
        verdict.reasons
    );
}

#[test]
fn the_published_schema_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/verdict-1.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(path, schema().unwrap()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        schema().unwrap(),
        "run the tests with UPDATE_SCHEMA=1"
    );
    let mut damaged: Value = serde_json::from_str(&to_json(&whole(3).judge()).unwrap()).unwrap();
    damaged["outcome"] = "maybe".into();
    let schema: Value = serde_json::from_str(&schema().unwrap()).unwrap();
    assert!(jsonschema::validate(&schema, &damaged).is_err());
}

#[test]
fn a_whole_run_passes() {
    let verdict = whole(1000).judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "{:#?}", verdict.reasons);
    let stage = &verdict.stages[0];
    assert_eq!(
        (
            stage.exchanges.planned,
            stage.exchanges.ok,
            stage.traces.complete
        ),
        (1000, 1000, 1000)
    );
    assert_eq!(stage.traces.coverage, Some(1.0));
    assert!(
        verdict
            .checks
            .iter()
            .all(|check| check.outcome == Judgement::Pass && !check.evidence.is_empty())
    );
}

#[test]
fn a_missing_span_fails_and_is_named() {
    let mut recorded = whole(1000);
    recorded
        .spans
        .retain(|span| span.name != 2 || span.seq % 100 != 7);
    let verdict = recorded.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    let traces = &verdict.stages[0].traces;
    assert_eq!(
        (traces.incomplete, traces.missing, traces.coverage),
        (10, 0, Some(0.99))
    );
    assert_eq!(traces.missing_spans["model_inference"], 10);
    let evidence = check(&verdict, "coverage==1").evidence.join("\n");
    assert!(
        evidence.contains("span model_inference is missing in 10 traces"),
        "{evidence}"
    );
    assert!(
        evidence.contains(&format!(
            "trace {}: model_inference is missing",
            trace_id(7)
        )),
        "{evidence}"
    );
}

#[test]
fn no_trace_at_all_is_a_failure_with_unknown_spans() {
    let mut recorded = whole(20);
    recorded.spans.clear();
    let verdict = recorded.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    assert_reason(&verdict, "no trace of 20 exchanges arrived");
    let span = &verdict.stages[0].spans_ms["model_inference"];
    assert_eq!((span.p50, span.max, span.n), (None, None, 0));
    assert_eq!(verdict.stages[0].traces.missing, 20);
}

#[test]
fn what_is_wrong_with_a_trace_is_told_apart() {
    let mut recorded = whole(10);
    recorded
        .spans
        .iter_mut()
        .filter(|s| s.seq == 1 && s.name == 1)
        .for_each(|s| s.parent_span_id = 99);
    recorded
        .spans
        .iter_mut()
        .filter(|s| s.seq == 2 && s.name == 0)
        .for_each(|s| s.kind = 3);
    recorded
        .spans
        .iter_mut()
        .filter(|s| s.seq == 3 && s.name == 0)
        .for_each(|s| s.parent_span_id = 4);
    recorded
        .spans
        .iter_mut()
        .filter(|s| s.seq == 4)
        .for_each(|s| s.arrived_ns = exchange(4).done_ns + 6000 * MS);
    let again = recorded
        .spans
        .iter()
        .copied()
        .find(|s| s.seq == 5 && s.name == 1)
        .unwrap();
    recorded.spans.push(again);
    recorded.spans.push(verifier::record::Span {
        span_id: 77,
        ..again
    });
    let verdict = recorded.judge();
    let traces = &verdict.stages[0].traces;
    assert_eq!(
        (traces.complete, traces.incomplete, traces.missing),
        (7, 3, 0)
    );
    assert_eq!(
        (
            traces.orphan,
            traces.wrong_kind,
            traces.late,
            traces.duplicate
        ),
        (2, 1, 1, 2)
    );
    assert_eq!(
        verdict.stages[0].spans_ms["data_preparation"].n, 10,
        "duplicates are counted once"
    );
}

#[test]
fn a_run_that_did_not_end_is_unknown_with_the_counts_up_to_then() {
    let mut recorded = whole(1000);
    recorded.observations.truncate(1);
    recorded.spans.truncate(1000);
    let folder = recorded.write();
    // What a crash leaves: half a row, half a line.
    for (path, bytes) in [
        (folder.exchange_rows(), &[7; 13][..]),
        (folder.span_rows(), &[7; 63]),
        (folder.journal(), b"{\"at_ns\":1,\"ki"),
    ] {
        use std::io::Write;
        std::fs::OpenOptions::new()
            .append(true)
            .open(path)
            .unwrap()
            .write_all(bytes)
            .unwrap();
    }
    let verdict = judge(&folder);
    assert_eq!(
        (verdict.outcome, verdict.outcome.exit_code()),
        (Judgement::Unknown, 3)
    );
    assert_eq!(verdict.stages[0].exchanges.ok, 1000);
    assert_reason(&verdict, "killed, or is still running");
}

#[test]
fn interrupted_or_failed_it_is_unknown_even_if_something_fails() {
    for (observation, reason) in [
        (
            Observation::Interrupted {
                signal: "SIGINT".into(),
            },
            "SIGINT",
        ),
        (
            Observation::RunError {
                error: "the disk is gone".into(),
            },
            "the disk is gone",
        ),
    ] {
        let mut recorded = whole(100);
        recorded.spans.truncate(30);
        recorded.observations.insert(1, observation);
        let verdict = recorded.judge();
        assert_eq!(verdict.outcome, Judgement::Unknown);
        assert!(
            verdict.reasons[0].contains(reason),
            "{:#?}",
            verdict.reasons
        );
    }
}

#[test]
fn a_target_that_never_answered_is_unknown() {
    let mut recorded = whole(10);
    recorded.spans.clear();
    recorded
        .exchanges
        .iter_mut()
        .for_each(|e| (e.outcome, e.status, e.sent_ns) = (Outcome::ConnectError, 0, 0));
    let verdict = recorded.judge();
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert_reason(&verdict, "never answered");
    assert_eq!(verdict.stages[0].traces.coverage, None);
    assert_eq!(verdict.stages[0].latency_ms.n, 0);
}

#[test]
fn a_starved_generator_makes_latency_unknown_and_excuses_no_missing_trace() {
    for observation in [worker(500 * MS, 0.2), worker(0, 0.99)] {
        let mut recorded = whole(1000);
        recorded.observations[1] = observation.clone();
        let verdict = recorded.judge();
        assert_eq!(verdict.outcome, Judgement::Unknown, "{observation:?}");
        assert_eq!(check(&verdict, "p50<1s").outcome, Judgement::Unknown);
        assert_reason(&verdict, "generator_healthy is unknown");
        recorded.spans.remove(0);
        assert_eq!(recorded.judge().outcome, Judgement::Fail);
    }
}

#[test]
fn thresholds_hold_fail_or_lack_samples() {
    let thresholds = |list: &str| {
        let mut recorded = whole(1000);
        recorded.plan = recorded.plan.replace("'p50<1s'", list);
        recorded.judge()
    };
    assert_eq!(
        thresholds("'p99<3ms', 'one: max<3ms', 'span(data_preparation).p99<=200us', 'rps>100'")
            .outcome,
        Judgement::Pass
    );
    for failing in [
        "'p50<1ms'",
        "'service_time.max<1ms'",
        "'span(POST /predict).p50<100us'",
        "'rps>100000'",
    ] {
        let verdict = thresholds(failing);
        assert_eq!(verdict.outcome, Judgement::Fail, "{failing}");
        assert_reason(&verdict, "does not hold");
    }
    let verdict = thresholds("'p99.9<1s'");
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert_reason(&verdict, "1000 samples do not support this figure");
}

#[test]
fn rows_that_are_missing_fail_the_books() {
    let mut recorded = whole(100);
    recorded.exchanges.pop();
    let verdict = recorded.judge();
    assert_eq!(check(&verdict, "books_balance").outcome, Judgement::Fail);
    assert_eq!(verdict.outcome, Judgement::Fail);
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let mut recorded = whole(3000);
    recorded
        .spans
        .retain(|span| span.seq % 50 != 3 || span.name != 1);
    let rows = to_json(&recorded.judge()).unwrap();
    let folder = recorded.write();
    folder.seal().unwrap();
    assert!(folder.exchanges_parquet().is_file() && !folder.exchange_rows().exists());
    assert_eq!(
        to_json(&judge(&folder)).unwrap(),
        rows,
        "Parquet differs from rows"
    );
    recorded.exchanges.reverse();
    recorded.spans.rotate_left(1234);
    assert_eq!(
        to_json(&recorded.judge()).unwrap(),
        rows,
        "the order of rows matters"
    );
}

#[test]
fn what_a_hostile_target_says_stays_text() {
    let mut recorded = whole(10);
    recorded.names[2] = "<script>alert(1)</script>|x".into();
    recorded.spans.iter_mut().for_each(|span| span.status = 2);
    let folder = recorded.write();
    judge(&folder);
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"));
    assert!(
        !std::fs::read_to_string(folder.path().join("report.md"))
            .unwrap()
            .contains("<script>|x")
    );
}

#[test]
fn foreign_spans_are_in_the_books() {
    let mut recorded = whole(10);
    let books = Receiver {
        foreign_spans: 4,
        foreign_examples: vec!["ab".into()],
        ..Receiver::default()
    };
    recorded.observations[3] = Observation::Receiver(books);
    let verdict = recorded.judge();
    assert_eq!(
        (
            verdict.receiver.foreign_spans,
            verdict.stages[0].traces.foreign
        ),
        (4, 4)
    );
}

#[test]
fn the_table_and_the_report_in_text() {
    let mut recorded = whole(1500);
    recorded
        .spans
        .retain(|span| span.name != 2 || span.seq != 7);
    let folder = recorded.write();
    let verdict = judge(&folder);
    insta::assert_snapshot!("table", to_text(&verdict));
    insta::assert_snapshot!(
        "report.md",
        std::fs::read_to_string(folder.path().join("report.md")).unwrap()
    );
}

fn with_traces(n: u64, seqs: impl IntoIterator<Item = u64>) -> Recorded {
    let mut recorded = whole(n);
    recorded.spans = seqs.into_iter().flat_map(trace).collect();
    recorded
}
