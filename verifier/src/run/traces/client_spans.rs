//! Exchange rows of a load that has ended in, the verifier's own spans out to an OTLP/HTTP receiver: a viewer then shows
//! whole traces, with the client at the root.
//!
//! Protocol: opentelemetry.io/docs/specs/otlp, "OTLP/HTTP", binary encoding.

mod message;

use super::client::Client;
use crate::record::{ClientSpan, Exchange, RowReader, RunKey};
use anyhow::{Context, Result, bail, ensure};
use http::StatusCode;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Spans of one request: some 150 KB.
const BATCH: usize = 1_000;
/// Tries of a batch; between them 0.1 s, then twice as long each time: 12.7 s in all.
const TRIES: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Until one try has its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer of failure that are told.
const TOLD: usize = 200;

/// Where the spans go.
pub struct ClientSpans {
    url: String,
    client: Client,
}

/// What became of them: each is in one of the two counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Taken over.
    pub sent: u64,
    /// Not taken over.
    pub lost: u64,
    /// Why the first of those was not.
    pub error: Option<String>,
}

/// Whose exchanges they are.
pub struct OfRun<'a> {
    /// Where the rows are.
    pub rows: &'a Path,
    /// Gives the ids.
    pub key: RunKey,
    /// Unix nanoseconds at zero of the run's clock.
    pub origin_unix_ns: u64,
    /// Names of the spans, by task.
    pub names: &'a [String],
}

impl ClientSpans {
    /// For the whole address of a receiver.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn to(url: &str) -> Result<ClientSpans> {
        let like = "write the whole address, like http://127.0.0.1:4318/v1/traces";
        let uri: http::Uri = url
            .parse()
            .with_context(|| format!("--export-client-spans {url:?} is no address: {like}"))?;
        ensure!(
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() != "/",
            "--export-client-spans {url:?}: {like}"
        );
        Ok(ClientSpans {
            url: url.to_owned(),
            client: Client::new()?,
        })
    }

    /// Exports a span of every exchange that somebody tried to send, batch by batch. A batch that the receiver does not
    /// take is the last that is sent: what would come after it is lost, too, and counted. `stop` ends it early.
    pub async fn export(&self, run: &OfRun<'_>, stop: &CancellationToken) -> Exported {
        let mut exported = Exported::default();
        let batches = match RowReader::<Exchange>::open(run.rows, BATCH) {
            Ok(batches) => batches,
            Err(error) => {
                exported.error = Some(format!("{error:#}"));
                return exported;
            }
        };
        let mut over = false;
        for batch in batches {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    exported.fails(0, format!("{error:#}"));
                    break;
                }
            };
            let spans: Vec<(&str, ClientSpan)> = { batch.iter() }
                .filter_map(|exchange| run.span(exchange))
                .collect();
            let count = spans.len() as u64;
            if count == 0 || over {
                exported.lost += count;
                continue;
            }
            let body = bytes::Bytes::from(message::request(&spans));
            let sent = tokio::select! {
                sent = self.send(&body) => sent,
                () = stop.cancelled() => Err(anyhow::anyhow!("stopped before its end")),
            };
            match sent {
                Ok(None) => exported.sent += count,
                Ok(Some((rejected, why))) => {
                    let rejected = rejected.min(count);
                    exported.sent += count - rejected;
                    exported.fails(rejected, format!("rejected: {why}"));
                }
                Err(error) => {
                    over = true;
                    exported.fails(count, format!("{error:#}"));
                }
            }
        }
        exported
    }

    /// Sends one batch until it is taken over, or will not be.
    async fn send(&self, body: &bytes::Bytes) -> Result<Option<(u64, String)>> {
        let mut pause = FIRST_PAUSE;
        for left in (0..TRIES).rev() {
            let posted = self.client.post(&self.url, "application/x-protobuf", body);
            let answer = tokio::time::timeout(ANSWER_WITHIN, posted).await;
            let why = match answer {
                Ok(Ok((status, body))) if status.is_success() => return message::rejected(&body),
                Ok(Ok((status, body))) => {
                    let body = String::from_utf8_lossy(&body[..body.len().min(TOLD)]).into_owned();
                    let why = format!("HTTP status {status}: {}", body.escape_debug());
                    if !passing(status) {
                        bail!(why);
                    }
                    why
                }
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
            };
            if left == 0 {
                bail!("{TRIES} tries failed, the last: {why}");
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(None)
    }
}

/// The statuses after which the specification has a sender try again.
fn passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

impl OfRun<'_> {
    fn span(&self, exchange: &Exchange) -> Option<(&str, ClientSpan)> {
        let name = self.names.get(usize::from(exchange.task));
        let span = ClientSpan::of(&self.key, self.origin_unix_ns, exchange)?;
        Some((name.map_or("", String::as_str), span))
    }
}

impl Exported {
    fn fails(&mut self, spans: u64, why: String) {
        self.lost += spans;
        self.error.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::ClientSpans;

    #[test]
    fn addresses_are_whole() {
        assert!(ClientSpans::to("http://127.0.0.1:4318/v1/traces").is_ok());
        for wrong in [
            "",
            "127.0.0.1:4318",
            "http://127.0.0.1:4318",
            "grpc://a/v1/traces",
            "http://a b/v1/traces",
        ] {
            assert!(ClientSpans::to(wrong).is_err(), "{wrong}");
        }
    }
}
