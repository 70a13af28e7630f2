//! wrk's text, held against a reader that accepts nothing but what wrk's own printf calls can write.

use super::{judged, mixed};
use crate::verdict::builder::{Run, worker};
use verifier::record::Observation;

/// A number with two decimals and a unit, as wrk's `format_units` writes it; gives it in the base unit.
fn amount(text: &str, units: &[(&str, f64)]) -> f64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (whole, decimals) = digits.split_once('.').unwrap_or_else(|| panic!("{text:?}"));
    assert!(decimals.len() == 2 && !whole.is_empty(), "{text:?}");
    let at = units
        .iter()
        .position(|(unit, _)| *unit == &text[digits.len()..]);
    let at = at.unwrap_or_else(|| panic!("{text:?} has none of {units:?}"));
    let value: f64 = digits.parse().unwrap();
    // From 0.85 of the next unit on, wrk writes the next; printing rounds.
    if let Some((_, next)) = units.get(at + 1) {
        assert!(
            value * units[at].1 <= next * 0.85 + units[at].1 * 0.005,
            "{text:?}"
        );
    }
    if at > 0 {
        assert!(value >= 0.85 - 0.005, "{text:?}");
    }
    value * units[at].1
}

const TIME: [(&str, f64); 2] = [("us", 1.0), ("ms", 1e3)];
const LONG_TIME: [(&str, f64); 2] = [("s", 1e6), ("m", 6e7)];
const METRIC: [(&str, f64); 5] = [("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)];
const BINARY: [(&str, f64); 5] = [
    ("", 1.0),
    ("K", 1024.0),
    ("M", 1048576.0),
    ("G", 1073741824.0),
    ("T", 1099511627776.0),
];

fn time(text: &str) -> f64 {
    // `format_time_us`: below a second us and ms, though ms has no next unit; from a second on s and m.
    if text.ends_with("us") || text.ends_with("ms") {
        let us = amount(text, &TIME);
        assert!(us < 1e6 + 5.0, "{text:?}");
        us
    } else {
        amount(text, &LONG_TIME)
    }
}

/// Cuts a cell of that width off the line: `print_units` pads so that digits stand below digits.
fn cell<'l>(line: &mut &'l str, width: usize) -> &'l str {
    let (cell, rest) = line.split_at(width);
    *line = rest;
    let text = cell.trim();
    let letters = text
        .chars()
        .rev()
        .take(2)
        .filter(char::is_ascii_alphabetic)
        .count();
    let pad = 2 - letters;
    assert_eq!(
        cell,
        format!("{text:>0$}{1:2$}", width - pad, "", pad),
        "{cell:?}"
    );
    text
}

struct Block {
    requests: u64,
    bytes: f64,
    latency: Vec<f64>,
    rates: Vec<f64>,
    percentiles: Vec<f64>,
    errors: Option<[u64; 4]>,
    refused: Option<u64>,
    per_second: f64,
}

fn row(line: &str, name: &str, unit: fn(&str) -> f64) -> Vec<f64> {
    let mut rest = line.strip_prefix(&format!("    {name:<10}")).unwrap();
    let mut values: Vec<f64> = [8, 10, 9]
        .map(|width| unit(cell(&mut rest, width)))
        .to_vec();
    let share = rest.strip_suffix('%').unwrap();
    assert!(rest.len() == 9, "{line:?}");
    values.push(if share == "    -nan" {
        f64::NAN
    } else {
        share.trim().parse().unwrap()
    });
    values
}

