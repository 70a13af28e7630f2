//! Who served what: shares over time, and replicas that were ready and starved.

use super::builder::{MS, Run};
use super::{assert_evidence, check, stage};
use verifier::record::{Entry, Observation, ServiceBooks, Table};
use verifier::verdict::{Judgement, Replica, Verdict};

/// Spreads the requests over the replicas as told, by sequence number.
fn served(n: u64, by: impl Fn(u64) -> &'static str) -> Run {
    let mut run = Run::of(n);
    for at in 0..run.spans.len() {
        let source = run.number(Table::Source, by(run.spans[at].seq));
        run.spans[at].source = source;
    }
    run
}

fn replica<'v>(verdict: &'v Verdict, source: &str) -> &'v Replica {
    let replicas = &stage(verdict).replicas;
    replicas.iter().find(|r| r.source == source).unwrap()
}

/// The process's own books, as its `/metrics` gave them.
fn books(run: &mut Run, source: &str, at_ms: u64) {
    let observation = Observation::ServiceBooks(ServiceBooks {
        source: source.into(),
        ..ServiceBooks::default()
    });
    let at_ns = at_ms * MS;
    run.journal.insert(1, Entry { at_ns, observation });
}

#[test]
fn shares_over_time_show_a_replica_that_came_later() {
    // The stage begins at one second and lasts one; the second replica serves from half of it on.
    let verdict = served(1000, |seq| {
        if seq < 500 || seq % 2 == 0 {
            "pod-a"
        } else {
            "pod-b"
        }
    })
    .judge();
    let (a, b) = (replica(&verdict, "pod-a"), replica(&verdict, "pod-b"));
    assert_eq!((a.requests, b.requests), (750, 250));
    assert_eq!(b.share, Some(0.25));
    assert_eq!(b.share_by_tenth[..5], [Some(0.0); 5]);
    assert_eq!(b.share_by_tenth[9], Some(0.5));
    assert_eq!(b.second_half_share, Some(0.5));
    assert!(a.ready && !b.ready && !b.starved);
    assert!(verdict.warnings.is_empty());
}

#[test]
fn a_ready_replica_that_gets_next_to_nothing_is_a_warning_and_no_failure() {
    let mut run = served(1000, |seq| if seq % 20 == 0 { "pod-b" } else { "pod-a" });
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    assert!(replica(&verdict, "pod-b").starved);
    let [warning] = verdict.warnings.as_slice() else {
        panic!("{:#?}", verdict.warnings);
    };
    assert!(
        warning.contains("pod-b was ready and served 5.0 %") && warning.contains("rotate"),
        "{warning}"
    );
    // A threshold makes a failure of it.
    run.thresholds(&["starved_replicas==0"]);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Fail);
    let check = check(&verdict, "starved_replicas==0");
    assert_eq!(check.value, Some(1.0));
    assert_evidence(check, "pod-b was starved");
}

#[test]
fn a_replica_without_any_request_is_known_by_its_books() {
    let mut run = served(1000, |_| "pod-a");
    for source in ["pod-a", "pod-b"] {
        books(&mut run, source, 900);
        books(&mut run, source, 1900);
    }
    let verdict = run.judge();
    let idle = replica(&verdict, "pod-b");
    assert!(idle.ready && idle.starved && idle.requests == 0);
    // One that ended before the second half is gone, not starved.
    let mut run = served(1000, |_| "pod-a");
    books(&mut run, "pod-a", 900);
    books(&mut run, "pod-b", 900);
    assert_eq!(stage(&run.judge()).replicas.len(), 1);
}

#[test]
fn books_under_other_names_than_the_spans_are_no_further_replicas() {
    let mut run = served(1000, |_| "pod-a");
    books(&mut run, "instance-7", 900);
    books(&mut run, "instance-7", 1900);
    assert_eq!(stage(&run.judge()).replicas.len(), 1);
}

#[test]
fn without_spans_starvation_is_unknown_and_few_requests_prove_nothing() {
    let mut run = served(30, |seq| if seq < 29 { "pod-a" } else { "pod-b" });
    run.thresholds(&["starved_replicas==0"]);
    assert_eq!(
        check(&run.judge(), "starved_replicas==0").outcome,
        Judgement::Pass
    );
    run.spans.clear();
    run.thresholds(&["starved_replicas==0", "coverage>=0"]);
    assert_eq!(
        check(&run.judge(), "starved_replicas==0").outcome,
        Judgement::Unknown
    );
}
