//! Where missing spans were lost, by the books of the target's processes.

use super::builder::{INFERENCE, Run};
use super::{assert_evidence, check, named};
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
