//! Locust's files: its console tables, and the four that `--csv` writes (`locust/stats.py` of Locust 2.47.0).

mod console;
mod entry;
mod history;
mod seen;
mod tables;

pub(super) use seen::Seen;

use super::{File, file};
use crate::record::Outcome;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use anyhow::Result;
use entry::Entry;
use seen::Failure;

/// One row of the request table.
struct Row {
    method: String,
    name: String,
    entry: Entry,
    /// What its rates are over.
    seconds: f64,
}

impl Row {
    fn per_second(&self, count: u64) -> f64 {
        if self.seconds > 0.0 {
            count as f64 / self.seconds
        } else {
            0.0
        }
    }
}

/// One line of the error report.
struct ErrorRow {
    method: String,
    name: String,
    error: String,
    failure: Failure,
}

/// All five files.
///
/// # Errors
/// Never: memory takes every row.
pub(super) fn files(timeline: &Timeline<'_>, verdict: &Verdict, seen: &Seen) -> Result<Vec<File>> {
    let (rows, total) = rows(timeline, seen);
    let errors = errors(timeline, seen);
    Ok(vec![
        file(
            "locust_test_results.txt",
            console::text(&rows, &total, &errors),
        ),
        file("locust_stats.csv", tables::stats(&rows, &total)?),
        file(
            "locust_stats_history.csv",
            history::text(timeline, verdict, seen)?,
        ),
        file("locust_failures.csv", tables::failures(&errors)?),
        file("locust_exceptions.csv", tables::exceptions()?),
    ])
}

/// A request in Locust's words: method, name, path. The name is the path, or the task's where there are
/// tasks; with several stages, each is a name of its own.
fn request<'t>(timeline: &'t Timeline<'_>, seen: &Seen, place: usize) -> (String, String, &'t str) {
    let (stage, task) = (place / seen.tasks, place % seen.tasks);
    let plan = timeline.plan;
    let (method, name, path) = match plan.tasks.get(task) {
        Some(task) => (&task.method, &task.name, &task.path),
        None => (&plan.request.method, &plan.request.path, &plan.request.path),
    };
    let name = match plan.stages.len() {
        1 => name.clone(),
        _ => format!("{name} [{}]", plan.stages[stage].name),
    };
    (method.clone(), name, path)
}

/// The stages that had requests, in Locust's order, and their sum.
fn rows(timeline: &Timeline<'_>, seen: &Seen) -> (Vec<Row>, Row) {
    let start_unix_ns = |stage| timeline.stage_start_ns(stage).map(|ns| seen.unix_ns(ns));
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e9;
    let (mut rows, mut sum) = (Vec::new(), Entry::default());
    let (mut first_ns, mut last_ns) = (u64::MAX, 0);
    for (place, of_stage) in seen.stages.iter().enumerate() {
        let start_ns = start_unix_ns(place / seen.tasks).unwrap_or(of_stage.last_unix_ns);
        if of_stage.entry.requests == 0 {
            continue;
        }
        sum.extend(&of_stage.entry);
        first_ns = first_ns.min(start_ns);
        last_ns = last_ns.max(of_stage.last_unix_ns);
        let (method, name, _) = request(timeline, seen, place);
        rows.push(Row {
            method,
            name,
            entry: of_stage.entry.clone(),
            seconds: seconds(start_ns, of_stage.last_unix_ns),
        });
    }
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let total = Row {
        method: String::new(),
        name: "Aggregated".to_owned(),
        entry: sum,
        seconds: seconds(first_ns, last_ns),
    };
    (rows, total)
}

/// Failures, in the order in which each kind was first seen.
fn errors(timeline: &Timeline<'_>, seen: &Seen) -> Vec<ErrorRow> {
    let mut errors = Vec::new();
    for (place, of_stage) in seen.stages.iter().enumerate() {
        for ((status, outcome), failure) in &of_stage.failures {
            let (method, name, path) = request(timeline, seen, place);
            errors.push(ErrorRow {
                method,
                name,
                error: error(timeline, path, *status, *outcome),
                failure: *failure,
            });
        }
    }
    errors.sort_by_key(|error| error.failure.first_unix_ns);
    errors
}

/// A failure in the words that Locust's HttpUser has for it: the exception of `requests`, as Python shows it.
fn error(timeline: &Timeline<'_>, path: &str, status: u16, outcome: Outcome) -> String {
    let request = &timeline.plan.request;
    match outcome {
        Outcome::Timeout => {
            let timeout = request.timeout.as_secs_f64();
            format!("ReadTimeout('no whole answer, read timeout={timeout}')")
        }
        Outcome::ConnectError => "ConnectionError('no connection could be made')".to_owned(),
        Outcome::Reset => {
            "ConnectionError('the connection ended before a whole answer')".to_owned()
        }
        _ => {
            let whose = if status < 500 { "Client" } else { "Server" };
            let reason = http::StatusCode::from_u16(status).ok();
            let reason = reason.and_then(|s| s.canonical_reason()).unwrap_or("");
            format!("HTTPError('{status} {whose} Error: {reason} for url: {path}')")
        }
    }
}
