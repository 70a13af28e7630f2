//! Figures of exchanges: outcomes, distributions, the tail, errors.

use super::builder::{INFERENCE, MS, PREPARATION, ROOT, Run};
use super::{assert_evidence, check, named, stage};
use verifier::record::run_key::hex;
use verifier::record::{Observation, Outcome, Table};
use verifier::verdict::{Judgement, to_text};

#[test]
fn one_percent_of_500s_shows_in_matrix_and_error_spans() {
    let mut run = Run::of(1000);
    let detail = run.number(Table::Detail, "ModelError");
    for seq in (0..1000).step_by(100) {
        run.exchanges[seq as usize].outcome = Outcome::HttpError;
        run.exchanges[seq as usize].status = 500;
        for name in [ROOT, INFERENCE] {
            let span = run.span(seq, name);
            (span.status, span.detail) = (2, detail);
        }
        run.span(seq, ROOT).http_status = 500;
    }
    // A failed preparation leads to no inference: only the root is due of an error.
    run.lose(INFERENCE, |seq| seq == 900);
    let verdict = run.judge();
    assert_eq!(named(&verdict, Judgement::Fail), ["error_rate==0"]);
    let rate = check(&verdict, "error_rate==0");
    assert!((rate.value.unwrap() - 0.01).abs() < 1e-12);
    assert_evidence(rate, "990 ok of 1000 planned: 10 http_error");
    let errors = &stage(&verdict).error_spans;
    assert_eq!(errors.matrix["5xx"]["error"].count, 10);
    assert_eq!(errors.matrix["2xx"]["no_error"].count, 990);
    let examples = &errors.matrix["5xx"]["error"].examples;
    assert_eq!(examples.len(), 5);
    assert_eq!(examples[1], hex(&run.key.trace_id(100)));
    let found: Vec<_> = errors
        .spans
        .iter()
        .map(|s| (s.name.as_str(), s.detail.as_str(), s.count))
        .collect();
    assert_eq!(
        found,
        [(ROOT, "ModelError", 10), (INFERENCE, "ModelError", 9)]
    );
    assert_eq!(errors.spans[0].examples[0], hex(&run.key.trace_id(0)));
    assert_eq!(stage(&verdict).traces.complete, 1000);
}

#[test]
fn what_was_sent_counts_into_latency_and_what_was_not_does_not() {
    let mut run = Run::of(1000);
    run.unanswered(1, Outcome::Timeout, 5000 * MS);
    run.unanswered(2, Outcome::Reset, 3000 * MS);
    run.unanswered(3, Outcome::ConnectError, 9000 * MS);
    run.unanswered(4, Outcome::Unsent, 9000 * MS);
    run.spans.retain(|span| !(1..=4).contains(&span.seq));
    let verdict = run.judge();
    let stage = stage(&verdict);
    let e = stage.exchanges;
    assert_eq!((e.planned, e.sent, e.ok), (1000, 998, 996));
    assert_eq!(
        (e.timeout, e.reset, e.connect_error, e.unsent),
        (1, 1, 1, 1)
    );
    assert_eq!(
        (stage.latency_ms.n, stage.latency_ms.max),
        (998, Some(5000.0))
    );
    assert_eq!(stage.service_time_ms.max, Some(4999.99));
    assert_eq!((stage.traces.expected, stage.traces.complete), (996, 996));
    assert_eq!(stage.traces.unanswered_with_trace, 0);
    assert_eq!(stage.error_spans.matrix["timeout"]["no_root_span"].count, 1);
    assert!(!stage.error_spans.matrix.contains_key("unsent"));
    let rate = check(&verdict, "error_rate==0");
    assert!((rate.value.unwrap() - 0.004).abs() < 1e-12);
    assert_eq!(verdict.outcome, Judgement::Fail);
}

#[test]
fn a_timeout_whose_server_span_came_is_told_apart() {
    let mut run = Run::of(1000);
    run.unanswered(1, Outcome::Timeout, 5000 * MS);
    run.unanswered(2, Outcome::Timeout, 5000 * MS);
    run.spans.retain(|span| span.seq != 2);
    // The server took longer than the client waited: it says nothing about clocks.
    run.span(1, ROOT).end_unix_ns += 9000 * MS;
    let verdict = run.judge();
    let stage = stage(&verdict);
    assert_eq!(
        (stage.traces.expected, stage.traces.unanswered_with_trace),
        (998, 1)
    );
    assert_eq!(stage.error_spans.matrix["timeout"]["no_error"].count, 1);
    assert_eq!(stage.error_spans.matrix["timeout"]["no_root_span"].count, 1);
    assert!(!verdict.clocks[0].contradictory);
}

#[test]
fn too_few_samples_give_no_percentile() {
    let mut run = Run::of(600);
    run.thresholds(&[
        "p50<1s",
        "p99<1s",
        "span(model_inference).p99<1s",
        "error_rate==0",
    ]);
    let verdict = run.judge();
    let l = stage(&verdict).latency_ms;
    assert!(l.p50.is_some() && l.p90.is_some() && l.p95.is_some() && l.max.is_some());
    assert_eq!((l.p99, l.p999, l.n), (None, None, 600));
    assert_eq!(stage(&verdict).spans_ms[INFERENCE].p99, None);
    assert!(stage(&verdict).tail.is_none());
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert_eq!(
        named(&verdict, Judgement::Unknown),
        ["p99<1s", "span(model_inference).p99<1s"]
    );
    assert_evidence(
        check(&verdict, "p99<1s"),
        "600 samples do not support this figure",
    );
    assert!(check(&verdict, "p99<1s").value.is_none());
}

