//! The OTLP receiver, end to end: real sockets, a client of other people's making, rows read back from the folder.

use bytes::{Buf, Bytes, BytesMut};
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
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::collections::HashSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tempfile::TempDir;
use verifier::record::{
    Clock, Host, Observation, Receiver, Recorded, Recording, RunFolder, RunKey, Table,
};
use verifier::run::traces::OtlpReceiver;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LARGEST_MESSAGE: usize = 64 << 20;

/// A receiver with a recording behind it.
struct Receiving {
    // Held for its end.
    _dir: TempDir,
    folder: RunFolder,
    recording: Recording,
    receiver: OtlpReceiver,
    key: RunKey,
}

impl Receiving {
    fn start() -> Receiving {
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

    fn grpc(&self) -> SocketAddr {
        self.receiver.grpc_address()
    }

    fn http(&self) -> SocketAddr {
        self.receiver.http_address()
    }

    /// Stops everything; the books, and the folder as the judge would read it.
    fn stop(self) -> (Receiver, Recorded) {
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
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    trailers: HeaderMap,
}

impl Answer {
    async fn of(response: hyper::Response<hyper::body::Incoming>) -> hyper::Result<Answer> {
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
    fn grpc_refusal(&self) -> (&str, &str) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert!(self.body.is_empty(), "{self:?}");
        let header = |name| self.headers[name].to_str().unwrap();
        (header("grpc-status"), header("grpc-message"))
    }

    /// The message of a refusal over HTTP: a `google.rpc.Status`.
    fn http_refusal(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/x-protobuf");
        RpcStatus::decode(&self.body[..]).unwrap().message
    }

    fn assert_taken_by_grpc(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/grpc");
        assert_eq!(self.trailers["grpc-status"], "0", "{self:?}");
        assert_eq!(&self.body[..5], [0; 5], "{self:?}");
        ExportTraceServiceResponse::decode(&self.body[5..]).unwrap();
    }

    fn assert_taken_by_http(&self) {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/x-protobuf");
        ExportTraceServiceResponse::decode(&self.body[..]).unwrap();
    }
}

/// `google.rpc.Status`, as far as it is used.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

type Sender1 = http1::SendRequest<Full<Bytes>>;
type Sender2 = http2::SendRequest<Full<Bytes>>;

async fn connect1(address: SocketAddr) -> Sender1 {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn connect2(address: SocketAddr) -> Sender2 {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// One HTTP/1 request on a connection of its own.
async fn send(
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

const PROTOBUF: (&str, &[u8]) = ("content-type", b"application/x-protobuf");

async fn post(address: SocketAddr, encoding: &[u8], body: impl Into<Bytes>) -> Answer {
    let headers = [PROTOBUF, ("content-encoding", encoding)];
    send(address, Method::POST, "/v1/traces", &headers, body).await
}

/// A call as tonic or grpc-go makes it; `framed` has its five bytes in front.
async fn call(
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

fn frame(compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[compressed][..], &length.to_be_bytes(), message].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// A plain server span of request `seq`.
fn span(key: RunKey, seq: u64) -> Span {
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

fn export(resource: Vec<KeyValue>, spans: Vec<Span>) -> Vec<u8> {
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

fn plain(key: RunKey, seqs: std::ops::Range<u64>) -> Vec<u8> {
    let spans = seqs.map(|seq| span(key, seq)).collect();
    export(vec![text("service.name", "iris")], spans)
}

/// Every field that a row has, as it was sent, each time another way.
#[tokio::test]
async fn what_is_read_back_is_what_was_sent() {
    let receiving = Receiving::start();
    let key = receiving.key;
    let message = |seq: u64| {
        let ours = |ordinal: u64, name: &str, kind, more: Span| Span {
            trace_id: key.trace_id(seq).into(),
            span_id: (seq * 10 + ordinal).to_be_bytes().into(),
            name: name.into(),
            kind,
            start_time_unix_nano: 1_700_000_000_000_000_000 + ordinal,
            end_time_unix_nano: 1_700_000_000_000_000_900 + ordinal,
            ..more
        };
        let failed = |message: &str| {
            Some(Status {
                message: message.into(),
                code: 2,
            })
        };
        let spans = vec![
            ours(
                1,
                "POST /predict",
                2,
                Span {
                    parent_span_id: key.client_span_id(seq).into(),
                    attributes: vec![
                        text("error.type", "timeout"),
                        attribute("http.response.status_code", Value::IntValue(503)),
                    ],
                    status: failed("error.type comes first"),
                    ..Span::default()
                },
            ),
            ours(
                2,
                "Überprüfung 🌸",
                1,
                Span {
                    parent_span_id: (seq * 10 + 1).to_be_bytes().into(),
                    status: failed("kein Modell"),
                    ..Span::default()
                },
            ),
            ours(
                3,
                "",
                5,
                Span {
                    attributes: vec![attribute("http.status_code", Value::IntValue(200))],
                    status: Some(Status {
                        message: String::new(),
                        code: 1,
                    }),
                    ..Span::default()
                },
            ),
        ];
        let resource = vec![
            text("service.name", "iris"),
            text("service.instance.id", &format!("replica-{seq}")),
        ];
        export(resource, spans)
    };

    let (grpc, http) = (receiving.grpc(), receiving.http());
    let mut sender = connect2(grpc).await;
    let framed = frame(0, &message(0));
    call(&mut sender, EXPORT, "identity", framed)
        .await
        .unwrap()
        .assert_taken_by_grpc();
    let framed = frame(1, &gzip(&message(1)));
    call(&mut sender, EXPORT, "gzip", framed)
        .await
        .unwrap()
        .assert_taken_by_grpc();
    post(http, b"identity", message(2))
        .await
        .assert_taken_by_http();
    post(http, b"gzip", gzip(&message(3)))
        .await
        .assert_taken_by_http();
    // Both protocols on both ports; gRPC allows compression to be announced and not used.
    let framed = frame(0, &message(4));
    let mut other = connect2(http).await;
    call(&mut other, EXPORT, "gzip", framed)
        .await
        .unwrap()
        .assert_taken_by_grpc();
    post(grpc, b"identity", message(5))
        .await
        .assert_taken_by_http();

    let (books, recorded) = receiving.stop();
    assert_eq!(
        (books.requests, books.spans, books.refused_requests),
        (6, 18, 0)
    );
    for seq in 0..6 {
        let rows: Vec<_> = recorded
            .spans
            .iter()
            .filter(|row| row.seq == seq)
            .map(|row| {
                assert_eq!(
                    recorded.dictionary.text(Table::Source, row.source),
                    format!("replica-{seq}")
                );
                assert_eq!(row.duration_ns(), 900);
                assert!(row.arrived_ns > 0);
                (
                    row.span_id - seq * 10,
                    row.parent_span_id,
                    recorded.dictionary.text(Table::SpanName, row.name),
                    row.kind,
                    row.status,
                    recorded.dictionary.text(Table::Detail, row.detail),
                    row.http_status,
                )
            })
            .collect();
        let client = u64::from_be_bytes(key.client_span_id(seq));
        assert_eq!(
            rows,
            [
                (1, client, "POST /predict", 2, 2, "timeout", 503),
                (2, seq * 10 + 1, "Überprüfung 🌸", 1, 2, "kein Modell", 0),
                (3, 0, "", 5, 1, "", 200),
            ]
        );
    }
}

/// More streams than the receiver lets in at once, messages larger than a frame, on one connection.
#[tokio::test]
async fn many_streams_of_one_connection() {
    const CALLS: u64 = 200;
    const SPANS: u64 = 150;
    let receiving = Receiving::start();
    let sender = connect2(receiving.grpc()).await;
    let mut bytes = 0;
    let calls = (0..CALLS).map(|n| {
        let framed = frame(0, &plain(receiving.key, n * SPANS..(n + 1) * SPANS));
        bytes += framed.len() as u64;
        let mut sender = sender.clone();
        tokio::spawn(async move { call(&mut sender, EXPORT, "identity", framed).await })
    });
    for answer in futures_util::future::join_all(calls.collect::<Vec<_>>()).await {
        answer.unwrap().unwrap().assert_taken_by_grpc();
    }
    let (books, recorded) = receiving.stop();
    assert_eq!(
        (books.requests, books.bytes, books.spans),
        (CALLS, bytes, CALLS * SPANS)
    );
    let seqs: HashSet<u64> = recorded.spans.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, (0..CALLS * SPANS).collect());
}
