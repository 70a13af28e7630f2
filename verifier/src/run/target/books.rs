//! The service's own span books: its `/metrics` text in, journal lines out.

use crate::record::{Observation, Recorder, ServiceBooks};
use crate::run::exposition::Sample;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
const LARGEST_ANSWER: usize = 4 << 20;
/// At the end, every process that was seen is asked once more; behind one address it takes luck to meet each.
const LAST_TRIES: usize = 20;
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(3);

/// Reads the books of whoever answers at the target's address, every second.
pub struct Watch {
    task: JoinHandle<BTreeSet<String>>,
    stop: CancellationToken,
    url: String,
    recorder: Recorder,
}

impl Watch {
    /// Begins, on the current runtime; the first books are read before this returns: what was before the load is not
    /// of this run. A target that has no such books is asked twice.
    pub async fn start(url: &str, recorder: &Recorder) -> Watch {
        let (url, recorder) = (url.to_owned(), recorder.clone());
        if let Ok(books) = scrape(&url).await {
            recorder.observe(Observation::ServiceBooks(books));
        }
        let stop = CancellationToken::new();
        let task = tokio::spawn(watch(url.clone(), recorder.clone(), stop.clone()));
        Watch {
            task,
            stop,
            url,
            recorder,
        }
    }

    /// Reads each process's books a last time, and ends.
    pub async fn last_words(self) {
        self.stop.cancel();
        let mut waiting = self.task.await.unwrap_or_default();
        let ask = async {
            for _ in 0..LAST_TRIES * waiting.len() {
                let Ok(mut books) = scrape(&self.url).await else {
                    continue;
                };
                books.last = true;
                waiting.remove(&books.source);
                self.recorder.observe(Observation::ServiceBooks(books));
                if waiting.is_empty() {
                    break;
                }
            }
        };
        // Who does not answer by then has said its last words before.
        let _ = tokio::time::timeout(LAST_WORDS_WITHIN, ask).await;
    }
}

/// Reads until it is stopped; gives the sources that were seen.
async fn watch(url: String, recorder: Recorder, stop: CancellationToken) -> BTreeSet<String> {
    let mut sources = BTreeSet::new();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        match scrape(&url).await {
            Ok(books) => {
                sources.insert(books.source.clone());
                recorder.observe(Observation::ServiceBooks(books));
            }
            Err(error) if error.is::<NoBooks>() => break,
            // Too busy, or just being replaced: the next second tells.
            Err(_) => {}
        }
    }
    sources
}

/// The target answers, and shows no span books.
#[derive(Debug, thiserror::Error)]
#[error("the target shows no span books at /metrics")]
struct NoBooks;

async fn scrape(url: &str) -> Result<ServiceBooks> {
    tokio::time::timeout(ANSWER_WITHIN, get(url))
        .await
        .context("no answer in time")?
}

async fn get(url: &str) -> Result<ServiceBooks> {
    let uri: http::Uri = url.parse()?;
    if uri.scheme_str() != Some("http") {
        return Err(NoBooks.into()); // they are read without TLS only
    }
    let authority = uri.authority().context("no authority")?.as_str();
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/metrics")
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    ensure!(answer.status() != 503, "busy");
    if !answer.status().is_success() {
        return Err(NoBooks.into());
    }
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER);
    let body = body
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!(error))?;
    connection.abort();
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok(from_metrics(&text).ok_or(NoBooks)?)
}

/// Books from Prometheus or OpenMetrics text; `None` if there are none in it. Names: `otel_sdk_*` of
/// the semantic conventions for SDK metrics, and the service's own for what these do not know.
fn from_metrics(text: &str) -> Option<ServiceBooks> {
    let mut books = ServiceBooks::default();
    let mut found = false;
    for line in text.lines() {
        let Some(sample) = Sample::read(line) else {
            continue;
        };
        let (label, value) = (|name| sample.label(name), sample.count());
        match sample.name {
            "target_info" => {
                books.source = label("service_instance_id").to_owned();
                books.pod = label("k8s_pod_name").to_owned();
            }
            "process_start_time_seconds" => books.since_unix_ns = Some((sample.value * 1e9) as u64),
            "otel_sdk_span_started_total" => (books.started, found) = (value, true),
            "otel_sdk_processor_span_queue_size" | "otel_sdk_exporter_span_inflight" => {
                books.queued += value;
            }
            "otel_sdk_exporter_span_exported_total" => match label("error_type") {
                "" => books.acknowledged += value,
                why => *books.lost.entry(why.to_owned()).or_default() += value,
            },
            "iris_span_recovered_total" => books.recovered = value,
            "iris_span_refused_requests_total" => books.refused_requests = value,
            _ => {}
        }
    }
    found.then_some(books)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn books_are_found_among_other_metrics() {
        let text = r#"# HELP target Who exposes this.
target_info{host_name="a \"b\", c",service_instance_id="pod-7",x=""} 1
otel_sdk_span_started_total 30
otel_sdk_processor_span_queue_size 4
otel_sdk_exporter_span_inflight 2
otel_sdk_exporter_span_exported_total{error_type=""} 20
otel_sdk_exporter_span_exported_total{error_type="shutdown"} 1 1795523672.1
otel_sdk_exporter_span_exported_total{error_type="http_400"} 3
iris_span_refused_requests_total 5
iris_requests_total{a="}",b="\\"} 77
# EOF"#;
        let books = from_metrics(text).unwrap();
        assert_eq!(books.source, "pod-7");
        assert_eq!(
            (books.started, books.queued, books.acknowledged),
            (30, 6, 20)
        );
        let lost = [("http_400", 3), ("shutdown", 1)].map(|(why, n)| (why.to_owned(), n));
        assert_eq!(books.lost, BTreeMap::from(lost));
        assert_eq!((books.refused_requests, books.last), (5, false));
        assert_eq!(from_metrics("up 1\nbroken{\nalso{a=\"} 1"), None);
    }
}