#[test]
fn figures_are_exact() {
    let verdict = Run::of(1000).judge();
    let stage = stage(&verdict);
    // 990 µs and 0 to 99 times 10 µs, each ten times.
    let l = stage.latency_ms;
    assert_eq!(
        (l.p50, l.p90, l.p99, l.max),
        (Some(1.48), Some(1.88), Some(1.97), Some(1.98))
    );
    assert!((l.mean.unwrap() - 1.485).abs() < 1e-9);
    assert_eq!(stage.service_time_ms.p50, Some(1.47));
    assert_eq!(stage.spans_ms[PREPARATION].p99, Some(0.1));
    assert_eq!(stage.spans_ms[ROOT].max, Some(1.79));
    assert_eq!(stage.duration_seconds, 1.0);
    let answers = stage.requests_per_second.unwrap();
    assert!(
        (998.0..1000.0).contains(&answers),
        "the last end after the stage: {answers}"
    );
}

/// Requests so rare that the last was answered long before the stage's end.
#[test]
fn a_stage_that_was_not_cut_short_lasts_as_planned() {
    let mut run = Run::of(5);
    run.plan.stages[0].duration = std::time::Duration::from_millis(100);
    let verdict = run.judge();
    assert_eq!(stage(&verdict).duration_seconds, 0.1);
    assert_eq!(stage(&verdict).requests_per_second, Some(50.0));
}

/// A run cut short lasts to its last row, and that row counts.
#[test]
fn the_last_answer_is_within_the_duration_it_defines() {
    for n in [1, 2, 64, 126, 252, 255] {
        let mut run = Run::of(n);
        run.plan.stages[0].duration = std::time::Duration::from_secs(10);
        let verdict = run.judge();
        let stage = stage(&verdict);
        let answers = stage.requests_per_second.unwrap() * stage.duration_seconds;
        assert!((answers - n as f64).abs() < 1e-6, "{answers} of {n}");
    }
}

#[test]
fn the_tails_parts_add_up_to_the_bands_latency() {
    let mut run = Run::of(5000);
    // Some wait for a connection and are slow in inference.
    for seq in (0..5000_u64).filter(|seq| seq % 80 == 7) {
        let e = &mut run.exchanges[seq as usize];
        e.connected_ns = e.intended_ns + 3 * MS;
        e.sent_ns = e.connected_ns + 20_000;
        e.first_byte_ns += 23 * MS;
        e.done_ns += 23 * MS;
        for name in [ROOT, INFERENCE] {
            let span = run.span(seq, name);
            span.start_unix_ns += 3 * MS;
            span.end_unix_ns += 18 * MS;
        }
        let span = run.span(seq, PREPARATION);
        span.start_unix_ns += 3 * MS;
        span.end_unix_ns += 3 * MS;
    }
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Pass, "{:#?}", verdict.reasons);
    let tail = stage(&verdict).tail.clone().unwrap();
    assert_eq!((tail.p50_band_n, tail.p99_band_n), (500, 50));
    let names: Vec<_> = tail.parts.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "generator_lag",
            "connect",
            "network_and_queue",
            PREPARATION,
            INFERENCE,
            "other_server_time"
        ]
    );
    let sum = |of: fn(&verifier::verdict::TailPart) -> f64| tail.parts.iter().map(of).sum::<f64>();
    assert!((sum(|p| p.p50_band_ms) - tail.p50_band_ms).abs() < 1e-9);
    assert!((sum(|p| p.p99_band_ms) - tail.p99_band_ms).abs() < 1e-9);
    let slow = |name: &str| {
        tail.parts
            .iter()
            .find(|p| p.name == name)
            .unwrap()
            .p99_band_ms
    };
    assert!((slow("connect") - 3.0).abs() < 1e-9);
    assert!((slow("generator_lag") - 0.02).abs() < 1e-9);
    assert!((slow(INFERENCE) - 15.5).abs() < 1e-9);
    assert!(tail.p99_band_ms > 23.0 && tail.p50_band_ms < 2.0);
}

#[test]
fn answers_that_were_looked_at_in_turns_say_how_late() {
    let mut run = Run::of(100);
    for (turn, told) in [
        (0, None),
        (200_000, Some("200 µs late")),
        (1_000_000, Some("1.00 ms late")),
    ] {
        for entry in &mut run.journal {
            if let Observation::Worker { turn_ns, .. } = &mut entry.observation {
                *turn_ns = turn;
            }
        }
        let written = run.write();
        let verdict = written.judge();
        assert_eq!(verdict.stages[0].generator.turn_ms, Some(turn as f64 / 1e6));
        for text in [
            to_text(&verdict),
            written.text("report.md"),
            written.text("report.html"),
        ] {
            assert_eq!(
                text.contains("answers seen up to"),
                told.is_some(),
                "{text}"
            );
            assert!(told.is_none_or(|told| text.contains(told)), "{text}");
        }
    }
}
