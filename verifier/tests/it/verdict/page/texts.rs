//! The text reports and other tools' files print the page's numbers.

use super::super::builder::{MS, Run};
use verifier::record::Outcome;
use verifier::verdict::page::Page;
use verifier::verdict::to_text;

fn run() -> Run {
    let mut run = Run::of_stages(&[("warm", 900), ("steady", 7000)]);
    for seq in (1000..7000).step_by(500) {
        run.exchanges[seq].outcome = Outcome::HttpError;
        run.exchanges[seq].status = 503;
    }
    run.unanswered(2222, Outcome::Timeout, 900 * MS);
    run.spans.retain(|span| span.seq != 2222);
    run
}

/// A cell of a table as milliseconds.
fn milliseconds(cell: &str) -> f64 {
    let (number, unit) = cell.split_once(' ').unwrap();
    let factor = match unit {
        "s" => 1e3,
        "ms" => 1.0,
        _ => 1e-3,
    };
    number.parse::<f64>().unwrap() * factor
}

/// As exactly as three significant digits can say.
#[track_caller]
fn assert_near(cell: &str, ms: Option<f64>) {
    let ms = ms.unwrap();
    let shown = milliseconds(cell);
    assert!((shown - ms).abs() <= ms * 0.006, "{cell} is not {ms} ms");
}

/// The cells of the first row that begins with this name.
fn cells(text: &str, separator: &str, name: &str) -> Vec<String> {
    let rows = text.lines().map(|line| line.trim_matches(['|', ' ']));
    let row = rows.clone().find(|row| row.starts_with(name));
    let row = row.unwrap_or_else(|| panic!("no row {name} in {text}"));
    let cells = row
        .split(separator)
        .map(str::trim)
        .filter(|cell| !cell.is_empty());
    cells.map(|cell| cell.replace('\u{202f}', "")).collect()
}

fn rows(page: &Page) -> impl Iterator<Item = &verifier::verdict::page::Statistics> {
    page.statistics.iter().filter(|row| !row.stage.is_empty())
}

#[test]
fn markdown_and_terminal() {
    let written = run().write();
    let verdict = written.judge();
    let page = written.page();
    let (md, text) = (written.text("report.md"), to_text(&verdict));
    assert_eq!(rows(&page).count(), 2);
    for row in rows(&page) {
        // stage, req/s, p50, p99, p99.9, max, failed, traces, coverage
        let terminal = cells(&text, "  ", &row.stage);
        assert_near(&terminal[2], row.latency_ms.p50);
        assert_near(&terminal[3], row.latency_ms.p99);
        assert_near(&terminal[5], row.latency_ms.max);
        assert_eq!(terminal[6], row.failures.to_string());
        let table = cells(&md, "|", &row.stage);
        let printed = table
            .iter()
            .filter(|cell| cell.ends_with("ms") || cell.ends_with("µs"));
        let printed: Vec<f64> = printed.map(|cell| milliseconds(cell)).collect();
        for ms in [row.latency_ms.p50, row.latency_ms.p99, row.latency_ms.max] {
            let ms = ms.unwrap();
            let there = printed.iter().any(|shown| (shown - ms).abs() <= ms * 0.006);
            assert!(there, "no {ms} ms in {table:?}");
        }
        assert!(table.contains(&row.requests.to_string()), "{table:?}");
        assert!(table.contains(&row.failures.to_string()), "{table:?}");
    }
}

#[test]
fn locusts_table() {
    let written = run().write();
    written.judge();
    let page = written.page();
    let csv = written.text("legacy/locust_stats.csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    for row in &page.statistics {
        let name = match row.stage.as_str() {
            "" => "Aggregated".to_owned(),
            stage => format!("{} [{stage}]", row.name),
        };
        let record = records.iter().find(|record| record[1] == name).unwrap();
        assert_eq!(record[0], row.method);
        assert_eq!(
            (record[2].parse(), record[3].parse()),
            (Ok(row.requests), Ok(row.failures))
        );
        // Locust has service times, mean, least and most of them exact.
        let exact = [
            row.service_time_ms.mean,
            row.service_time_ms.min,
            row.service_time_ms.max,
        ];
        for (column, ms) in (5..8).zip(exact) {
            let shown: f64 = record[column].parse().unwrap();
            assert!((shown - ms.unwrap()).abs() < 1e-6, "{record:?}: {ms:?}");
        }
    }
}
