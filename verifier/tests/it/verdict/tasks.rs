//! Several tasks in one run: figures by task, and each held to the spans that it makes.

use super::builder::{MS, ROOT, Run};
use super::{check, stage};
use verifier::plan::{ExpectedSpan, On, SpanKind, Task};
use verifier::record::{Outcome, Table};
use verifier::verdict::compare::{Side, compare};
use verifier::verdict::{Judgement, to_text};

fn task(name: &str, spans: Option<Vec<ExpectedSpan>>) -> Task {
    Task {
        name: name.into(),
        weight: 1,
        method: "GET".into(),
        path: "/".into(),
        headers: Default::default(),
        bodies: vec![String::new()],
        spans,
    }
}

/// Every third request looks at the service's health, which makes one span of another name; every tenth
/// of those is of a task without traces.
fn mixed() -> Run {
    let mut run = Run::of(3000);
    let root = ExpectedSpan {
        name: "GET /healthz".into(),
        kind: SpanKind::Server,
        parent: None,
        on: On::Answered,
    };
    run.plan.tasks = vec![
        task("predict", None),
        task("health", Some(vec![root])),
        task("untraced", Some(Vec::new())),
    ];
    let health = run.number(Table::SpanName, "GET /healthz");
    for exchange in run.exchanges.iter_mut().filter(|e| e.seq % 3 == 0) {
        exchange.task = if exchange.seq % 30 == 0 { 2 } else { 1 };
        exchange.done_ns += 10 * MS;
    }
    run.spans
        .retain(|span| span.seq % 3 != 0 || (span.name == 0 && span.seq % 30 != 0));
    for span in run.spans.iter_mut().filter(|span| span.seq % 3 == 0) {
        span.name = health;
    }
    run
}

#[test]
fn each_task_is_held_to_its_own_spans() {
    let verdict = mixed().judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "{:#?}", verdict.reasons);
    let stage = stage(&verdict);
    assert_eq!((stage.traces.expected, stage.traces.complete), (2900, 2900));
    assert_eq!(stage.spans_ms["GET /healthz"].n, 900);
    assert_eq!(stage.spans_ms[ROOT].n, 2000);
    assert!(stage.tail.is_some());
}

#[test]
fn figures_are_given_by_task() {
    let mut run = mixed();
    run.exchanges[3].outcome = Outcome::HttpError;
    run.exchanges[3].status = 500;
    run.spans.retain(|span| span.seq != 6);
    let verdict = run.judge();
    let tasks = &stage(&verdict).tasks;
    let names: Vec<_> = tasks.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["predict", "health", "untraced"]);
    let planned: Vec<_> = tasks.iter().map(|t| t.exchanges.planned).collect();
    assert_eq!(planned, [2000, 900, 100]);
    assert_eq!(tasks[1].exchanges.http_error, 1);
    assert_eq!(
        (tasks[1].traces_expected, tasks[1].traces_complete),
        (900, 899)
    );
    assert_eq!((tasks[2].traces_expected, tasks[2].traces_complete), (0, 0));
    assert!(tasks[0].latency_ms.p50.unwrap() < 3.0 && tasks[1].latency_ms.p50.unwrap() > 10.0);
    assert_eq!(check(&verdict, "coverage==1").outcome, Judgement::Fail);
    let text = to_text(&verdict);
    assert!(text.contains("\n  health "), "{text}");
}

#[test]
fn a_span_of_another_task_does_not_stand_in() {
    let mut run = mixed();
    // A prediction whose root carries the name of the other task's.
    let health = run.number(Table::SpanName, "GET /healthz");
    run.span(1, ROOT).name = health;
    let verdict = run.judge();
    let traces = &stage(&verdict).traces;
    assert_eq!(traces.missing_spans[ROOT], 1);
}

#[test]
fn one_task_needs_no_table_of_tasks() {
    assert!(stage(&Run::of(20).judge()).tasks.is_empty());
}

#[test]
fn runs_of_several_tasks_can_be_compared() {
    let (a, b) = (mixed().write(), mixed().write());
    let side = |written: &super::builder::OnDisk| Side::read(&written.folder).unwrap();
    let comparison = compare(&side(&a), &side(&b), 0.05);
    let names: Vec<&str> = comparison.stages[0]
        .figures
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    for name in ["GET /healthz p50", "POST /predict p50"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn files_for_locust_name_each_task() {
    let written = mixed().write();
    written.judge();
    let stats = written.text("legacy/locust_stats.csv");
    let rows: Vec<Vec<&str>> = stats.lines().map(|row| row.split(',').collect()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(
        names,
        ["Name", "health", "predict", "untraced", "Aggregated"]
    );
    assert_eq!(rows[1][..3], ["GET", "health", "900"]);
}
