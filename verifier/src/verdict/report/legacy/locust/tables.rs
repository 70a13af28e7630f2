//! `locust_stats.csv`, `locust_failures.csv`, `locust_exceptions.csv`.

use super::super::csv_text;
use super::entry::{Entry, Median, PERCENTILES};
use super::{ErrorRow, Row};
use anyhow::Result;
use std::time::{Duration, UNIX_EPOCH};

/// Python's csv module ends lines so.
pub(super) const LINE_END: csv::Terminator = csv::Terminator::CRLF;

/// Column names of the percentiles.
pub(super) fn percentile_names() -> impl Iterator<Item = String> {
    PERCENTILES.iter().map(|(_, name)| (*name).to_owned())
}

/// Their values: whole milliseconds, or `N/A` before the first request.
pub(super) fn percentiles(entry: &Entry) -> impl Iterator<Item = String> {
    PERCENTILES.iter().map(|(share, _)| match entry.requests {
        0 => "N/A".to_owned(),
        _ => entry.percentile_ms(*share).to_string(),
    })
}

/// Median, mean, least, most in milliseconds, and mean content, as Python's csv module writes a float
/// (`repr`: the shortest text that reads back the same) or, without requests, the integer 0.
pub(super) fn times(entry: &Entry) -> [String; 5] {
    let median = match entry.median_ms() {
        Median::Bucket(ms) => ms.to_string(),
        Median::Exact(ms) => float(ms),
    };
    let whole_zero = |value: f64| {
        if entry.timed() == 0 || value == 0.0 {
            "0".to_owned()
        } else {
            float(value)
        }
    };
    let content = if entry.requests == 0 {
        "0".to_owned()
    } else {
        float(entry.mean_content())
    };
    [
        median,
        float(entry.mean_ms()),
        whole_zero(entry.least_ms()),
        whole_zero(entry.most_ms()),
        content,
    ]
}

fn float(value: f64) -> String {
    format!("{value:?}")
}

/// The request table.
pub(super) fn stats(rows: &[Row], total: &Row) -> Result<String> {
    let head = [
        "Type",
        "Name",
        "Request Count",
        "Failure Count",
        "Median Response Time",
        "Average Response Time",
        "Min Response Time",
        "Max Response Time",
        "Average Content Size",
        "Requests/s",
        "Failures/s",
    ];
    let head = head
        .map(str::to_owned)
        .into_iter()
        .chain(percentile_names());
    let mut table: Vec<Vec<String>> = vec![head.collect()];
    for row in rows.iter().chain([total]) {
        let entry = &row.entry;
        let mut cells = vec![row.method.clone(), row.name.clone()];
        cells.extend([entry.requests, entry.failures].map(|n| n.to_string()));
        cells.extend(times(entry));
        cells.extend([entry.requests, entry.failures].map(|n| float(row.per_second(n))));
        cells.extend(percentiles(entry));
        table.push(cells);
    }
    csv_text(LINE_END, &table)
}

/// The error table. Its rows stand in the order of their first occurrence, where Locust sorts by a hash.
pub(super) fn failures(errors: &[ErrorRow]) -> Result<String> {
    let head = [
        "Method",
        "Name",
        "Error",
        "Occurrences",
        "First Seen",
        "Last Seen",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for ErrorRow {
        method,
        name,
        error,
        failure,
    } in errors
    {
        table.push(vec![
            method.clone(),
            name.clone(),
            error.clone(),
            failure.occurrences.to_string(),
            timestamp(failure.first_unix_ns),
            timestamp(failure.last_unix_ns),
        ]);
    }
    csv_text(LINE_END, &table)
}

/// `format_utc_timestamp`: whole seconds, as in 2026-11-24T15:08:32Z.
fn timestamp(unix_ns: u64) -> String {
    let moment = UNIX_EPOCH + Duration::from_secs(unix_ns / 1_000_000_000);
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// Exceptions of Locust's own user code: there is none, so that only the head stands.
pub(super) fn exceptions() -> Result<String> {
    let head = ["Count", "Message", "Traceback", "Nodes"];
    csv_text(LINE_END, &[head.map(str::to_owned).to_vec()])
}
