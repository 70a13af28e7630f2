//! A collector in trouble: stands between the service and the verifier's receiver, passes exports on
//! over gRPC and HTTP, and misbehaves on command.

use bytes::{BufMut, Bytes, BytesMut};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::convert::Infallible;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// What it does with an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Passes it on.
    Well,
    /// Passes it on after so long.
    Slow(Duration),
    /// Refuses it for now: HTTP 503, gRPC UNAVAILABLE.
    Unavailable,
    /// Refuses it for now: HTTP 429, gRPC RESOURCE_EXHAUSTED; with `Retry-After` or `RetryInfo` of a second.
    Exhausted { retry_info: bool },
    /// Says yes and that all of its spans are rejected; passes nothing on.
    RejectsAll,
    /// Closes the connection when half of the body is there.
    Resets,
    /// Passes it on, and closes the connection instead of answering.
    LosesAnswers,
}

/// The gateway. Dropped, it closes its port and its connections.
pub struct Gateway {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    open: CancellationToken,
}

struct Shared {
    receiver: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mood: Mood,
    exports: u64,
    rejected: u64,
}

impl Gateway {
    /// Listens on a free port.
    pub fn start(receiver: SocketAddr) -> Gateway {
        let state = State {
            mood: Mood::Well,
            exports: 0,
            rejected: 0,
        };
        let shared = Arc::new(Shared {
            receiver,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        Gateway::listen(SocketAddr::from(([127, 0, 0, 1], 0)), shared)
    }

    fn listen(address: SocketAddr, shared: Arc<Shared>) -> Gateway {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let open = CancellationToken::new();
        let (serving, until) = (Arc::clone(&shared), open.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            // With the runtime its connections end, too.
            runtime.block_on(until.run_until_cancelled(serve(listener, serving)));
        });
        Gateway {
            address,
            shared,
            open,
        }
    }

    /// Closes the port and every connection for as long as `meanwhile` takes, then is there again.
    pub fn away(&mut self, meanwhile: impl FnOnce()) {
        self.open.cancel();
        meanwhile();
        *self = Gateway::listen(self.address, Arc::clone(&self.shared));
    }

    pub fn set(&self, mood: Mood) {
        self.shared.state.lock().unwrap().mood = mood;
    }

    /// Waits until so many more exports have come, whatever became of them.
    pub fn wait_for(&self, exports: u64) {
        assert!(self.sees(exports), "no exports come");
    }

    /// The same; false if they do not come.
    pub fn sees(&self, exports: u64) -> bool {
        let state = self.shared.state.lock().unwrap();
        let enough = state.exports + exports;
        let limit = Duration::from_secs(60);
        let (_state, waited) = self
            .shared
            .changed
            .wait_timeout_while(state, limit, |state| state.exports < enough)
            .unwrap();
        !waited.timed_out()
    }

    /// Spans that it has rejected for good.
    pub fn rejected(&self) -> u64 {
        self.shared.state.lock().unwrap().rejected
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.open.cancel();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&shared);
        let service = hyper::service::service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request).await }
        });
        tokio::spawn(async move {
            let http = auto::Builder::new(TokioExecutor::new());
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let mood = self.state.lock().unwrap().mood;
        let answer = self.react(mood, request).await;
        self.state.lock().unwrap().exports += 1;
        self.changed.notify_all();
        answer
    }

    async fn react(
        &self,
        mood: Mood,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Closed> {
        let (head, mut body) = request.into_parts();
        if mood == Mood::Resets {
            // Some of it arrives, and then nobody is there.
            let _ = body.frame().await;
            return Err(Closed);
        }
        let grpc = head.headers["content-type"] == "application/grpc";
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        match mood {
            Mood::Resets => Err(Closed),
            Mood::Well => self.pass_on(head, body).await,
            Mood::Slow(delay) => {
                tokio::time::sleep(delay).await;
                self.pass_on(head, body).await
            }
            Mood::LosesAnswers => {
                self.pass_on(head, body).await?;
                Err(Closed)
            }
            Mood::Unavailable if grpc => Ok(grpc_refusal(14, None)),
            Mood::Unavailable => Ok(http_refusal(503, None)),
            Mood::Exhausted { retry_info } if grpc => Ok(grpc_refusal(8, retry_info.then_some(1))),
            Mood::Exhausted { retry_info } => Ok(http_refusal(429, retry_info.then_some(1))),
            Mood::RejectsAll => {
                let spans = spans(grpc, &head.headers, &body);
                self.state.lock().unwrap().rejected += spans;
                Ok(rejection(grpc, spans))
            }
        }
    }

    async fn pass_on(
        &self,
        head: http::request::Parts,
        body: Bytes,
    ) -> Result<Response<Body>, Closed> {
        self.forward(head, body).await.map_err(|_| Closed)
    }

    /// To the receiver, over a connection of its own.
    async fn forward(
        &self,
        mut head: http::request::Parts,
        body: Bytes,
    ) -> anyhow::Result<Response<Body>> {
        let stream = TokioIo::new(TcpStream::connect(self.receiver).await?);
        let answer = if head.version == http::Version::HTTP_2 {
            let path = head.uri.path();
            head.uri = format!("http://{}{path}", self.receiver).parse::<Uri>()?;
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            let request = Request::from_parts(head, Full::new(body));
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            let request = Request::from_parts(head, Full::new(body));
            sender.send_request(request).await?
        };
        let (mut head, body) = answer.into_parts();
        head.headers.remove("content-length");
        head.headers.remove("transfer-encoding");
        let body = body.collect().await?;
        let trailers = body.trailers().cloned().map(Frame::trailers);
        let frames = [Some(Frame::data(body.to_bytes())), trailers];
        Ok(Response::from_parts(head, frames_of(frames)))
    }
}

fn frames_of(frames: impl IntoIterator<Item = Option<Frame<Bytes>>>) -> Body {
    let frames: Vec<_> = frames.into_iter().flatten().map(Ok).collect();
    UnsyncBoxBody::new(StreamBody::new(futures_util::stream::iter(frames)))
}

fn http_refusal(status: u16, retry_after: Option<u64>) -> Response<Body> {
    let mut response = Response::new(frames_of([]));
    *response.status_mut() = status.try_into().unwrap();
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

/// Trailers only, with `google.rpc.Status { details: [Any(RetryInfo)] }` on demand.
fn grpc_refusal(code: u16, retry_after: Option<u8>) -> Response<Body> {
    let mut response = Response::new(frames_of([]));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", code.into());
    if let Some(seconds) = retry_after {
        use base64::Engine;
        let field = |tag: u8, content: &[u8]| {
            [
                &[tag << 3 | 2, u8::try_from(content.len()).unwrap()],
                content,
            ]
            .concat()
        };
        let any = [
            field(1, b"type.googleapis.com/google.rpc.RetryInfo"),
            field(2, &field(1, &[0x08, seconds])),
        ];
        let details =
            base64::engine::general_purpose::STANDARD_NO_PAD.encode(field(3, &any.concat()));
        headers.insert("grpc-status-details-bin", details.parse().unwrap());
    }
    response
}

/// Number of spans in an export.
fn spans(grpc: bool, headers: &HeaderMap, body: &Bytes) -> u64 {
    let message = body.slice(if grpc { 5 } else { 0 }..);
    let compressed = ["grpc-encoding", "content-encoding"]
        .iter()
        .any(|name| headers.contains_key(*name));
    let mut plain = Vec::new();
    if compressed {
        GzDecoder::new(&*message).read_to_end(&mut plain).unwrap();
    } else {
        plain.extend_from_slice(&message);
    }
    let request = ExportTraceServiceRequest::decode(&*plain).unwrap();
    let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
    scopes.map(|scope| scope.spans.len() as u64).sum()
}

/// A success that rejects so many spans.
fn rejection(grpc: bool, spans: u64) -> Response<Body> {
    let message = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: i64::try_from(spans).unwrap(),
            error_message: "no room for petals".to_owned(),
        }),
    }
    .encode_to_vec();
    if !grpc {
        return Response::new(frames_of([Some(Frame::data(message.into()))]));
    }
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.put_slice(&message);
    let trailers = HeaderMap::from_iter([(
        "grpc-status".parse().unwrap(),
        HeaderValue::from_static("0"),
    )]);
    let frames = [Frame::data(framed.freeze()), Frame::trailers(trailers)];
    let mut response = Response::new(frames_of(frames.map(Some)));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", grpc);
    response
}

/// The gateway hung up on purpose.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by the gateway")
    }
}

impl std::error::Error for Closed {}
