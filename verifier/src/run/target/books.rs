//! The service's own span books: its `/metrics` text in, journal lines out.

use crate::record::{Observation, Recorder, ServiceBooks};
use crate::run::exposition::Sample;
use crate::run::terminal::say;
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
const LARGEST_ANSWER: usize = 4 << 20;
/// At the end, every process that was seen is asked once more; behind one address it takes luck to meet each.
const LAST_TRIES: usize = 20;
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(3);

/// Where each pod of the target can be asked, by its name, as it changes.
pub type Pods = watch::Receiver<BTreeMap<String, SocketAddr>>;

/// Reads the books of the target's processes, every second.
pub struct Watch {
    task: JoinHandle<Asked>,
    stop: CancellationToken,
    recorder: Recorder,
}

impl Watch {
    /// Begins, on the current runtime; the first books are read before this returns: what was before the load is not
    /// of this run. A target that has no such books is asked twice. Where pods are known, each is asked itself, if that
    /// can be done from here.
    pub async fn start(url: Option<&str>, pods: Option<Pods>, recorder: &Recorder) -> Watch {
        let mut asked = Asked {
            url: url.map(str::to_owned),
            pods,
            each: None,
            sources: BTreeSet::new(),
        };
        let recorder = recorder.clone();
        let _ = asked.all(&recorder, false).await;
        let stop = CancellationToken::new();
        let task = tokio::spawn(ask(asked, recorder.clone(), stop.clone()));
        Watch {
            task,
            stop,
            recorder,
        }
    }

    /// Reads each process's books a last time, and ends.
    pub async fn last_words(self) {
        self.stop.cancel();
        let Ok(mut asked) = self.task.await else {
            return;
        };
        // Who does not answer by then has said its last words before.
        let _ = timeout(LAST_WORDS_WITHIN, asked.last_words(&self.recorder)).await;
    }
}

/// Reads until it is stopped, or there are no books.
async fn ask(mut asked: Asked, recorder: Recorder, stop: CancellationToken) -> Asked {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        if asked.all(&recorder, false).await == Answers::NoBooks {
            break;
        }
    }
    asked
}

/// Who is asked, and who has answered.
struct Asked {
    url: Option<String>,
    pods: Option<Pods>,
    /// Each pod is asked itself; `None`: there has been none to try it with.
    each: Option<bool>,
    /// Processes that are waited for at the end, where it takes luck to meet each.
    sources: BTreeSet<String>,
}

/// What came of asking everybody once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// Somebody answered with books.
    Books,
    /// Somebody answered, and has none.
    NoBooks,
    /// Too busy, or just being replaced, or not there: the next second tells.
    Silence,
}

impl Asked {
    /// Asks everybody once.
    async fn all(&mut self, recorder: &Recorder, last: bool) -> Answers {
        let pods = { self.pods.as_ref() }.map(|pods| pods.borrow().clone());
        let pods = pods.unwrap_or_default();
        if self.each == Some(true) || self.each.is_none() && !pods.is_empty() {
            let answers = each(&pods, recorder, last).await;
            match self.each {
                Some(_) => return answers,
                None if answers != Answers::Silence => {
                    self.each = Some(true);
                    return answers;
                }
                None => self.not_each(),
            }
        }
        let Some(url) = &self.url else {
            return Answers::Silence;
        };
        let books = scrape(url).await;
        if let Ok(books) = &books {
            self.sources.insert(books.source.clone());
        }
        journal(books, "", recorder, last)
    }

    fn not_each(&mut self) {
        self.each = Some(false);
        let instead = match &self.url {
            Some(url) => format!("they are read at {url}, where each answer is one pod's"),
            None => "name the target with --url, or run the verifier in the cluster".to_owned(),
        };
        say(&format!(
            "the pods can not be asked for their span books from here: {instead}"
        ));
    }

    /// Until each process has said its last, as often as there is a chance to meet it.
    async fn last_words(&mut self, recorder: &Recorder) {
        if self.each == Some(true) {
            self.all(recorder, true).await;
            return;
        }
        let Some(url) = self.url.clone() else { return };
        for _ in 0..LAST_TRIES * self.sources.len() {
            let books = scrape(&url).await;
            if let Ok(books) = &books {
                self.sources.remove(&books.source);
            }
            journal(books, "", recorder, true);
            if self.sources.is_empty() {
                break;
            }
        }
    }
}

/// Asks each pod at its own address, all at once.
async fn each(pods: &BTreeMap<String, SocketAddr>, recorder: &Recorder, last: bool) -> Answers {
    let asked = pods.iter().map(|(pod, address)| async move {
        let books = scrape(&format!("http://{address}")).await;
        journal(books, pod, recorder, last)
    });
    let answers = join_all(asked).await;
    [Answers::Books, Answers::NoBooks]
        .into_iter()
        .find(|answer| answers.contains(answer))
        .unwrap_or(Answers::Silence)
}

fn journal(books: Result<ServiceBooks>, pod: &str, recorder: &Recorder, last: bool) -> Answers {
    match books {
        Ok(mut books) => {
            books.last = last;
            if !pod.is_empty() {
                pod.clone_into(&mut books.pod);
            }
            recorder.observe(Observation::ServiceBooks(books));
            Answers::Books
        }
        Err(error) if error.is::<NoBooks>() => Answers::NoBooks,
        Err(_) => Answers::Silence,
    }
}

/// The target answers, and shows no span books.
#[derive(Debug, thiserror::Error)]
#[error("the target shows no span books at /metrics")]
struct NoBooks;

async fn scrape(url: &str) -> Result<ServiceBooks> {
    timeout(ANSWER_WITHIN, get(url))
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
