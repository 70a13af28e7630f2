//! Who sends: clients of both protocols, the messages they send, and a receiver with a recording behind it.

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use tempfile::TempDir;
use verifier::record::{
    Clock, Host, Observation, Receiver, Recorded, Recording, RunFolder, RunKey,
};
use verifier::run::traces::OtlpReceiver;

pub(super) const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(super) const LARGEST_MESSAGE: usize = 64 << 20;

/// A receiver with a recording behind it.
pub(super) struct Receiving {
    // Held for its end.
    pub(super) _dir: TempDir,
    pub(super) folder: RunFolder,
    pub(super) recording: Recording,
    pub(super) receiver: OtlpReceiver,
    pub(super) key: RunKey,
}

impl Receiving {
    pub(super) fn start() -> Receiving {
        let dir = TempDir::new().unwrap();
        let folder = RunFolder::create(&dir.path().join("run")).unwrap();
        let (clock, key) = (Clock::start(), RunKey::from_seed(7));
        let recording = Recording::start(&folder, clock, key, &[]).unwrap();
        recording.recorder().observe(Observation::RunStarted {
            run_id: "run".into(),
            run_key: key.to_string(),
            origin_unix_ns: clock.origin_unix_ns(),
            verifier_version: "0".into(),
            host: Host::default(),
        });
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = OtlpReceiver::start(listen(), listen(), recording.recorder()).unwrap();
        Receiving {
            _dir: dir,
            folder,
            recording,
            receiver,
            key,
        }
    }

    pub(super) fn grpc(&self) -> SocketAddr {
        self.receiver.grpc_address()
    }

    pub(super) fn http(&self) -> SocketAddr {
        self.receiver.http_address()
    }

    /// Stops everything; the books, and the folder as the judge would read it.
    pub(super) fn stop(self) -> (Receiver, Recorded) {
        let books = self.receiver.stop();
        self.recording.stop().unwrap();
        let recorded = self.folder.read().unwrap();
        let last = recorded
            .journal
            .iter()
            .rev()
            .find_map(|e| match &e.observation {
                Observation::Receiver(books) => Some(books.clone()),
                _ => None,
            });
        assert_eq!(last.as_ref(), Some(&books), "the journal's books");
        assert_eq!(recorded.spans.len() as u64, books.spans, "rows and books");
        (books, recorded)
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Answer {
    pub(super) async fn of(
        response: hyper::Response<hyper::body::Incoming>,
    ) -> hyper::Result<Answer> {
        let (parts, body) = response.into_parts();
        let collected = body.collect().await?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            trailers: collected.trailers().cloned().unwrap_or_default(),
            body: collected.to_bytes(),
        })
    }

    /// Code and message of a gRPC answer that is a refusal: trailers-only, so both are headers.
    pub(super) fn grpc_refusal(&self) -> (&str, &str) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert!(self.body.is_empty(), "{self:?}");
        let header = |name| self.headers[name].to_str().unwrap();
        (header("grpc-status"), header("grpc-message"))
    }

    /// The message of a refusal over HTTP: a `google.rpc.Status`.
    pub(super) fn http_refusal(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/x-protobuf");
        RpcStatus::decode(&self.body[..]).unwrap().message
    }

    pub(super) fn assert_taken_by_grpc(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/grpc");
        assert_eq!(self.trailers["grpc-status"], "0", "{self:?}");
        assert_eq!(&self.body[..5], [0; 5], "{self:?}");
        ExportTraceServiceResponse::decode(&self.body[5..]).unwrap();
    }

    pub(super) fn assert_taken_by_http(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/x-protobuf");
        ExportTraceServiceResponse::decode(&self.body[..]).unwrap();
    }
}

/// `google.rpc.Status`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
}

pub(super) type Sender1 = http1::SendRequest<Full<Bytes>>;
pub(super) type Sender2 = http2::SendRequest<Full<Bytes>>;

pub(super) async fn connect1(address: SocketAddr) -> Sender1 {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub(super) async fn connect2(address: SocketAddr) -> Sender2 {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// One HTTP/1 request on a connection of its own.
pub(super) async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &[u8])],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "receiver");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let response = connect1(address).await.send_request(request).await.unwrap();
    Answer::of(response).await.unwrap()
}

pub(super) const PROTOBUF: (&str, &[u8]) = ("content-type", b"application/x-protobuf");

pub(super) async fn post(address: SocketAddr, encoding: &[u8], body: impl Into<Bytes>) -> Answer {
    let headers = [PROTOBUF, ("content-encoding", encoding)];
    send(address, Method::POST, "/v1/traces", &headers, body).await
}

/// A call as tonic or grpc-go makes it; `framed` has its five bytes in front.
pub(super) async fn call(
    sender: &mut Sender2,
    path: &str,
    encoding: &str,
    framed: impl Into<Bytes>,
) -> hyper::Result<Answer> {
    let request = Request::post(format!("http://receiver{path}"))
        .header("te", "trailers")
        .header("content-type", "application/grpc")
        .header("grpc-encoding", encoding)
        .body(Full::new(framed.into()))
        .unwrap();
    sender.ready().await?;
    Answer::of(sender.send_request(request).await?).await
}

pub(super) fn frame(compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[compressed][..], &length.to_be_bytes(), message].concat()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// A plain server span of request `seq`.
pub(super) fn span(key: RunKey, seq: u64) -> Span {
    Span {
        trace_id: key.trace_id(seq).into(),
        span_id: (seq + 1).to_be_bytes().into(),
        parent_span_id: key.client_span_id(seq).into(),
        name: "POST /predict".into(),
        kind: 2,
        start_time_unix_nano: 1_000 + seq,
        end_time_unix_nano: 3_000 + seq,
        attributes: vec![attribute("http.response.status_code", Value::IntValue(200))],
        ..Span::default()
    }
}

pub(super) fn export(resource: Vec<KeyValue>, spans: Vec<Span>) -> Vec<u8> {
    let group = ResourceSpans {
        resource: Some(Resource {
            attributes: resource,
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![group],
    }
    .encode_to_vec()
}

pub(super) fn plain(key: RunKey, seqs: std::ops::Range<u64>) -> Vec<u8> {
    let spans = seqs.map(|seq| span(key, seq)).collect();
    export(vec![text("service.name", "iris")], spans)
}
