//! A strict OTLP collector on a thread of its own: speaks gRPC and HTTP/protobuf, decodes with
//! OpenTelemetry's own types, answers by script, and keeps every span that it said yes to.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    io::Read,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use iris_prediction_api::telemetry::{
    Compression, Exporter, OnPressure, OtlpConfig, Protocol, TelemetryConfig,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;

/// How one export is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Everything is taken.
    Take,
    /// All but so many spans are taken.
    TakeBut(u64),
    /// An HTTP status, with `Retry-After` in seconds.
    Http(u16, Option<u64>),
    /// A gRPC status, with its message and `RetryInfo`.
    Grpc(u8, &'static str, Option<Duration>),
    /// The connection is closed without an answer; the spans are *not* kept.
    Reset,
    /// Everything is taken, but the connection is closed before the answer: a duplicate will come.
    TakeAndReset,
    /// No answer, ever.
    Hang,
}

/// The collector. Exports beyond the script are taken.
#[derive(Clone)]
pub struct Sink {
    pub address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    repeat: Option<Reply>,
    exports: usize,
    largest: usize,
    taken: Vec<ResourceSpans>,
    headers: Vec<HeaderMap>,
    rejected: u64,
}

impl Sink {
    pub fn start(script: impl IntoIterator<Item = Reply>) -> Sink {
        Sink::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub fn start_on(listener: TcpListener, script: impl IntoIterator<Item = Reply>) -> Sink {
        let state = State {
            script: script.into_iter().collect(),
            ..State::default()
        };
        let address = listener.local_addr().unwrap();
        let sink = Sink {
            address,
            state: Arc::new((Mutex::new(state), Condvar::new())),
        };
        let serving = sink.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serving.serve(listener));
        });
        sink
    }

    /// From now on every export is answered so; `None`: taken.
    pub fn always(&self, reply: Option<Reply>) {
        self.state.0.lock().unwrap().repeat = reply;
    }

    /// Telemetry that exports here.
    pub fn config(&self, protocol: Protocol) -> TelemetryConfig {
        config(self.address, protocol)
    }

    /// Blocks until the sink has answered so many exports.
    pub fn wait_for_exports(&self, count: usize) {
        self.wait(|state| state.exports >= count);
    }

    /// Blocks until the sink holds so many spans.
    pub fn wait_for_spans(&self, count: usize) {
        self.wait(|state| spans(&state.taken).count() >= count);
    }

    fn wait(&self, mut enough: impl FnMut(&State) -> bool) {
        let (lock, changed) = &*self.state;
        let limit = Duration::from_secs(30);
        let (_state, waited) = changed
            .wait_timeout_while(lock.lock().unwrap(), limit, |state| !enough(state))
            .unwrap();
        assert!(!waited.timed_out(), "the sink waits in vain");
    }

    /// Every span taken, duplicates included.
    pub fn spans(&self) -> Vec<Span> {
        spans(&self.state.0.lock().unwrap().taken)
            .cloned()
            .collect()
    }

    /// Number of different spans taken.
    pub fn distinct(&self) -> usize {
        let all = self.spans();
        all.iter()
            .map(|span| (&span.trace_id, &span.span_id))
            .collect::<HashSet<_>>()
            .len()
    }

    pub fn resource_spans(&self) -> Vec<ResourceSpans> {
        self.state.0.lock().unwrap().taken.clone()
    }

    /// Headers of every export.
    pub fn headers(&self) -> Vec<HeaderMap> {
        self.state.0.lock().unwrap().headers.clone()
    }

    pub fn exports(&self) -> usize {
        self.state.0.lock().unwrap().exports
    }

    pub fn rejected(&self) -> u64 {
        self.state.0.lock().unwrap().rejected
    }

    /// Size of the largest message, uncompressed.
    pub fn largest(&self) -> usize {
        self.state.0.lock().unwrap().largest
    }

    async fn serve(self, listener: TcpListener) {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let sink = self.clone();
            let service = hyper::service::service_fn(move |request| {
                let sink = sink.clone();
                async move { sink.answer(request).await }
            });
            tokio::spawn(async move {
                let http = auto::Builder::new(TokioExecutor::new());
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let (head, body) = request.into_parts();
        let grpc = head.headers["content-type"] == "application/grpc";
        assert_eq!(head.method, "POST");
        if grpc {
            assert_eq!(
                head.uri.path(),
                "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
            );
            assert_eq!(head.headers["te"], "trailers");
        } else {
            assert_eq!(head.uri.path(), "/v1/traces");
            assert_eq!(head.headers["content-type"], "application/x-protobuf");
        }
        let Ok(body) = body.collect().await else {
            return Err(Closed);
        };
        let message = message(grpc, &head.headers, body.to_bytes());
        let request = ExportTraceServiceRequest::decode(&*message).expect("a valid request");
        let reply = self.decide(message.len(), request, head.headers);
        match reply {
            Reply::Hang => std::future::pending().await,
            Reply::Reset | Reply::TakeAndReset => Err(Closed),
            reply if grpc => Ok(grpc_answer(&reply)),
            reply => Ok(http_answer(&reply)),
        }
    }

    fn decide(&self, size: usize, request: ExportTraceServiceRequest, headers: HeaderMap) -> Reply {
        let (lock, changed) = &*self.state;
        let mut state = lock.lock().unwrap();
        let next = state.script.pop_front().or(state.repeat.clone());
        let reply = next.unwrap_or(Reply::Take);
        state.exports += 1;
        state.largest = state.largest.max(size);
        state.headers.push(headers);
        if let Reply::TakeBut(rejected) = reply {
            state.rejected += rejected;
        }
        if matches!(reply, Reply::Take | Reply::TakeBut(_) | Reply::TakeAndReset) {
            state.taken.extend(request.resource_spans);
        }
        changed.notify_all();
        reply
    }
}

/// Telemetry that exports to the address.
pub fn config(address: SocketAddr, protocol: Protocol) -> TelemetryConfig {
    let path = if protocol == Protocol::Grpc {
        ""
    } else {
        "/v1/traces"
    };
    TelemetryConfig {
        service_name: "iris-under-test".to_owned(),
        resource_attributes: vec![("k8s.pod.name".to_owned(), "pod-1".to_owned())],
        exporter: Exporter::Otlp(OtlpConfig {
            endpoint: format!("http://{address}{path}"),
            protocol,
            timeout: Duration::from_secs(5),
            headers: vec![("x-tenant".to_owned(), "flowers".to_owned())],
            compression: Compression::None,
            certificate: None,
            client_certificate: None,
            client_key: None,
        }),
        propagate: true,
        span_buffer_bytes: 64 << 20,
        on_pressure: OnPressure::Shed,
        collector_patience: Duration::from_secs(60),
        spill: None,
        export_connections: 2,
        flush_timeout: Duration::from_secs(10),
    }
}

/// The OTLP part of a configuration.
pub fn otlp(config: &mut TelemetryConfig) -> &mut OtlpConfig {
    match &mut config.exporter {
        Exporter::Otlp(otlp) => otlp,
        Exporter::None { .. } => panic!("exports"),
    }
}

fn spans(taken: &[ResourceSpans]) -> impl Iterator<Item = &Span> {
    taken
        .iter()
        .flat_map(|r| &r.scope_spans)
        .flat_map(|s| &s.spans)
}

fn message(grpc: bool, headers: &HeaderMap, body: Bytes) -> Bytes {
    let (encoding, body, compressed) = if grpc {
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        assert_eq!(length, body.len() - 5, "one whole message");
        (headers.get("grpc-encoding"), body.slice(5..), body[0] == 1)
    } else {
        (
            headers.get("content-encoding"),
            body,
            headers.contains_key("content-encoding"),
        )
    };
    assert_eq!(
        compressed,
        encoding.is_some_and(|encoding| encoding == "gzip")
    );
    if !compressed {
        return body;
    }
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&*body)
        .read_to_end(&mut plain)
        .unwrap();
    plain.into()
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

fn body(frames: Vec<Frame<Bytes>>) -> Body {
    let frames = futures_util::stream::iter(frames.into_iter().map(Ok));
    UnsyncBoxBody::new(StreamBody::new(frames))
}

fn response(rejected: u64) -> Vec<u8> {
    let partial_success = (rejected > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: rejected as i64,
        error_message: "too many petals".to_owned(),
    });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

fn http_answer(reply: &Reply) -> Response<Body> {
    let (status, retry_after, bytes) = match reply {
        Reply::TakeBut(rejected) => (200, &None, response(*rejected)),
        Reply::Http(status, retry_after) => (*status, retry_after, Vec::new()),
        _ => (200, &None, response(0)),
    };
    let mut response = Response::new(body(vec![Frame::data(bytes.into())]));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert("retry-after", (*seconds).into());
    }
    response
}