fn block(text: &str) -> Block {
    let mut lines = text.lines().peekable();
    let mut line = || lines.next().unwrap_or("");
    assert!(line().starts_with("# "));
    let running = line();
    assert!(
        running.starts_with("Running ")
            && running.contains(" test @ http://127.0.0.1:8080/predict")
    );
    let threads: Vec<&str> = line().split(' ').collect();
    assert!(
        threads[..2] == ["", ""]
            && threads[3..5] == ["threads", "and"]
            && threads[6] == "connections"
    );
    assert_eq!(
        line(),
        "  Thread Stats   Avg      Stdev     Max   +/- Stdev"
    );
    let latency = row(line(), "Latency", time);
    let rates = row(line(), "Req/Sec", |text| amount(text, &METRIC));
    assert_eq!(line(), "  Latency Distribution");
    let percentiles = ["     50%", "     75%", "     90%", "     99%"].map(|head| {
        let mut rest = line().strip_prefix(head).unwrap();
        let value = time(cell(&mut rest, 10));
        assert_eq!(rest, "");
        value
    });
    let totals = line().strip_prefix("  ").unwrap();
    let (requests, rest) = totals.split_once(" requests in ").unwrap();
    let (took, bytes) = rest
        .strip_suffix("B read")
        .unwrap()
        .split_once(", ")
        .unwrap();
    time(took);
    let mut next = line();
    let mut errors = None;
    if let Some(rest) = next.strip_prefix("  Socket errors: ") {
        let parts: Vec<&str> = rest.split(", ").collect();
        let counts = ["connect ", "read ", "write ", "timeout "];
        let counts: Vec<u64> = counts
            .iter()
            .zip(parts)
            .map(|(n, p)| p.strip_prefix(n).unwrap().parse().unwrap())
            .collect();
        assert!(counts.iter().any(|n| *n > 0));
        errors = Some(counts.try_into().unwrap());
        next = line();
    }
    let refused = next
        .strip_prefix("  Non-2xx or 3xx responses: ")
        .map(|n| n.parse().unwrap());
    if refused.is_some() {
        assert!(refused > Some(0));
        next = line();
    }
    let per_second = next.strip_prefix("Requests/sec: ").unwrap();
    assert!(per_second.len() >= 9 && per_second.as_bytes()[per_second.len() - 3] == b'.');
    let transfer = line()
        .strip_prefix("Transfer/sec: ")
        .unwrap()
        .strip_suffix('B')
        .unwrap();
    assert!(transfer.len() == 10, "{transfer:?}");
    amount(transfer.trim_start(), &BINARY);
    assert_eq!(line(), "", "nothing comes after");
    Block {
        requests: requests.parse().unwrap(),
        bytes: amount(bytes, &BINARY),
        latency,
        rates,
        percentiles: percentiles.to_vec(),
        errors,
        refused,
        per_second: per_second.trim_start().parse().unwrap(),
    }
}

#[test]
fn a_strict_reader_accepts_each_block() {
    let (written, verdict) = judged(&mixed());
    let text = written.text("legacy/wrk_test_results.txt");
    let blocks: Vec<Block> = text.split("\n\n").map(block).collect();
    assert_eq!(blocks.len(), 3);
    for (block, stage) in blocks.iter().zip(&verdict.stages) {
        let rate = stage.requests_per_second.unwrap_or(0.0);
        assert!((block.per_second - rate).abs() <= 0.005, "{rate}");
    }
    let [warm, steady, dead] = &blocks[..] else {
        panic!()
    };
    assert_eq!((warm.errors, warm.refused), (None, None));
    assert_eq!(
        (steady.errors, steady.refused),
        (Some([0, 1, 0, 1]), Some(10))
    );
    assert_eq!((dead.errors, dead.requests), (Some([200, 0, 0, 0]), 0));
    assert!(dead.latency[3].is_nan() && dead.percentiles == [0.0; 4]);
    // 0.98 to 1.97 ms in steps of 10 us, evenly.
    assert!(
        (warm.latency[0] - 1475.0).abs() <= 5.0,
        "{:?}",
        warm.latency
    );
    assert!((warm.latency[1] - 288.8).abs() <= 1.0, "{:?}", warm.latency);
    assert_eq!(warm.latency[2], 1970.0);
    assert!(
        (57.0..59.0).contains(&warm.latency[3]),
        "{:?}",
        warm.latency
    );
    assert_eq!(warm.percentiles, [1470.0, 1730.0, 1880.0, 1970.0]);
    assert!(
        (990.0..=1000.0).contains(&warm.rates[0]),
        "{:?}",
        warm.rates
    );
    assert!((warm.bytes - warm.requests as f64 * 150.0).abs() <= 1024.0 * 0.005);
}

/// wrk's samples of Req/Sec are per thread.
#[test]
fn rates_are_per_thread() {
    let mut run = Run::of(1000);
    let second = match worker(0, 0) {
        Observation::Worker {
            stage,
            connections,
            opened,
            planned,
            wall_ns,
            cpu_ns,
            lag_p50_ns,
            lag_p99_ns,
            lag_max_ns,
            turn_ns,
            ..
        } => Observation::Worker {
            stage,
            worker: 1,
            connections,
            opened,
            planned,
            wall_ns,
            cpu_ns,
            lag_p50_ns,
            lag_p99_ns,
            lag_max_ns,
            turn_ns,
        },
        other => other,
    };
    run.note_before_end(second);
    let (written, _) = judged(&run);
    let text = written.text("legacy/wrk_test_results.txt");
    assert!(text.contains("  2 threads and 256 connections\n"), "{text}");
    let rate = block(&text).rates[0];
    assert!((490.0..=500.0).contains(&rate), "{rate}");
}

/// What real wrk printed in three runs, so that the reader is as strict as the real thing and no stricter.
#[test]
fn the_reader_accepts_wrk_itself() {
    for text in include_str!("wrk_itself.txt").split("\n\n") {
        block(text.trim_end_matches('\n'));
    }
}
