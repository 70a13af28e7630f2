//! A client of the stores that are read, and of receivers: GET, POST, and calls of gRPC; plain or TLS, answers bounded in size and time.
//!
//! gRPC: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md. Certificates are the machine's, or those that `SSL_CERT_FILE` names.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pooled;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::{Duration, UNIX_EPOCH};

/// Until an answer is there as a whole.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Largest answer: a slice of a store's traces.
const LARGEST_ANSWER: usize = 1 << 30;

/// Connections to one store.
#[derive(Clone)]
pub(in crate::run) struct Client {
    connections: Pooled<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A call's end that is no success.
#[derive(Clone, Debug, thiserror::Error)]
#[error("gRPC status {code}: {message}")]
pub(super) struct Status {
    /// As google.rpc.Code numbers them.
    pub(super) code: u32,
    pub(super) message: String,
}

impl Client {
    /// For HTTP/1.1, and HTTP/2 where TLS agrees on it.
    ///
    /// # Errors
    /// When the machine has no certificates to trust.
    pub(in crate::run) fn new() -> Result<Client> {
        Client::with(false)
    }

    /// For gRPC: HTTP/2 from the first byte.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(super) fn grpc() -> Result<Client> {
        Client::with(true)
    }

    fn with(http2: bool) -> Result<Client> {
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .context("cannot read this machine's certificates")?
            .https_or_http();
        let connector = match http2 {
            true => connector.enable_http2().build(),
            false => connector.enable_all_versions().build(),
        };
        let connections = Pooled::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http2_only(http2)
            .http2_initial_stream_window_size(8 << 20)
            .http2_initial_connection_window_size(32 << 20)
            .build(connector);
        Ok(Client { connections })
    }

    /// GET; the status and the whole body.
    ///
    /// # Errors
    /// When nothing answers, or not whole, within a minute.
    pub(in crate::run) async fn get(
        &self,
        url: &str,
        headers: &[(header::HeaderName, String)],
    ) -> Result<(StatusCode, Bytes)> {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// POST; the status and the whole body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn post(
        &self,
        url: &str,
        content_type: &str,
        body: &Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        let headers = [(header::CONTENT_TYPE, content_type.to_owned())];
        self.send(Method::POST, url, &headers, body.clone()).await
    }

    /// Any request; the status and the whole body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(in crate::run) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(header::HeaderName, String)],
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder().method(method).uri(url);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let request = request.body(Full::new(body))?;
        let answer = async {
            let answer = self.connections.request(request).await?;
            let status = answer.status();
            Ok((status, whole(answer.into_body()).await?))
        };
        within(answer).await
    }

    /// Calls a gRPC method with one message; its answers, each whole, or the status that it ended with.
    ///
    /// # Errors
    /// When nothing answers, or it is no gRPC.
    pub(super) async fn call(
        &self,
        method: &str,
        message: &[u8],
    ) -> Result<Result<Vec<Bytes>, Status>> {
        let length = u32::try_from(message.len()).context("a request of gigabytes")?;
        let mut frame = BytesMut::with_capacity(message.len() + 5);
        frame.extend_from_slice(&[0]);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(message);
        let request = Request::post(method)
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(frame.freeze()))?;
        within(async { answered(self.connections.request(request).await?).await }).await
    }
}

async fn answered(answer: http::Response<Incoming>) -> Result<Result<Vec<Bytes>, Status>> {
    ensure!(
        answer.status() == StatusCode::OK,
        "no gRPC there: HTTP status {}",
        answer.status()
    );
    let mut status = status(answer.headers());
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER);
    let body = { body }
        .collect()
        .await
        .map_err(anyhow::Error::from_boxed)?;
    if let Some(trailers) = body.trailers() {
        status = self::status(trailers).or(status);
    }
    match status {
        Some(Status { code: 0, .. }) => {}
        Some(status) => return Ok(Err(status)),
        None => bail!("the answer broke off: it has no gRPC status"),
    }
    Ok(Ok(messages(body.to_bytes())?))
}

fn status(headers: &HeaderMap) -> Option<Status> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let code = text("grpc-status")?.parse().ok()?;
    let message = text("grpc-message").unwrap_or_default();
    let message = percent_encoding::percent_decode_str(message).decode_utf8_lossy();
    Some(Status {
        code,
        message: message.into_owned(),
    })
}

/// The messages behind their prefixes of five bytes.
fn messages(mut body: Bytes) -> Result<Vec<Bytes>> {
    let mut messages = Vec::new();
    while body.has_remaining() {
        ensure!(body.remaining() >= 5, "the answer ends within a frame");
        ensure!(body.get_u8() == 0, "compressed answers were not asked for");
        let length = body.get_u32() as usize;
        ensure!(
            body.remaining() >= length,
            "the answer ends within a message"
        );
        messages.push(body.split_to(length));
    }
    Ok(messages)
}

async fn whole(body: Incoming) -> Result<Bytes> {
    let body = Limited::new(body, LARGEST_ANSWER);
    let body = { body }
        .collect()
        .await
        .map_err(anyhow::Error::from_boxed)?;
    Ok(body.to_bytes())
}

async fn within<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(ANSWER_WITHIN, answer)
        .await
        .with_context(|| format!("no whole answer within {} s", ANSWER_WITHIN.as_secs()))?
}

/// Unix nanoseconds as RFC 3339, with colons escaped for a query.
pub(super) fn moment(unix_ns: u64) -> String {
    humantime::format_rfc3339_nanos(UNIX_EPOCH + Duration::from_nanos(unix_ns))
        .to_string()
        .replace(':', "%3A")
}

/// The beginning of a body, for a person.
pub(super) fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}
