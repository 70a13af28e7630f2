//! Senders whose clocks are off.

use super::builder::{MS, Run};
use super::stage;
use verifier::record::Table;
use verifier::verdict::Judgement;

#[test]
fn a_sender_five_seconds_ahead_is_bounded_and_measures_the_same() {
    let mut run = Run::of(1000);
    let straight = run.judge();
    let [clock] = &straight.clocks[..] else {
        panic!("{:?}", straight.clocks)
    };
    assert_eq!(clock.source, "pod-0");
    assert!(clock.least_ms <= 0.0 && clock.greatest_ms >= 0.0 && !clock.contradictory);
    assert!(clock.greatest_ms - clock.least_ms < 1.0, "{clock:?}");

    let skewed = run.number(Table::Source, "pod-1");
    for span in run.spans.iter_mut().filter(|span| span.seq % 2 == 1) {
        span.source = skewed;
        span.start_unix_ns += 5000 * MS;
        span.end_unix_ns += 5000 * MS;
    }
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass);
    let [straight_clock, clock] = &verdict.clocks[..] else {
        panic!("{:?}", verdict.clocks)
    };
    assert_eq!(straight_clock.source, "pod-0");
    assert!(straight_clock.least_ms <= 0.0 && straight_clock.greatest_ms >= 0.0);
    assert_eq!(clock.source, "pod-1");
    assert!(clock.least_ms <= 5000.0 && clock.greatest_ms >= 5000.0 && !clock.contradictory);
    assert!(clock.greatest_ms - clock.least_ms < 1.0, "{clock:?}");
    assert_eq!(stage(&verdict).spans_ms, stage(&straight).spans_ms);
    assert_eq!(stage(&verdict).tail, stage(&straight).tail);
}

#[test]
fn a_clock_that_jumps_contradicts_itself() {
    let mut run = Run::of(1000);
    for span in run.spans.iter_mut().filter(|span| span.seq >= 500) {
        span.start_unix_ns -= 5000 * MS;
        span.end_unix_ns -= 5000 * MS;
    }
    let written = run.write();
    let verdict = written.judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "durations are still good");
    assert!(
        verdict.clocks[0].contradictory
            && verdict.clocks[0].least_ms > verdict.clocks[0].greatest_ms
    );
    assert!(
        written
            .text("report.html")
            .contains("no constant offset explains all of its spans")
    );
}

/// A clock that steps back inside a span gives it no negative duration.
#[test]
fn a_span_that_ends_before_it_starts_has_no_duration() {
    let mut run = Run::of(1000);
    for span in run.spans.iter_mut().filter(|span| span.name == 2) {
        span.end_unix_ns = span.start_unix_ns - 1;
    }
    let verdict = run.judge();
    assert_eq!(stage(&verdict).spans_ms["model_inference"].max, Some(0.0));
}

/// Times at the ends of 64 bits are figures like others: nothing overflows, nothing is drawn outside.
#[test]
fn absurd_times_are_survived() {
    let mut run = Run::of(1200);
    let absurd = [
        (0, u64::MAX),
        (0, 1 << 63),
        (u64::MAX, 0),
        (1 << 63, u64::MAX),
    ];
    for span in &mut run.spans {
        let which = (span.seq + u64::from(span.name)) % 4;
        (span.start_unix_ns, span.end_unix_ns) = absurd[usize::try_from(which).unwrap()];
    }
    let written = run.write();
    let verdict = written.judge();
    assert!(verdict.clocks[0].contradictory);
    let tail = stage(&verdict).tail.as_ref().unwrap();
    let sum: f64 = tail.parts.iter().map(|p| p.p99_band_ms).sum();
    assert!((sum - tail.p99_band_ms).abs() < 10.0, "{tail:?}");
    assert!(!written.text("report.html").contains("NaN"));
}
