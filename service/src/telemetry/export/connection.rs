//! One connection to the collector: HTTP/1.1 with keep-alive for OTLP/HTTP, HTTP/2 with prior
//! knowledge for gRPC, over TCP or TLS. A batch's pieces in, the collector's answer out.

use std::{future::Future, time::Duration};

use anyhow::{Context, Error, Result, anyhow, bail};
use http::{Method, Request, Response, Version};
use http_body_util::{BodyExt, Limited};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::{
    answer::{self, Answer},
    body::Pieces,
    grpc,
    stream::{Complaint, Stream},
    target::Target,
};
use crate::telemetry::config::Protocol;

/// The longest answer that is read (the specification asks for a bound).
const ANSWER_BYTES: usize = 4 << 20;
/// For TCP, and again for TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// An open connection.
pub(super) struct Connection {
    sender: Sender,
    complaint: Complaint,
}

enum Sender {
    Http1(http1::SendRequest<Pieces>),
    Http2(http2::SendRequest<Pieces>),
}

/// There is no connection, or no answer on it: a reason to count, and a cause to read.
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) cause: Error,
}

impl Failure {
    fn new(reason: &'static str) -> impl FnOnce(Error) -> Failure {
        move |cause| Failure { reason, cause }
    }
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Connection, Failure> {
        let complaint = Complaint::default();
        let tcp = connect(target)
            .await
            .map_err(Failure::new("connect_error"))?;
        let stream = match &target.tls {
            None => Stream::Plain(tcp),
            Some(tls) => {
                let tls = within(target, tls.handshake(tcp)).await;
                let tls = tls
                    .with_context(|| format!("TLS with {}", target.origin()))
                    .map_err(Failure::new("tls_error"))?;
                Stream::Tls(Box::new(tls), complaint.clone())
            }
        };
        match speak(target.protocol, stream).await {
            Ok(sender) => Ok(Connection { sender, complaint }),
            Err(error) => Err(failure(&complaint, "connect_error", error.into())),
        }
    }

    /// Whether another request may be sent.
    pub(super) fn usable(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends the body and waits for the answer; a failure means that none came.
    pub(super) async fn send(&mut self, target: &Target, body: Pieces) -> Result<Answer, Failure> {
        let exchange = self.sender.exchange(target, body);
        match tokio::time::timeout(target.timeout, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(failure(&self.complaint, "connection_lost", error)),
            Err(_) => Err(Failure {
                reason: "timeout",
                cause: anyhow!("no answer within {:?}", target.timeout),
            }),
        }
    }
}

/// What TLS has complained of is the reason, whatever became of it on its way through hyper.
fn failure(complaint: &Complaint, otherwise: &'static str, error: Error) -> Failure {
    match complaint.get() {
        Some(complaint) => Failure {
            reason: "tls_error",
            cause: anyhow!("TLS: {complaint}"),
        },
        None => Failure {
            reason: otherwise,
            cause: error,
        },
    }
}

async fn connect(target: &Target) -> Result<TcpStream> {
    let connect = TcpStream::connect((target.host.as_str(), target.port));
    let tcp = within(target, connect)
        .await
        .with_context(|| format!("cannot connect to {}", target.origin()))?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

async fn within<T>(target: &Target, step: impl Future<Output = std::io::Result<T>>) -> Result<T> {
    let limit = CONNECT_TIMEOUT.min(target.timeout);
    let done = tokio::time::timeout(limit, step).await;
    Ok(done.with_context(|| format!("not within {limit:?}"))??)
}

async fn speak(protocol: Protocol, stream: Stream) -> hyper::Result<Sender> {
    let io = TokioIo::new(stream);
    match protocol {
        Protocol::HttpProtobuf => {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            Ok(Sender::Http1(sender))
        }
        Protocol::Grpc => {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                // A peer that vanished without a word is noticed even between batches.
                .keep_alive_interval(Duration::from_secs(30))
                .handshake(io)
                .await?;
            tokio::spawn(connection);
            Ok(Sender::Http2(sender))
        }
    }
}

impl Sender {
    async fn exchange(&mut self, target: &Target, body: Pieces) -> Result<Answer> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.uri.clone();
        *request.headers_mut() = target.headers.clone();
        let response = match self {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                *request.version_mut() = Version::HTTP_2;
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        read(response, target.protocol).await
    }
}

async fn read(response: Response<Incoming>, protocol: Protocol) -> Result<Answer> {
    let (head, body) = response.into_parts();
    let body = match (Limited::new(body, ANSWER_BYTES).collect().await, protocol) {
        (Ok(body), _) => body,
        // The status came first, and it is the verdict.
        (Err(_), Protocol::HttpProtobuf) => {
            return Ok(answer::http(head.status, &head.headers, b""));
        }
        (Err(error), Protocol::Grpc) => bail!("answer is unreadable: {error}"),
    };
    let trailers = body.trailers().cloned();
    let bytes = body.to_bytes();
    Ok(match protocol {
        Protocol::HttpProtobuf => answer::http(head.status, &head.headers, &bytes),
        Protocol::Grpc => grpc::answer(
            head.status,
            trailers.as_ref().unwrap_or(&head.headers),
            &bytes,
        ),
    })
}
