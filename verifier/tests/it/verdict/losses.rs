//! Where missing spans were lost, by the books of the target's processes.

use super::builder::{INFERENCE, ORIGIN, Run};
use super::{assert_evidence, check, named};
use verifier::record::cluster::Pod;
use verifier::record::{Observation, ServiceBooks};
use verifier::verdict::{Judgement, Place, Verdict};

/// Books of a process that said so much at last.
fn books(source: &str, started: u64, acknowledged: u64, lost: &[(&str, u64)]) -> ServiceBooks {
    ServiceBooks {
        source: source.to_owned(),
        started,
        acknowledged,
        lost: lost
            .iter()
            .map(|(why, n)| ((*why).to_owned(), *n))
            .collect(),
        last: true,
        ..ServiceBooks::default()
    }
}

fn places(verdict: &Verdict) -> Vec<(Place, &str, u64)> {
    let places = verdict.losses.places.iter();
    places
        .map(|loss| (loss.place, loss.reason.as_str(), loss.spans))
        .collect()
}

/// A thousand traces, of which ten lack a span.
fn ten_missing(books: impl IntoIterator<Item = ServiceBooks>) -> Verdict {
    let mut run = Run::of(1000);
    run.lose(INFERENCE, |seq| seq % 100 == 3);
    let receiver = run
        .journal
        .iter_mut()
        .find_map(|e| match &mut e.observation {
            Observation::Receiver(receiver) => Some(receiver),
            _ => None,
        });
    receiver.unwrap().spans = 2990;
    for books in books {
        run.note(0, Observation::ServiceBooks(books));
    }
    let verdict = run.judge();
    assert_eq!(verdict.losses.missing_spans, 10);
    let placed: u64 = verdict.losses.places.iter().map(|loss| loss.spans).sum();
    assert_eq!(placed, 10);
    verdict
}

#[test]
fn nothing_missing_and_books_that_agree() {
    let mut run = Run::of(1000);
    run.note(
        0,
        Observation::ServiceBooks(books("pod-0", 3000, 3000, &[])),
    );
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    assert_eq!(check(&verdict, "spans_accounted").value, Some(0.0));
    assert!(verdict.losses.places.is_empty());
}

#[test]
fn what_the_service_lost_is_named_to_the_span() {
    let lost = [("buffer_full", 7), ("http_400", 3)];
    let verdict = ten_missing([books("pod-0", 3000, 2990, &lost)]);
    let expected = [
        (Place::Service, "buffer_full", 7),
        (Place::Service, "http_400", 3),
    ];
    assert_eq!(places(&verdict), expected);
    assert_eq!(named(&verdict, Judgement::Fail), ["coverage==1"]);
    let whereabouts = "10 spans are missing: 7 lost in the service (buffer_full), 3 lost in the service (http_400)";
    assert_eq!(verdict.reasons.last().unwrap(), whereabouts);
}

#[test]
fn what_was_acknowledged_and_never_came_was_lost_on_the_way() {
    let verdict = ten_missing([
        books("pod-0", 1000, 1000, &[]),
        books("pod-1", 2000, 1999, &[("partial_success", 1)]),
    ]);
    assert_eq!(places(&verdict)[0], (Place::Service, "partial_success", 1));
    assert_eq!(
        (places(&verdict)[1].0, places(&verdict)[1].2),
        (Place::OnTheWay, 9)
    );
}

#[test]
fn a_killed_process_takes_the_rest_with_it() {
    let mut killed = books("pod-0", 900, 800, &[]);
    (killed.queued, killed.last) = (100, false);
    // A container that came back under its name, and found two thirds of what was queued.
    let mut next = books("pod-0", 10, 2190, &[]);
    next.recovered = 2180;
    let verdict = ten_missing([killed, next]);
    let only = places(&verdict);
    assert_eq!(
        (only.len(), only[0].0, only[0].2),
        (1, Place::EndedProcess, 10)
    );
    assert!(only[0].1.ends_with("pod-0"));
    assert_eq!(check(&verdict, "spans_accounted").outcome, Judgement::Pass);
}

#[test]
fn spans_that_stand_in_no_books_were_never_made() {
    let verdict = ten_missing([books("pod-0", 2990, 2990, &[])]);
    assert_eq!(places(&verdict)[0].0, Place::NeverMade);
    assert_eq!(
        named(&verdict, Judgement::Fail),
        ["coverage==1", "spans_accounted"]
    );
    assert_eq!(check(&verdict, "spans_accounted").value, Some(10.0));
}

