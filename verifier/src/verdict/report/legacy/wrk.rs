//! `wrk_test_results.txt`: a stage as `wrk --latency` prints a run.

mod units;

use super::printf;
use super::tally::Tally;
use crate::record::{Observation, Outcome};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use std::fmt::Write;
use units::{SECONDS, binary, cell, metric, scaled, time};

/// Slots of 10 ms in the 100 ms after which wrk takes a sample of Req/Sec.
const SLOTS: usize = 10;

/// What wrk's `stats.c` computes of sorted values.
struct Stats {
    mean: f64,
    stdev: f64,
    max: f64,
    /// Percent of the values within one standard deviation of the mean; not a number without values.
    within: f64,
}

/// Of the values in units of `unit` nanoseconds (1 for plain numbers), cut to whole ones as wrk measures.
fn stats(sorted: &[u64], unit: u64) -> Stats {
    let whole = |value: &u64| (value / unit) as f64;
    let n = sorted.len() as f64;
    let sum: u128 = sorted.iter().map(|value| u128::from(value / unit)).sum();
    let mean = sum as f64 / n.max(1.0);
    let squares: f64 = sorted.iter().map(|v| (whole(v) - mean).powi(2)).sum();
    let stdev = (squares / (n - 1.0).max(1.0)).sqrt();
    let from = sorted.partition_point(|v| whole(v) < mean - stdev);
    let to = sorted.partition_point(|v| whole(v) <= mean + stdev);
    Stats {
        mean,
        stdev,
        max: sorted.last().map_or(0.0, whole),
        within: to.saturating_sub(from) as f64 / n * 100.0,
    }
}

/// wrk's `stats_percentile`: the value of rank round(p/100 * n + 0.5); 0 where there is none.
fn percentile(sorted: &[u64], p: f64) -> u64 {
    let rank = (p / 100.0 * sorted.len() as f64 + 0.5).round() as usize;
    let at = rank.saturating_sub(1);
    sorted.get(at).copied().unwrap_or(0)
}

/// One stage's block: a line that names it, then wrk's output (`print_stats*` and `main` of `wrk.c`, commit
/// a211dd5), from whole microseconds as wrk measures. Without wrk's `stats_correct`.
pub(super) fn block(
    timeline: &Timeline<'_>,
    verdict: &Verdict,
    index: usize,
    tally: &Tally,
) -> String {
    let stage = &timeline.plan.stages[index];
    // Several tasks have no path in common.
    let path = match timeline.plan.tasks.as_slice() {
        [] => timeline.plan.request.path.as_str(),
        [task] => task.path.as_str(),
        _ => "/",
    };
    let threads = threads(timeline, index);
    let rates = rates(tally, threads);
    let target = verdict.run.target.as_deref().unwrap_or("unknown");
    let target = target.trim_end_matches('/');
    let duration = scaled(stage.duration.as_secs_f64(), &SECONDS, 0);
    let mut out = String::new();
    // Writing to a String does not fail; so all through this file.
    let _ = writeln!(
        out,
        "# {}: service time, from the actual send\nRunning {duration} test @ {target}{}\n  {threads} threads and {} connections",
        stage.name,
        path,
        stage.load.connections(),
    );
    let _ = writeln!(
        out,
        "  Thread Stats{:>6}{:>11}{:>8}{:>12}",
        "Avg", "Stdev", "Max", "+/- Stdev"
    );
    row(&mut out, "Latency", &stats(&tally.service_ns, 1000), time);
    row(&mut out, "Req/Sec", &stats(&rates, 1), metric);
    let _ = writeln!(out, "  Latency Distribution");
    for p in [50.0, 75.0, 90.0, 99.0] {
        let value = time((percentile(&tally.service_ns, p) / 1000) as f64);
        let _ = writeln!(out, "{p:7.0}%{}", cell(&value, 10));
    }
    totals(&mut out, tally);
    out
}

fn row(out: &mut String, name: &str, stats: &Stats, unit: fn(f64) -> String) {
    let cells =
        [(stats.mean, 8), (stats.stdev, 10), (stats.max, 9)].map(|(v, w)| cell(&unit(v), w));
    let within = printf::percent(stats.within);
    let _ = writeln!(out, "    {name:<10}{}{within:>9}", cells.concat());
}

fn totals(out: &mut String, tally: &Tally) {
    let (answers, bytes) = (tally.answers(), tally.bytes as f64);
    let _ = writeln!(
        out,
        "  {answers} requests in {}, {}B read",
        time(tally.seconds * 1e6),
        binary(bytes)
    );
    let errors = [Outcome::ConnectError, Outcome::Reset, Outcome::Timeout].map(|o| tally.count(o));
    if errors != [0; 3] {
        let [connect, read, timeout] = errors;
        let _ = writeln!(
            out,
            "  Socket errors: connect {connect}, read {read}, write 0, timeout {timeout}"
        );
    }
    let refused: u64 = tally.statuses.range(400..).map(|(_, n)| n).sum();
    if refused > 0 {
        let _ = writeln!(out, "  Non-2xx or 3xx responses: {refused}");
    }
    let per_second = |amount: f64| tally.per_second(amount).unwrap_or(0.0);
    let _ = writeln!(out, "Requests/sec: {:9.2}", per_second(answers as f64));
    let transfer = binary(per_second(bytes));
    let _ = writeln!(out, "Transfer/sec: {transfer:>10}B");
}

/// Load threads that held connections in the stage; one where none left its figures.
fn threads(timeline: &Timeline<'_>, index: usize) -> u64 {
    let of_stage = |o: &&Observation| matches!(o, Observation::Worker { stage, .. } if usize::from(*stage) == index);
    (timeline.observations().filter(of_stage).count() as u64).max(1)
}

/// Answers a second and thread in each whole 100 ms that had any: wrk's samples are per thread, and which
/// thread made a request is not recorded, so each counts as an equal share. Sorted.
fn rates(tally: &Tally, threads: u64) -> Vec<u64> {
    let whole = (tally.seconds * 10.0) as usize;
    let windows = tally.ends.chunks(SLOTS).take(whole);
    let answers = windows.map(|slots| slots.iter().map(|slot| slot.answers).sum::<u64>());
    let mut rates: Vec<u64> = answers
        .filter(|n| *n > 0)
        .map(|n| n * 10 / threads)
        .collect();
    rates.sort_unstable();
    rates
}
