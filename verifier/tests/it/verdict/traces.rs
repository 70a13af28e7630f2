//! What arrived of the traces that were due.

use super::builder::{INFERENCE, MS, PREPARATION, ROOT, Run};
use super::{assert_evidence, check, named, stage};
use verifier::record::run_key::hex;
use verifier::record::{Observation, Table};
use verifier::verdict::{Judgement, SpanDistribution};

#[test]
fn all_complete_passes() {
    let verdict = Run::of(1000).judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "{:#?}", verdict.checks);
    assert_eq!(
        verdict.reasons,
        ["all 7 checks hold: 1000 requests answered, 1000 of 1000 traces complete"]
    );
    assert_evidence(
        check(&verdict, "coverage==1"),
        "each of 1000 traces is complete",
    );
    let traces = &stage(&verdict).traces;
    assert_eq!((traces.expected, traces.complete), (1000, 1000));
    assert!(traces.examples.is_empty() && traces.missing_spans.is_empty());
}

#[test]
fn a_missing_span_fails_by_name_count_and_example() {
    let mut run = Run::of(1000);
    run.lose(INFERENCE, |seq| seq % 100 == 3);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    assert_eq!(named(&verdict, Judgement::Fail), ["coverage==1"]);
    let coverage = check(&verdict, "coverage==1");
    assert_eq!(coverage.value, Some(0.99));
    assert_evidence(coverage, "990 are complete, 10 incomplete, 0 missing");
    assert_evidence(coverage, "span model_inference is missing in 10 traces");
    let first = hex(&run.key.trace_id(3));
    assert_evidence(
        coverage,
        &format!("trace {first}: model_inference is missing"),
    );
    assert_eq!(stage(&verdict).traces.examples.len(), 5);
    assert_eq!(stage(&verdict).spans_ms[INFERENCE].n, 990);
}

#[test]
fn a_renamed_span_is_missing_under_its_name() {
    let mut run = Run::of(100);
    let renamed = run.number(Table::SpanName, "inference");
    run.spans
        .iter_mut()
        .filter(|span| span.name == 2)
        .for_each(|span| span.name = renamed);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    assert_evidence(
        check(&verdict, "coverage==1"),
        "span model_inference is missing in 100 traces",
    );
    assert_eq!(
        stage(&verdict).spans_ms[INFERENCE],
        SpanDistribution::default()
    );
    assert!(!stage(&verdict).spans_ms.contains_key("inference"));
}

#[test]
fn nothing_arrived_is_a_failure_without_figures() {
    let mut run = Run::of(1000);
    run.spans.clear();
    let written = run.write();
    let verdict = written.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    let coverage = check(&verdict, "coverage==1");
    assert_eq!(coverage.value, Some(0.0));
    assert_eq!(coverage.evidence[0], "no trace of 1000 exchanges arrived");
    let json: serde_json::Value = serde_json::from_str(&written.text("verdict.json")).unwrap();
    let spans = json["stages"][0]["spans_ms"].as_object().unwrap();
    assert_eq!(spans.len(), 3);
    for figures in spans.values() {
        assert_eq!(figures["n"], 0);
        for figure in ["p50", "p90", "p99", "max"] {
            assert!(figures[figure].is_null(), "{figures}");
        }
    }
    assert!(stage(&verdict).tail.is_none());
    assert!(verdict.clocks.is_empty());
}

#[test]
fn duplicates_count_once() {
    let mut run = Run::of(1000);
    let whole = stage(&run.judge()).spans_ms.clone();
    // An export sent again, and another span of the same name, longer than all others.
    let again = *run.span(5, INFERENCE);
    let mut second = *run.span(7, INFERENCE);
    second.span_id = 1 << 40;
    second.end_unix_ns += 500 * MS;
    second.arrived_ns += MS;
    run.spans.extend([again, second]);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    assert_eq!(stage(&verdict).traces.duplicate, 2);
    assert_eq!(stage(&verdict).spans_ms, whole);
}

