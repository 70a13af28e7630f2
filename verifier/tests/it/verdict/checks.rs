//! The plan's thresholds, and the books.

use super::builder::{MS, ROOT, Run};
use super::{assert_evidence, check, named};
use verifier::record::Observation;
use verifier::verdict::Judgement;

#[test]
fn a_stages_threshold_speaks_of_that_stage_only() {
    let mut run = Run::of_stages(&[("warm", 700), ("stress", 700)]);
    for exchange in run.exchanges.iter_mut().filter(|e| e.stage == 0) {
        exchange.done_ns += 100 * MS;
    }
    run.thresholds(&["stress: p99<50ms", "error_rate==0"]);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    let of: Vec<_> = verdict
        .checks
        .iter()
        .filter(|c| c.name == "stress: p99<50ms")
        .collect();
    assert_eq!(of.len(), 1);
    assert_eq!(of[0].stage.as_deref(), Some("stress"));
    assert_eq!(
        (of[0].value, of[0].limit.as_deref()),
        (Some(1.97), Some("< 50ms"))
    );

    run.thresholds(&["warm: p99<50ms"]);
    let reasons = run.judge().reasons;
    assert_eq!(
        reasons[0],
        "warm: p99<50ms does not hold (101.970 ms): 700 samples"
    );
    run.thresholds(&["p99<50ms"]);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    let of = |stage: &str| {
        let of_stage = |c: &&verifier::verdict::Check| {
            c.name == "p99<50ms" && c.stage.as_deref() == Some(stage)
        };
        verdict.checks.iter().find(of_stage).unwrap().outcome
    };
    assert_eq!(
        (of("warm"), of("stress")),
        (Judgement::Fail, Judgement::Pass)
    );
    assert_eq!(
        verdict.reasons,
        ["warm: p99<50ms does not hold (101.970 ms): 700 samples"]
    );
}

#[test]
fn thresholds_on_spans() {
    let mut run = Run::of(1000);
    let holding = [
        "span(model_inference).p99<=500us",
        "span(POST /predict).max<2ms",
        "span(data_preparation).p50==100us",
    ];
    let failing = [
        "span(model_inference).p50<499us",
        "span(POST /predict).p90>2ms",
    ];
    run.thresholds(&[&holding[..], &failing[..]].concat());
    let verdict = run.judge();
    assert_eq!(named(&verdict, Judgement::Fail), failing);
    for name in holding {
        assert_eq!(check(&verdict, name).outcome, Judgement::Pass, "{name}");
    }
    assert_eq!(check(&verdict, failing[0]).value, Some(0.5));
}

#[test]
fn every_other_metric() {
    let mut run = Run::of(1000);
    let holding = [
        "p50>=1ms",
        "p90<2ms",
        "p95<2ms",
        "p99<2ms",
        "max<2ms",
        "mean<1.5ms",
        "service_time.p99<1.97ms",
        "coverage>=99.9%",
        "error_rate<1%",
        "requests_per_second>900",
    ];
    run.thresholds(&holding);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "{:#?}", verdict.reasons);
    assert_eq!(verdict.checks.len(), 5 + holding.len());
}

/// Coverage is judged whether the plan names it or not; a plan without expected spans judges no traces.
#[test]
fn coverage_is_always_judged() {
    let mut run = Run::of(100);
    run.thresholds(&["error_rate==0"]);
    run.lose(ROOT, |seq| seq == 1);
    assert_eq!(named(&run.judge(), Judgement::Fail), ["coverage==1"]);
    run.thresholds(&["coverage>=99%"]);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    run.plan.traces.spans.clear();
    run.thresholds(&["error_rate==0"]);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "{:#?}", verdict.reasons);
    assert_eq!(verdict.stages[0].traces.expected, 0);
    assert!(verdict.stages[0].spans_ms.is_empty());
}

/// A stage's own bound on coverage leaves the other stages' coverage judged.
#[test]
fn coverage_of_one_stage_does_not_excuse_another() {
    let mut run = Run::of_stages(&[("warm", 100), ("stress", 100)]);
    run.thresholds(&["stress: coverage>=99%"]);
    run.lose(ROOT, |seq| seq == 1 || seq == 150);
    let verdict = run.judge();
    assert_eq!(named(&verdict, Judgement::Fail), ["coverage==1"]);
    assert_eq!(
        check(&verdict, "coverage==1").stage.as_deref(),
        Some("warm")
    );
}

#[test]
fn a_lost_row_unbalances_the_books() {
    let mut run = Run::of(1000);
    run.exchanges.remove(500);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    assert_eq!(named(&verdict, Judgement::Fail), ["books_balance"]);
    assert_evidence(
        check(&verdict, "books_balance"),
        "1000 requests planned, 999 exchanges recorded",
    );
}

#[test]
fn a_replica_that_died_is_told() {
    let mut run = Run::of(100);
    run.note_before_end(Observation::TargetExited {
        pid: 42,
        status: "signal: 9".into(),
        expected: false,
    });
    let verdict = run.judge();
    assert_eq!(named(&verdict, Judgement::Fail), ["replicas_alive"]);
    assert_evidence(
        check(&verdict, "replicas_alive"),
        "replica 42 of the service ended unasked (signal: 9)",
    );
}

#[test]
fn what_was_never_sent_fails_unless_the_plan_allows_for_it() {
    let mut run = Run::of(1000);
    let row = &mut run.exchanges[500];
    (row.outcome, row.status, row.sent_ns) = (verifier::record::Outcome::Unsent, 0, 0);
    run.spans.retain(|span| span.seq != 500);
    run.thresholds(&["p50<1s"]);
    let verdict = run.judge();
    assert_eq!(named(&verdict, Judgement::Fail), ["nothing_unsent"]);
    assert_evidence(
        check(&verdict, "nothing_unsent"),
        "1 of 1000 planned requests were never sent",
    );
    run.thresholds(&["error_rate<1%"]);
    assert_eq!(run.judge().outcome, Judgement::Pass);
}
