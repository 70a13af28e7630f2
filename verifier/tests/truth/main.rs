//! Agreement with the truth: servers that keep their own record of what they did to each request, and the release
//! build of the verifier, which must say the same; beside wrk, where it is installed. A minute long: `just truth`
//! builds what it needs and runs it. Only measured things are held against each other, never against the time of day.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests are tests"
)]

mod delays;
mod programs;
#[path = "../it/load/server.rs"]
#[allow(dead_code, reason = "the integration tests use all of it")]
mod server;

use delays::{Log, freezing, lognormal, nearest_rank, steady};
use programs::{Seen, verifier, wrk};
use std::time::Duration;

const SECOND_NS: u64 = 1_000_000_000;

/// Percentiles of the verdict, by its names for them.
const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p999", 0.999),
];

/// The latencies in the verdict are those that the server made, to 1 %.
fn agrees(what: &str, stage: &str) {
    let log = Log::default();
    let server = lognormal(&log);
    let seen = verifier(&server.url, stage);
    let mut truth = log.delays_ns();
    truth.sort_unstable();
    // The verifier's look at `/metrics` is answered as slowly; it has no traceparent, and one among so many changes nothing.
    let asked = server.seen().0.into_iter().filter(|id| !id.is_empty());
    assert_eq!(
        asked.count(),
        seen.rows.len(),
        "requests at the server, and rows"
    );
    assert!(truth.len() - seen.rows.len() < 5, "{} delays", truth.len());
    println!("{what}, {} requests", truth.len());
    for (name, p) in PERCENTILES {
        let (truth, ours) = (nearest_rank(&truth, p) as f64 / 1e6, seen.latency_ms(name));
        println!(
            "  {name:<5} server {truth:8.3} ms  verifier {ours:8.3} ms  {:+.2} %",
            (ours / truth - 1.0) * 100.0
        );
    }
    for (name, p) in PERCENTILES {
        let (truth, ours) = (nearest_rank(&truth, p) as f64 / 1e6, seen.latency_ms(name));
        assert!(
            (ours / truth - 1.0).abs() < 0.01,
            "{what}, {name}: {ours} ms, in truth {truth} ms"
        );
    }
}

#[test]
#[ignore = "needs release builds: just truth"]
fn closed_loop_percentiles_are_the_servers() {
    agrees(
        "closed loop",
        "kind = 'connections'\nconnections = 200\nduration = '10s'",
    );
}

#[test]
#[ignore = "needs release builds: just truth"]
fn open_loop_percentiles_are_the_servers() {
    agrees(
        "open loop",
        "kind = 'rate'\nrate = 2000\nconnections = 400\nduration = '10s'",
    );
}

/// A freeze of a little more than 2 s: what takes longer than 2 s wrk leaves out of its latencies.
const FREEZE: Duration = Duration::from_millis(2100);
const CONNECTIONS: usize = 32;

fn longer_than(ns: u64, rows: impl Iterator<Item = u64>) -> usize {
    rows.filter(|row| *row > ns).count()
}

#[test]
#[ignore = "needs release builds: just truth"]
fn an_open_loop_shows_a_freeze_in_full() {
    let log = Log::default();
    let server = freezing(&log, FREEZE);
    let rate = 500;
    let seen = verifier(
        &server.url,
        &format!("kind = 'rate'\nrate = {rate}\nconnections = {CONNECTIONS}\nduration = '8s'"),
    );
    let longest = log.delays_ns().into_iter().max().unwrap();
    let latency = || seen.rows.iter().map(|row| row.latency_ns());
    println!(
        "freeze {:.3} s, {} requests at {rate}/s",
        longest as f64 / 1e9,
        seen.rows.len()
    );
    // Whoever was wanted during the freeze waited to its end: as many as the rate says, at every depth.
    for depth in [4, 2] {
        let over = longest * (depth - 1) / depth;
        let wanted = (rate * (longest - over) / SECOND_NS) as f64;
        let found = longer_than(over, latency()) as f64;
        println!(
            "  over {:.2} s: {found} requests, {wanted:.0} were wanted then",
            over as f64 / 1e9
        );
        // A few more: whoever was served last after the freeze waited a little longer than to its end.
        let full = (0.99..1.15).contains(&(found / wanted));
        assert!(full, "{found} requests over {over} ns, not {wanted}");
    }
    let max = latency().max().unwrap();
    assert!(
        (max as f64 / longest as f64 - 1.0).abs() < 0.01,
        "longest {max} ns, the freeze {longest} ns"
    );
    assert!(seen.latency_ms("p99") > 0.9 * FREEZE.as_secs_f64() * 1e3);
    // The actual sends tell of the connections only.
    let sent = longer_than(SECOND_NS, seen.rows.iter().map(|row| row.service_time_ns()));
    println!(
        "  p99 {:.0} ms from the intended start; over 1 s from the actual send: {sent} requests",
        seen.latency_ms("p99")
    );
    assert_eq!(sent, CONNECTIONS);
}

#[test]
#[ignore = "needs release builds: just truth"]
fn a_closed_loop_shows_a_freeze_once_a_connection_and_wrk_not_at_all() {
    let server = freezing(&Log::default(), FREEZE);
    let seen = verifier(
        &server.url,
        &format!("kind = 'connections'\nconnections = {CONNECTIONS}\nduration = '8s'"),
    );
    let found = longer_than(SECOND_NS, seen.rows.iter().map(|row| row.latency_ns()));
    println!(
        "closed loop: {found} of {} requests over 1 s, p99 {:.2} ms",
        seen.rows.len(),
        seen.latency_ms("p99")
    );
    // A connection that waits asks nothing: coordinated omission, and this is all that a closed loop can tell.
    assert_eq!(found, CONNECTIONS);
    assert!(seen.latency_ms("p99") < 100.0);
    let server = freezing(&Log::default(), FREEZE);
    if let Some(text) = wrk(&server.url, CONNECTIONS, 8) {
        println!("{text}");
        let p99 = programs::wrk_p99_ms(&text);
        assert!(p99 < 100.0, "wrk shows it: 99% {p99} ms");
        assert!(text.contains(&format!("timeout {CONNECTIONS}")), "{text}");
    }
}

#[test]
#[ignore = "needs release builds: just truth"]
fn wrk_and_we_count_the_same() {
    let server = steady(Duration::from_millis(5));
    let (mut by_wrk, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let Some(text) = wrk(&server.url, 50, 3) else {
            return;
        };
        by_wrk.push(programs::wrk_rate(&text));
        let seen: Seen = verifier(
            &server.url,
            "kind = 'connections'\nconnections = 50\nduration = '3s'",
        );
        ours.push(seen.requests_per_second());
    }
    println!("requests/s at 50 connections\n  wrk      {by_wrk:.0?}\n  verifier {ours:.0?}");
    by_wrk.sort_by(f64::total_cmp);
    ours.sort_by(f64::total_cmp);
    let noise = (by_wrk[4] - by_wrk[0]).max(by_wrk[2] / 100.0);
    let apart = (ours[2] - by_wrk[2]).abs();
    println!(
        "  medians {:.0} and {:.0}: {apart:.0} apart; wrk's own runs {:.0}",
        by_wrk[2],
        ours[2],
        by_wrk[4] - by_wrk[0]
    );
    assert!(
        apart <= noise,
        "{apart} requests/s apart, wrk's own runs {noise}"
    );
}
