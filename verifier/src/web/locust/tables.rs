//! Locust's CSV files of a run that goes on, as `locust/stats.py` of 2.47.0 writes them. Those of an ended run are the
//! files of `legacy/`.

use super::figures::{Figures, Row};
use super::json::median;
use super::words::rounded_ms;
use crate::web::fold::HistoryRow;
use std::time::{Duration, UNIX_EPOCH};

const PERCENTILES: &str = "50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%";

/// `_stats.csv`.
pub(super) fn requests(figures: &Figures) -> String {
    let head = format!(
        "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,\
         Max Response Time,Average Content Size,Requests/s,Failures/s,{PERCENTILES}\r\n"
    );
    let rows = figures.rows.iter().chain([&figures.total]);
    rows.fold(head, |mut text, row| {
        let mut cells = vec![row.method.clone(), row.name.clone()];
        cells.extend([row.requests, row.failures].map(|count| count.to_string()));
        cells.push(median(row).to_string());
        cells.extend([row.mean_ms.unwrap_or(0.0)].map(float));
        cells.extend([row.least_ms, row.most_ms].map(whole_zero));
        cells.push(content(row));
        cells.extend(row.total_rates.map(float));
        cells.extend(percentiles(&row.percentiles_ms, row.requests));
        line(&mut text, &cells);
        text
    })
}

/// `_stats_history.csv`.
pub(super) fn history(figures: &Figures) -> String {
    let head = format!(
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,{PERCENTILES},Total Request Count,Total Failure Count,\
         Total Median Response Time,Total Average Response Time,Total Min Response Time,Total Max Response Time,\
         Total Average Content Size\r\n"
    );
    let mut text = head;
    for (place, row) in figures.history.iter().enumerate() {
        let unix = figures.origin_unix_ns / 1_000_000_000 + row.at;
        let mut cells = vec![unix.to_string(), (row.users as u64).to_string()];
        cells.extend([String::new(), "Aggregated".to_owned()]);
        // Of the ten seconds that ended two before this one.
        let window = &figures.history[place.saturating_sub(12)..place.saturating_sub(2)];
        let mean = |of: fn(&HistoryRow) -> f64| {
            // The sum of nothing is a negative zero.
            (window.iter().map(of).sum::<f64>() + 0.0) / window.len().max(1) as f64
        };
        cells.extend(
            [mean(|row| row.tried), mean(|row| row.tried_failed)].map(|rate| format!("{rate:.6}")),
        );
        cells.extend(percentiles(&row.percentiles_ms, row.requests));
        cells.extend([row.requests, row.failures].map(|count| count.to_string()));
        cells.push(row.percentiles_ms[0].map_or(0, rounded_ms).to_string());
        let [mean_ms, least_ms, most_ms] = row.times_ms;
        cells.push(float(mean_ms.unwrap_or(0.0)));
        cells.extend([least_ms, most_ms].map(whole_zero));
        cells.push(float(row.bytes as f64 / row.requests.max(1) as f64));
        line(&mut text, &cells);
    }
    text
}

/// `_failures.csv`.
pub(super) fn failures(figures: &Figures) -> String {
    let mut text = "Method,Name,Error,Occurrences,First Seen,Last Seen\r\n".to_owned();
    for row in &figures.errors {
        let cells = [
            row.method.clone(),
            row.name.clone(),
            row.error.clone(),
            row.occurrences.to_string(),
            timestamp(row.first_unix_seconds),
            timestamp(row.last_unix_seconds),
        ];
        line(&mut text, &cells);
    }
    text
}

/// `_exceptions.csv`: exceptions of Locust's own user code, of which there is none.
pub(super) fn exceptions() -> String {
    "Count,Message,Traceback,Nodes\r\n".to_owned()
}

/// As Python's `repr` has it: the shortest text that reads back the same.
fn float(value: f64) -> String {
    format!("{value:?}")
}

fn whole_zero(ms: Option<f64>) -> String {
    ms.filter(|ms| *ms != 0.0)
        .map_or_else(|| "0".to_owned(), float)
}

fn content(row: &Row) -> String {
    match row.requests {
        0 => "0".to_owned(),
        _ => float(row.content),
    }
}

fn percentiles(of: &[Option<f64>], requests: u64) -> impl Iterator<Item = String> {
    of.iter().map(move |ms| match requests {
        0 => "N/A".to_owned(),
        _ => ms.map_or(0, rounded_ms).to_string(),
    })
}

fn timestamp(unix_seconds: f64) -> String {
    let moment = UNIX_EPOCH + Duration::from_secs(unix_seconds as u64);
    humantime::format_rfc3339_seconds(moment).to_string()
}

/// A line as Python's csv module writes it.
fn line(text: &mut String, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        match cell.contains(['"', ',', '\r', '\n']) {
            true => *text += &format!("\"{}\"", cell.replace('"', "\"\"")),
            false => *text += cell,
        }
    }
    *text += "\r\n";
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let mut text = String::new();
        line(&mut text, &["a", "b,c", "d \"e\"", ""].map(str::to_owned));
        assert_eq!(text, "a,\"b,c\",\"d \"\"e\"\"\",\r\n");
    }
}