#[test]
fn late_traces_are_complete() {
    let mut run = Run::of(100);
    let done_ns = run.exchanges[9].done_ns;
    run.span(9, PREPARATION).arrived_ns = done_ns + 5000 * MS;
    assert_eq!(stage(&run.judge()).traces.late, 0, "on the dot is in time");
    run.span(9, PREPARATION).arrived_ns += 1;
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    assert_eq!(stage(&verdict).traces.late, 1);
    assert_eq!(stage(&verdict).traces.complete, 100);
}

#[test]
fn orphans_and_wrong_kinds_are_not_complete() {
    let mut run = Run::of(100);
    run.span(4, PREPARATION).parent_span_id = 12345;
    run.span(5, ROOT).parent_span_id = 0;
    run.span(6, INFERENCE).kind = 3;
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    let traces = &stage(&verdict).traces;
    assert_eq!((traces.orphan, traces.wrong_kind), (2, 1));
    assert_eq!((traces.complete, traces.incomplete), (97, 3));
    let coverage = check(&verdict, "coverage==1");
    assert_evidence(coverage, "2 traces have a span with another parent");
    assert_evidence(coverage, "1 traces have a span of another kind");
    assert_evidence(coverage, "data_preparation has another parent");
    assert_evidence(coverage, "POST /predict has another parent");
    assert_evidence(coverage, "model_inference has another kind");
}

/// A child whose parent is missing is not blamed for it.
#[test]
fn a_missing_root_makes_no_orphans() {
    let mut run = Run::of(100);
    run.lose(ROOT, |seq| seq == 8);
    let traces = stage(&run.judge()).traces.clone();
    assert_eq!((traces.incomplete, traces.orphan), (1, 0));
    assert_eq!(traces.missing_spans[ROOT], 1);
}

#[test]
fn foreign_spans_come_from_the_receivers_last_books() {
    let mut run = Run::of_stages(&[("a", 50), ("b", 50)]);
    for foreign in [3, 7] {
        run.note_before_end(Observation::Receiver(verifier::record::Receiver {
            spans: 300,
            foreign_spans: foreign,
            foreign_examples: vec!["0af7651916cd43dd8448eb211c80319c".into()],
            ..Default::default()
        }));
    }
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    assert_eq!(verdict.receiver.foreign_spans, 7);
    assert_eq!(verdict.receiver.foreign_examples.len(), 1);
    assert!(verdict.stages.iter().all(|s| s.traces.foreign == 7));
}

/// A target that keeps a request's context for its own work sends its spans under that trace for ever.
#[test]
fn a_trace_of_many_spans() {
    let mut run = Run::of(100);
    let other = run.number(Table::SpanName, "GET /cache");
    let mut span = *run.span(3, INFERENCE);
    (span.name, span.status) = (other, 2);
    for again in 0..30_000 {
        // Each comes twice.
        span.span_id = (1 << 32) + again / 2;
        span.arrived_ns += MS;
        run.spans.push(span);
    }
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    assert_eq!(stage(&verdict).traces.duplicate, 15_000);
    assert_eq!(
        stage(&verdict).traces.late,
        0,
        "only expected spans make a trace late"
    );
    let errors = &stage(&verdict).error_spans.spans;
    assert_eq!(
        (errors[0].name.as_str(), errors[0].count),
        ("GET /cache", 15_000)
    );
}

/// A retry on the way: its spans come first, under a root that is not the client's child.
#[test]
fn of_two_roots_the_expected_one_counts() {
    let mut run = Run::of(100);
    let mut retry = [ROOT, PREPARATION, INFERENCE].map(|name| *run.span(5, name));
    for span in &mut retry {
        span.span_id ^= 1 << 50;
        span.arrived_ns -= 1;
    }
    retry[0].parent_span_id = 77;
    for child in &mut retry[1..] {
        child.parent_span_id ^= 1 << 50;
    }
    run.spans.extend(retry);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "{:#?}", verdict.reasons);
    assert_eq!(stage(&verdict).traces.duplicate, 3);
    // Without a sound one it is still an orphan.
    run.span(5, ROOT).parent_span_id = 78;
    let traces = &stage(&run.judge()).traces.clone();
    assert_eq!((traces.orphan, traces.incomplete), (1, 1));
}
