//! The collector's own books: its `/metrics` in, journal lines out, every second.
//!
//! Names: opentelemetry-collector, receiver/receiverhelper and exporter/exporterhelper, documentation.md; with and
//! without `_total`, as its configuration has them.

use super::client::Client;
use crate::record::{CollectorBooks, ExporterBooks, Observation, Recorder};
use crate::run::exposition::Sample;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);
/// At the end: until the queues are empty, as far as they get.
const LAST_WITHIN: Duration = Duration::from_secs(5);

/// Reads them once.
///
/// # Errors
/// When nothing answers, or it is no collector.
pub(super) async fn read(client: &Client, url: &str) -> Result<CollectorBooks> {
    let read = async {
        let (status, body) = client.get(url, &[]).await?;
        ensure!(status.is_success(), "HTTP status {status}");
        from_metrics(&String::from_utf8_lossy(&body), url).context("no collector's metrics there")
    };
    let books = tokio::time::timeout(EVERY * 2, read).await;
    books.context("no answer in time")?.with_context(|| {
        format!("cannot read the collector's books at {url}: name its metrics with --collector URL")
    })
}

/// Watches until it is stopped, and reads a last time then. A collector that is away is asked again the next second.
pub(super) async fn watch(
    client: &Client,
    url: &str,
    recorder: &Recorder,
    stop: &CancellationToken,
) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        if let Ok(books) = read(client, url).await {
            recorder.observe(Observation::CollectorBooks(books));
        }
    }
    // Its counts trail what it has done by a moment: the last ones are those that stand still.
    let settle = async {
        let mut last = None;
        while let Ok(books) = read(client, url).await {
            let now = Some((books.accepted, books.exporters.clone()));
            recorder.observe(Observation::CollectorBooks(books));
            if last == now {
                break;
            }
            last = now;
            tokio::time::sleep(EVERY / 5).await;
        }
    };
    // Who still moves by then has said the most that can be known.
    let _ = tokio::time::timeout(LAST_WITHIN, settle).await;
}

/// `None` if the text is no collector's.
fn from_metrics(text: &str, url: &str) -> Option<CollectorBooks> {
    let mut books = CollectorBooks {
        place: url.to_owned(),
        ..CollectorBooks::default()
    };
    let mut found = false;
    for sample in text.lines().filter_map(Sample::read) {
        let Some(name) = sample.name.strip_prefix("otelcol_") else {
            continue;
        };
        found = true;
        let name = name.strip_suffix("_total").unwrap_or(name);
        let spans = sample.count();
        match name {
            "process_uptime" | "process_uptime_seconds" => books.uptime_seconds = sample.value,
            "receiver_accepted_spans" => books.accepted += spans,
            "receiver_refused_spans" => books.refused += spans,
            "receiver_failed_spans" => books.failed += spans,
            _ if sample.label("exporter").is_empty() => {}
            // Other signals have queues, too.
            "exporter_queue_size" if !matches!(sample.label("data_type"), "" | "traces") => {}
            _ => {
                let exporter = sample.label("exporter").to_owned();
                exporter_books(books.exporters.entry(exporter).or_default(), name, spans);
            }
        }
    }
    found.then_some(books)
}

fn exporter_books(books: &mut ExporterBooks, name: &str, spans: u64) {
    match name {
        "exporter_sent_spans" => books.sent += spans,
        "exporter_send_failed_spans" => books.send_failed += spans,
        "exporter_enqueue_failed_spans" => books.enqueue_failed += spans,
        "exporter_queue_size" => books.queue += spans,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_are_found_in_either_spelling() {
        let text = r#"# TYPE otelcol_receiver_accepted_spans counter
otelcol_receiver_accepted_spans{receiver="otlp",transport="grpc"} 30
otelcol_receiver_accepted_spans{receiver="otlp",transport="http"} 4
otelcol_receiver_refused_spans_total{receiver="otlp",transport="grpc"} 2
otelcol_exporter_sent_spans{exporter="otlp_grpc/jaeger"} 20
otelcol_exporter_enqueue_failed_spans_total{exporter="otlp_grpc/jaeger"} 3
otelcol_exporter_queue_size{data_type="traces",exporter="otlp_grpc/jaeger"} 11
otelcol_exporter_queue_size{data_type="logs",exporter="otlp_grpc/jaeger"} 99
otelcol_exporter_sent_spans{exporter="file"} 34
otelcol_process_uptime{service_name="x"} 7.5
up 1"#;
        let books = from_metrics(text, "here").unwrap();
        assert_eq!((books.accepted, books.refused, books.failed), (34, 2, 0));
        assert!((books.uptime_seconds - 7.5).abs() < 1e-9);
        let jaeger = ExporterBooks {
            sent: 20,
            send_failed: 0,
            enqueue_failed: 3,
            queue: 11,
        };
        assert_eq!(books.exporters["otlp_grpc/jaeger"], jaeger);
        assert_eq!(books.exporters["file"].sent, 34);
        assert_eq!(from_metrics("up 1\n", "here"), None);
    }
}
