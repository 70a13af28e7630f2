//! Figures: what enters them, and that they add up.

use super::recorded::{MS, ORIGIN, exchange, trace, trace_id, whole};
use super::with_traces;
use verifier::record::{Outcome, Span};
use verifier::verdict::Judgement;

#[test]
fn failures_that_were_sent_are_inside_the_percentiles() {
    let mut recorded = with_traces(1000, 4..1000);
    for (seq, outcome) in [
        (0, Outcome::Timeout),
        (1, Outcome::Reset),
        (2, Outcome::ConnectError),
        (3, Outcome::Unsent),
    ] {
        let row = &mut recorded.exchanges[seq];
        (row.outcome, row.status) = (outcome, 0);
        row.done_ns = row.intended_ns + 5000 * MS;
        if !outcome.sent() {
            row.sent_ns = 0;
        }
    }
    let verdict = recorded.judge();
    let stage = &verdict.stages[0];
    assert_eq!(stage.latency_ms.n, 998, "sent");
    assert_eq!(stage.latency_ms.max, Some(5000.0));
    assert_eq!(stage.service_time_ms.max, Some(4999.99));
    let e = &stage.exchanges;
    assert_eq!(
        (
            e.planned,
            e.sent,
            e.ok,
            e.timeout,
            e.reset,
            e.connect_error,
            e.unsent
        ),
        (1000, 998, 996, 1, 1, 1, 1)
    );
    assert_eq!(stage.traces.expected, 996);
    assert_eq!(stage.error_spans.matrix["timeout"]["no_root_span"].count, 1);
    assert!(!stage.error_spans.matrix.contains_key("unsent"));
    assert_eq!(verdict.outcome, Judgement::Fail, "error_rate==0");
}

#[test]
fn an_answer_that_came_too_late_for_the_client_is_told() {
    let mut recorded = whole(100);
    (recorded.exchanges[8].outcome, recorded.exchanges[8].status) = (Outcome::Timeout, 0);
    let verdict = recorded.judge();
    assert_eq!(verdict.stages[0].traces.unanswered_with_trace, 1);
    assert_eq!(
        verdict.stages[0].error_spans.matrix["timeout"]["no_error"].count,
        1
    );
}

#[test]
fn errors_are_in_the_matrix_and_among_the_error_spans() {
    let mut recorded = whole(1000);
    for seq in (0..1000_usize).step_by(100) {
        (
            recorded.exchanges[seq].outcome,
            recorded.exchanges[seq].status,
        ) = (Outcome::HttpError, 500);
    }
    recorded
        .spans
        .retain(|span| span.seq % 100 != 0 || span.name == 0);
    recorded
        .spans
        .iter_mut()
        .filter(|s| s.seq % 100 == 0 && s.seq != 0)
        .for_each(|s| (s.status, s.detail) = (2, 1));
    let verdict = recorded.judge();
    let errors = &verdict.stages[0].error_spans;
    assert_eq!(errors.matrix["2xx"]["no_error"].count, 990);
    assert_eq!(
        (
            errors.matrix["5xx"]["error"].count,
            errors.matrix["5xx"]["no_error"].count
        ),
        (9, 1)
    );
    assert_eq!(errors.matrix["5xx"]["no_error"].examples, [trace_id(0)]);
    let span = &errors.spans[0];
    assert_eq!(
        (span.name.as_str(), span.detail.as_str(), span.count),
        ("POST /predict", "boom", 9)
    );
    assert_eq!(span.examples[0], trace_id(100));
    assert_eq!(
        verdict.stages[0].traces.coverage,
        Some(1.0),
        "children are due of ok exchanges alone"
    );
}

#[test]
fn the_parts_of_the_tail_add_up_to_the_latency() {
    let mut recorded = whole(2000);
    for row in recorded.exchanges.iter_mut().filter(|row| row.seq % 3 == 0) {
        row.connected_ns = row.intended_ns + 4_000;
    }
    let verdict = recorded.judge();
    let tail = verdict.stages[0].tail.as_ref().unwrap();
    assert_eq!((tail.p50_band_n, tail.p99_band_n), (200, 20));
    let sum = |of: fn(&verifier::verdict::TailPart) -> f64| tail.parts.iter().map(of).sum::<f64>();
    assert!((sum(|p| p.p50_band_ms) - tail.p50_band_ms).abs() < 1e-9);
    assert!((sum(|p| p.p99_band_ms) - tail.p99_band_ms).abs() < 1e-9);
    let part = |name: &str| {
        tail.parts
            .iter()
            .find(|p| p.name == name)
            .unwrap()
            .p99_band_ms
    };
    assert!(
        (part("data_preparation") - 0.2).abs() < 1e-9
            && (part("other_server_time") - 0.3).abs() < 1e-9
    );
    assert!(part("generator_lag") + part("connect") - 0.01 < 1e-9);
    // The slowest hundredth of latencies between 1 and 2 ms.
    let mut slowest: Vec<u64> = (0..2000).map(|seq| exchange(seq).latency_ns()).collect();
    slowest.sort_unstable();
    let mean = slowest[1980..].iter().sum::<u64>() as f64 / 20.0 / 1e6;
    assert!(
        (tail.p99_band_ms - mean).abs() < 1e-9,
        "{} is not {mean}",
        tail.p99_band_ms
    );
    assert!(
        whole(999).judge().stages[0].tail.is_none(),
        "too few for a slowest hundredth"
    );
}

#[test]
fn a_sender_s_clock_is_bounded_by_its_spans() {
    let mut recorded = whole(500);
    let ahead = |span: &mut Span, ns: u64| {
        (span.start_unix_ns, span.end_unix_ns) = (span.start_unix_ns + ns, span.end_unix_ns + ns)
    };
    recorded
        .spans
        .iter_mut()
        .for_each(|span| ahead(span, 5000 * MS));
    let verdict = recorded.judge();
    let clock = &verdict.clocks[0];
    assert_eq!(clock.source, "replica-0");
    assert!(
        clock.least_ms < 5000.0
            && 5000.0 < clock.greatest_ms
            && clock.greatest_ms - clock.least_ms < 1.0,
        "{clock:?}"
    );
    assert!(!clock.contradictory);
    assert_eq!(
        verdict.outcome,
        Judgement::Pass,
        "durations need no common clock"
    );
    assert_eq!(verdict.stages[0].spans_ms["POST /predict"].p50, Some(0.6));

    recorded
        .spans
        .iter_mut()
        .filter(|s| s.seq > 250)
        .for_each(|span| ahead(span, 1000 * MS));
    assert!(recorded.judge().clocks[0].contradictory);
}

#[test]
fn throughput_counts_answers_within_the_stage() {
    let recorded = whole(1500);
    let stage = &recorded.judge().stages[0];
    let last = exchange(1499).done_ns.max(exchange(1498).done_ns) as f64 / 1e9;
    assert!(
        (stage.duration_seconds - last).abs() < 0.002,
        "cut short at the last row"
    );
    let rps = stage.requests_per_second.unwrap();
    assert!((rps - 1500.0 / stage.duration_seconds).abs() < 2.0, "{rps}");
    let longer = whole(2500);
    let stage = &longer.judge().stages[0];
    assert_eq!(stage.duration_seconds, 2.0);
    assert!(
        (stage.requests_per_second.unwrap() - 1000.0).abs() < 2.0,
        "answers after the stage's end do not count"
    );
    assert!(trace(0)[0].start_unix_ns > ORIGIN);
}
