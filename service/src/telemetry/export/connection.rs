//! One connection to the collector: HTTP/1.1 with keep-alive for OTLP/HTTP, HTTP/2 with prior
//! knowledge for gRPC. A batch's pieces in, the collector's answer out.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version, header};
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
};
use crate::telemetry::config::{Compression, OtlpConfig, Protocol};

/// The longest answer that is read (the specification asks for a bound).
const ANSWER_BYTES: usize = 4 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The collector, and how to speak to it.
#[derive(Debug)]
pub(super) struct Target {
    host: String,
    port: u16,
    uri: Uri,
    headers: HeaderMap,
    protocol: Protocol,
    gzip: bool,
    timeout: Duration,
}

impl Target {
    pub(super) fn new(config: &OtlpConfig) -> Result<Target> {
        let endpoint = &config.endpoint;
        let uri: Uri = endpoint
            .parse()
            .with_context(|| format!("OTLP endpoint {endpoint:?} is no URL"))?;
        ensure!(
            uri.scheme_str() == Some("http"),
            "OTLP endpoint {endpoint:?}: only http:// is supported; put a collector beside the service for TLS"
        );
        let host = uri
            .host()
            .with_context(|| format!("OTLP endpoint {endpoint:?} has no host"))?;
        let gzip = config.compression == Compression::Gzip;
        let port = uri.port_u16().unwrap_or(match config.protocol {
            Protocol::Grpc => 4317,
            Protocol::HttpProtobuf => 80,
        });
        Ok(Target {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            headers: headers(&uri, config, gzip)?,
            uri: request_uri(&uri, config.protocol)?,
            protocol: config.protocol,
            gzip,
            timeout: config.timeout,
        })
    }

    /// Pieces of a message as the body of a request.
    pub(super) fn body(&self, pieces: Vec<Bytes>) -> Pieces {
        let pieces = Pieces::new(pieces);
        let pieces = if self.gzip { pieces.gzip() } else { pieces };
        match self.protocol {
            Protocol::Grpc => pieces.grpc_message(self.gzip),
            Protocol::HttpProtobuf => pieces,
        }
    }
}

fn request_uri(uri: &Uri, protocol: Protocol) -> Result<Uri> {
    let mut parts = uri.clone().into_parts();
    match protocol {
        Protocol::Grpc => {
            let prefix = uri.path().trim_end_matches('/');
            parts.path_and_query = Some(format!("{prefix}{GRPC_PATH}").parse()?);
        }
        // HTTP/1.1 wants the origin form; the host goes into its header.
        Protocol::HttpProtobuf => {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            return Ok(path.parse()?);
        }
    }
    Ok(Uri::from_parts(parts)?)
}

fn headers(uri: &Uri, config: &OtlpConfig, gzip: bool) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!(
            "OTel-OTLP-Exporter-Rust/",
            env!("CARGO_PKG_VERSION"),
            " ",
            env!("CARGO_PKG_NAME")
        )),
    );
    let encoding = HeaderValue::from_static("gzip");
    match config.protocol {
        Protocol::Grpc => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/grpc"),
            );
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            if gzip {
                headers.insert("grpc-encoding", encoding);
            }
        }
        Protocol::HttpProtobuf => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-protobuf"),
            );
            let host = uri.authority().map_or("", |authority| authority.as_str());
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            headers.insert(header::HOST, host.parse()?);
            if gzip {
                headers.insert(header::CONTENT_ENCODING, encoding);
            }
        }
    }
    for (name, value) in &config.headers {
        let bad = || format!("OTLP header {name:?} is not a valid HTTP header");
        let value = HeaderValue::from_str(value).with_context(bad)?;
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).with_context(bad)?,
            value,
        );
    }
    Ok(headers)
}

/// An open connection.
pub(super) enum Connection {
    Http1(http1::SendRequest<Pieces>),
    Http2(http2::SendRequest<Pieces>),
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Connection> {
        let connect = TcpStream::connect((target.host.as_str(), target.port));
        let stream = tokio::time::timeout(CONNECT_TIMEOUT.min(target.timeout), connect)
            .await
            .context("timed out")??;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        match target.protocol {
            Protocol::HttpProtobuf => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Ok(Connection::Http1(sender))
            }
            Protocol::Grpc => {
                let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                    .timer(TokioTimer::new())
                    // A peer that vanished without a word is noticed even between batches.
                    .keep_alive_interval(Duration::from_secs(30))
                    .handshake(io)
                    .await?;
                tokio::spawn(connection);
                Ok(Connection::Http2(sender))
            }
        }
    }

    /// Whether another request may be sent.
    pub(super) fn usable(&self) -> bool {
        match self {
            Connection::Http1(sender) => !sender.is_closed(),
            Connection::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends the body and waits for the answer; an error means that none came.
    pub(super) async fn send(&mut self, target: &Target, body: Pieces) -> Result<Answer> {
        tokio::time::timeout(target.timeout, self.exchange(target, body))
            .await
            .context("timed out")?
    }

    async fn exchange(&mut self, target: &Target, body: Pieces) -> Result<Answer> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.uri.clone();
        *request.headers_mut() = target.headers.clone();
        let response = match self {
            Connection::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Connection::Http2(sender) => {
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
