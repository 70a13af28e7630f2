//! `locust_stats_history.csv`: what the run looked like, a row a second.

use super::super::csv_text;
use super::entry::Entry;
use super::seen::Seen;
use super::tables::{LINE_END, percentile_names, percentiles, times};
use crate::plan::Load;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use anyhow::Result;

const HEAD: [&str; 6] = [
    "Timestamp",
    "User Count",
    "Type",
    "Name",
    "Requests/s",
    "Failures/s",
];
const TAIL: [&str; 7] = [
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
];

/// The head, then a row at the end of each second from the first stage's begin on: what had ended by then.
pub(super) fn text(timeline: &Timeline<'_>, verdict: &Verdict, seen: &Seen) -> Result<String> {
    let head = HEAD.map(str::to_owned).into_iter();
    let head = head
        .chain(percentile_names())
        .chain(TAIL.map(str::to_owned));
    let mut table: Vec<Vec<String>> = vec![head.collect()];
    let (mut sum, mut last) = (Entry::default(), 0);
    for (second, entry) in seen.seconds.iter().enumerate() {
        sum.extend(entry);
        if entry.requests > 0 {
            last = second;
        }
        let now = seen.first_second + second as u64 + 1;
        let mut cells = vec![
            now.to_string(),
            users(timeline, verdict, seen, now).to_string(),
        ];
        cells.extend([String::new(), "Aggregated".to_owned()]);
        let rates = [|e: &Entry| e.requests, |e: &Entry| e.failures];
        cells.extend(rates.map(|of| format!("{:.6}", current(&seen.seconds, last, of))));
        cells.extend(percentiles(&sum));
        cells.extend([sum.requests, sum.failures].map(|n| n.to_string()));
        cells.extend(times(&sum));
        table.push(cells);
    }
    csv_text(LINE_END, &table)
}

/// `current_rps`: the mean of the ten seconds that ended two seconds before the last request's.
fn current(seconds: &[Entry], last: usize, of: fn(&Entry) -> u64) -> f64 {
    let from = last.saturating_sub(12);
    let to = last.saturating_sub(2);
    let counted: u64 = seconds[from..to].iter().map(of).sum();
    counted as f64 / (to - from).max(1) as f64
}

/// Users of the stage that was under way: those spawned by then, or its connections; 0 between stages.
fn users(timeline: &Timeline<'_>, verdict: &Verdict, seen: &Seen, second: u64) -> u64 {
    let now_ns = second.saturating_mul(1_000_000_000);
    for (index, stage) in timeline.plan.stages.iter().enumerate() {
        let Some(start_ns) = timeline.stage_start_ns(index).map(|ns| seen.unix_ns(ns)) else {
            continue;
        };
        let end_ns =
            start_ns.saturating_add(u64::try_from(stage.duration.as_nanos()).unwrap_or(u64::MAX));
        if !(start_ns..=end_ns).contains(&now_ns) {
            continue;
        }
        return match stage.load {
            Load::Connections { connections } => u64::from(connections),
            Load::Users { .. } => {
                let at_ns = now_ns.saturating_sub(seen.unix_ns(0));
                timeline.users_at(index, at_ns).map_or(0, u64::from)
            }
            Load::Rate { .. } => verdict.stages[index].generator.opened.unwrap_or(0),
        };
    }
    0
}
