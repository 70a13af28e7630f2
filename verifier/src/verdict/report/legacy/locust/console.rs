//! `locust_test_results.txt`: the tables that Locust prints at its end, 80 columns for names, as where its output is no terminal.

use super::entry::{Median, PERCENTILES};
use super::{ErrorRow, Row};
use std::fmt::Write;

/// Locust's `STATS_NAME_WIDTH` and `STATS_TYPE_WIDTH`.
const NAME: usize = 80;
const TYPE: usize = 8;
/// What the request table leaves for the name.
const SHORT_NAME: usize = NAME - TYPE + 4;

/// Requests, percentiles, and errors where there are any.
pub(super) fn text(rows: &[Row], total: &Row, errors: &[ErrorRow]) -> String {
    let mut out = "# service time, from the actual send, in milliseconds\n".to_owned();
    // Writing to a String does not fail; so all through this file.
    requests(&mut out, rows, total);
    percentiles(&mut out, rows, total);
    if !errors.is_empty() {
        error_report(&mut out, errors);
    }
    out
}

fn dashes(widths: &[usize]) -> String {
    let columns: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    columns.join("|")
}

/// `get_stats_summary` and `StatsEntry.to_string(current=False)`.
fn requests(out: &mut String, rows: &[Row], total: &Row) {
    let _ = writeln!(
        out,
        "{:<TYPE$} {:<SHORT_NAME$} {:>7} {:>12} |{:>7} {:>7} {:>7}{:>7} | {:>7} {:>11}",
        "Type", "Name", "# reqs", "# fails", "Avg", "Min", "Max", "Med", "req/s", "failures/s"
    );
    let line = dashes(&[TYPE, SHORT_NAME, 7, 13, 7, 7, 7, 7, 8, 11]);
    let _ = writeln!(out, "{line}");
    for row in rows {
        request(out, row);
    }
    let _ = writeln!(out, "{line}");
    request(out, total);
    out.push('\n');
}

fn request(out: &mut String, row: &Row) {
    let entry = &row.entry;
    let method = if row.method.is_empty() {
        String::new()
    } else {
        format!("{} ", row.method)
    };
    let share = if entry.requests == 0 {
        0.0
    } else {
        entry.failures as f64 / entry.requests as f64
    };
    let failures = format!("{}({:.2}%)", entry.failures, share * 100.0);
    let median = match entry.median_ms() {
        Median::Bucket(ms) => ms,
        Median::Exact(ms) => ms as u64,
    };
    // `%d` of a float cuts.
    let [mean, least, most] =
        [entry.mean_ms(), entry.least_ms(), entry.most_ms()].map(|ms| ms as u64);
    let [rate, failure_rate] = [entry.requests, entry.failures].map(|n| row.per_second(n));
    let _ = writeln!(
        out,
        "{method:<TYPE$} {:<SHORT_NAME$} {:>7} {failures:>12} |{mean:>7} {least:>7} {most:>7}{median:>7} | {rate:>7.2} {failure_rate:>11.2}",
        row.name, entry.requests
    );
}

/// `get_percentile_stats_summary`.
fn percentiles(out: &mut String, rows: &[Row], total: &Row) {
    let _ = writeln!(out, "Response time percentiles (approximated)");
    let names: Vec<String> = PERCENTILES
        .iter()
        .map(|(_, name)| format!("{name:>6}"))
        .collect();
    let _ = writeln!(
        out,
        "{:<TYPE$} {:<NAME$} {:>8} {} {:>6}",
        "Type",
        "Name",
        names[0].trim_start(),
        names[1..].join(" "),
        "# reqs"
    );
    let mut widths = vec![TYPE, NAME, 8];
    widths.extend([6; PERCENTILES.len()]);
    let line = dashes(&widths);
    let _ = writeln!(out, "{line}");
    for row in rows {
        percentile(out, row);
    }
    let _ = writeln!(out, "{line}");
    percentile(out, total);
    out.push('\n');
}

fn percentile(out: &mut String, row: &Row) {
    if row.entry.timed() == 0 {
        return;
    }
    let values = PERCENTILES.map(|(share, _)| row.entry.percentile_ms(share));
    let rest: Vec<String> = values[1..].iter().map(|ms| format!("{ms:>6}")).collect();
    let _ = writeln!(
        out,
        "{:<TYPE$} {:<NAME$} {:>8} {} {:>6}",
        row.method,
        row.name,
        values[0],
        rest.join(" "),
        row.entry.requests
    );
}

/// `get_error_report_summary`.
fn error_report(out: &mut String, errors: &[ErrorRow]) {
    let _ = writeln!(out, "Error report\n{:18} {:100}", "# occurrences", "Error");
    let line = dashes(&[18, 80 + NAME - 19]);
    let _ = writeln!(out, "{line}");
    for error in errors {
        let text = format!("{} {}: {}", error.method, error.name, error.error);
        let _ = writeln!(out, "{:<18} {text:<100}", error.failure.occurrences);
    }
    let _ = writeln!(out, "{line}\n");
}