fn grpc_answer(reply: &Reply) -> Response<Body> {
    let head = |body| {
        Response::builder()
            .header("content-type", "application/grpc")
            .body(body)
            .unwrap()
    };
    if let Reply::Http(status, _) = reply {
        return Response::builder()
            .status(*status)
            .body(body(Vec::new()))
            .unwrap();
    }
    if let Reply::Grpc(code, text, delay) = reply {
        // Trailers only.
        let mut response = head(body(Vec::new()));
        response
            .headers_mut()
            .insert("grpc-status", u16::from(*code).into());
        response
            .headers_mut()
            .insert("grpc-message", text.parse().unwrap());
        if let Some(delay) = delay {
            let details = base64(&retry_info(*delay));
            response
                .headers_mut()
                .insert("grpc-status-details-bin", details.parse().unwrap());
        }
        return response;
    }
    let rejected = if let Reply::TakeBut(rejected) = reply {
        *rejected
    } else {
        0
    };
    let bytes = response(rejected);
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(bytes.len() as u32);
    message.put_slice(&bytes);
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    head(body(vec![
        Frame::data(message.freeze()),
        Frame::trailers(trailers),
    ]))
}

/// `google.rpc.Status { details: [Any(RetryInfo)] }`, by hand: every length is below 128.
fn retry_info(delay: Duration) -> Vec<u8> {
    let field = |tag: u8, content: &[u8]| [&[tag << 3 | 2, content.len() as u8], content].concat();
    let mut duration = vec![0x08, delay.as_secs() as u8, 0x10];
    prost::encoding::encode_varint(delay.subsec_nanos().into(), &mut duration);
    let any = [
        field(1, b"type.googleapis.com/google.rpc.RetryInfo"),
        field(2, &field(1, &duration)),
    ];
    field(3, &any.concat())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

/// The sink hung up on purpose.
#[derive(Debug)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed by the sink")
    }
}

impl std::error::Error for Closed {}