#[test]
fn without_books_nobody_knows() {
    let verdict = ten_missing([]);
    let expected = [(Place::Unknown, "the target shows no span books", 10)];
    assert_eq!(places(&verdict), expected);
}

#[test]
fn books_that_do_not_balance_fail() {
    let verdict = ten_missing([books("pod-0", 3000, 2989, &[("shutdown", 10)])]);
    let accounted = check(&verdict, "spans_accounted");
    assert_eq!(accounted.outcome, Judgement::Fail);
    assert_evidence(accounted, "the span books of pod-0 do not balance");
}

#[test]
fn what_is_still_in_the_service_is_no_loss_of_the_ways() {
    let mut late = books("pod-0", 3000, 2990, &[]);
    (late.queued, late.left_on_disk) = (6, 4);
    let verdict = ten_missing([late]);
    let expected = [
        (Place::Service, "not delivered when the run ended", 6),
        (Place::Service, "left in its spill directory", 4),
    ];
    assert_eq!(places(&verdict), expected);
}

fn of_pod(pod: &str, books: ServiceBooks) -> ServiceBooks {
    ServiceBooks {
        pod: pod.to_owned(),
        ..books
    }
}

fn pod(name: &str) -> Observation {
    Observation::Pod(Box::new(Pod {
        uid: name.to_owned(),
        name: name.to_owned(),
        ready: true,
        ..Pod::default()
    }))
}

/// A thousand traces of `pod-0`, of which ten lack a span, in a cluster with two pods.
fn ten_missing_of_two_pods(books: Vec<ServiceBooks>) -> Verdict {
    let mut run = Run::of(1000);
    run.lose(INFERENCE, |seq| seq % 100 == 3);
    run.note(0, pod("pod-0"));
    run.note(0, pod("pod-1"));
    for books in books {
        run.note(0, Observation::ServiceBooks(books));
    }
    run.judge()
}

/// Behind a Service's address it takes luck to meet each pod.
#[test]
fn a_pod_whose_books_were_not_read_may_have_made_what_is_missing() {
    let mut first = of_pod("pod-0", books("i-0", 1500, 1500, &[]));
    let verdict = ten_missing_of_two_pods(vec![first.clone()]);
    let only = &places(&verdict)[0];
    assert_eq!((only.0, only.2), (Place::Unknown, 10));
    assert!(only.1.contains("those of pod-1"), "{}", only.1);
    let accounted = check(&verdict, "spans_accounted");
    assert_eq!(accounted.outcome, Judgement::Unknown);

    // Not met again at the end: it has not ended, and took nothing with it.
    first.last = false;
    let other = of_pod("pod-1", books("i-1", 1400, 1400, &[]));
    let verdict = ten_missing_of_two_pods(vec![first.clone(), other.clone()]);
    assert_eq!(places(&verdict)[0].0, Place::Unknown);

    // Both to the end: then nobody made them. The first's log does not say whose it is.
    let log = of_pod("pod-0", books("pod-0", 1550, 1550, &[]));
    let verdict = ten_missing_of_two_pods(vec![first, other, log]);
    let sources: Vec<_> = { verdict.services.iter() }
        .map(|s| (s.source.as_str(), s.started))
        .collect();
    assert_eq!(sources, [("i-0", 1550), ("i-1", 1400)]);
    assert_eq!(places(&verdict)[0].0, Place::NeverMade);
    assert_eq!(check(&verdict, "spans_accounted").outcome, Judgement::Fail);
}

/// What it had made before the run was not of the run; who says so first in the middle of it is no new process.
#[test]
fn an_old_process_that_is_met_late_is_not_taken_for_a_new_one() {
    let old = ServiceBooks {
        since_unix_ns: Some(ORIGIN - 3_600_000_000_000),
        ..books("pod-0", 9_000_000, 9_000_000, &[("shutdown", 0)])
    };
    let verdict = ten_missing([old]);
    let only = &places(&verdict)[0];
    assert_eq!((only.0, only.2), (Place::Unknown, 10));
    assert!(only.1.contains("not from the start"), "{}", only.1);
}

/// Its log's last line may be in the journal before the answer that was under way.
#[test]
fn last_words_stay_the_last() {
    let said = books("pod-0", 2990, 2990, &[]);
    let earlier = ServiceBooks {
        last: false,
        ..said.clone()
    };
    let verdict = ten_missing([said, earlier]);
    assert_eq!(places(&verdict)[0].0, Place::NeverMade);
}
