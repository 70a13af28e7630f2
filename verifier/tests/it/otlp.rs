//! The OTLP receiver, end to end: real sockets, a client of other people's making, rows read back from the folder.

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures_util::StreamExt;
use futures_util::future::{join_all, ready};
use futures_util::stream::{once, pending};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
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
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;
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
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn connect2(address: SocketAddr) -> Sender2 {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
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
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
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
    for answer in join_all(calls.collect::<Vec<_>>()).await {
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

#[tokio::test]
async fn http_requests_that_are_none_of_ours_are_refused_with_advice() {
    let receiving = Receiving::start();
    let http = receiving.http();
    let message = plain(receiving.key, 0..3);
    let json: (&str, &[u8]) = ("content-type", b"application/json");
    let gzip_encoding: (&str, &[u8]) = ("content-encoding", b"gzip");
    let snappy: (&str, &[u8]) = ("content-encoding", b"snappy");
    // Each cut character of the answer's text would be three bytes.
    let mut odd = [0xff; 60];
    odd[0] = b'x';
    let odd: (&str, &[u8]) = ("content-encoding", &odd);
    let torn = &gzip(&message)[..20];
    let (post, get) = (Method::POST, Method::GET);
    type Case<'a> = (
        Method,
        &'a str,
        &'a [(&'a str, &'a [u8])],
        &'a [u8],
        u16,
        &'a str,
    );
    let cases: [Case<'_>; 11] = [
        (
            post.clone(),
            "/v1/metrics",
            &[PROTOBUF],
            &message,
            404,
            "only traces are taken here, at /v1/traces",
        ),
        (post.clone(), "/", &[PROTOBUF], &message, 404, "/v1/traces"),
        (get.clone(), "/v1/traces", &[PROTOBUF], &[], 405, "POST"),
        (get, "/v1/traces", &[], &[], 405, "POST"),
        (
            post.clone(),
            "/v1/traces",
            &[json],
            b"{\"resourceSpans\":[]}",
            415,
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[],
            &message,
            415,
            "http/protobuf",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF, snappy],
            &message,
            415,
            "use gzip or none",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF, odd],
            &message,
            415,
            "compression",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF],
            &message[..message.len() - 1],
            400,
            "malformed protobuf",
        ),
        (
            post.clone(),
            "/v1/traces",
            &[PROTOBUF, gzip_encoding],
            torn,
            400,
            "broken gzip",
        ),
        (
            post,
            "/v1/traces",
            &[PROTOBUF, gzip_encoding],
            &message,
            400,
            "broken gzip",
        ),
    ];
    let count = cases.len() as u64;
    for (method, path, headers, body, status, advice) in cases {
        let what = format!("{method} {path} {headers:?}");
        let answer = send(http, method, path, headers, Bytes::copy_from_slice(body)).await;
        assert_eq!(answer.status.as_u16(), status, "{what}");
        let why = answer.http_refusal();
        assert!(why.contains(advice), "{what}: {why}");
    }
    let (books, recorded) = receiving.stop();
    assert_eq!(
        (
            books.requests,
            books.refused_requests,
            books.malformed_spans
        ),
        (0, count, 0)
    );
    assert_eq!(books.refused_examples.len(), 5, "{books:?}");
    assert!(recorded.spans.is_empty());
}

#[tokio::test]
async fn grpc_calls_that_are_none_of_ours_are_refused_with_the_right_status() {
    let receiving = Receiving::start();
    let message = plain(receiving.key, 0..3);
    let whole = frame(0, &message);
    let metrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let longer = [&whole[..], b"x"].concat();
    let cases: [(&str, &str, &[u8], &str, &str); 12] = [
        (metrics, "identity", &whole, "12", "only the trace service"),
        (
            "/v1/traces",
            "identity",
            &whole,
            "12",
            "only the trace service",
        ),
        (
            EXPORT,
            "identity",
            &frame(0, &message[..message.len() - 1]),
            "3",
            "malformed protobuf",
        ),
        (EXPORT, "identity", &[], "13", "torn"),
        (EXPORT, "identity", &whole[..4], "13", "torn"),
        (EXPORT, "identity", &whole[..whole.len() - 1], "13", "torn"),
        (EXPORT, "identity", &longer, "13", "torn"),
        (EXPORT, "identity", &frame(2, &message), "13", "torn"),
        (EXPORT, "gzip", &frame(1, &message), "3", "broken gzip"),
        (
            EXPORT,
            "identity",
            &frame(1, &gzip(&message)),
            "13",
            "does not say how",
        ),
        (
            EXPORT,
            "gzip",
            &frame(1, &gzip(&message)[..20]),
            "3",
            "broken gzip",
        ),
        (
            EXPORT,
            "zstd",
            &frame(1, &message),
            "12",
            "use gzip or none",
        ),
    ];
    // All on one connection: a refusal ends a stream, never the connection.
    let mut sender = connect2(receiving.grpc()).await;
    let count = cases.len() as u64;
    for (path, encoding, framed, code, why) in cases {
        let framed = Bytes::copy_from_slice(framed);
        let answer = call(&mut sender, path, encoding, framed).await.unwrap();
        let refusal = answer.grpc_refusal();
        assert!(
            refusal.0 == code && refusal.1.contains(why),
            "{path} {encoding}: {refusal:?}"
        );
    }
    let answer = call(&mut sender, EXPORT, "identity", whole).await.unwrap();
    answer.assert_taken_by_grpc();
    let (books, recorded) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (1, count));
    assert_eq!(recorded.spans.len(), 3, "nothing of what was refused");
}

/// Most memory that this process has held so far.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

#[tokio::test]
async fn a_gzip_bomb_is_refused_without_its_memory() {
    let receiving = Receiving::start();
    // Members of a gzip file concatenate: 1 GiB of zeros in 1 MiB.
    let bomb = Bytes::from(gzip(&vec![0; 16 << 20]).repeat(64));
    assert!(bomb.len() < 8 << 20);
    let before = peak_memory();
    let answer = post(receiving.http(), b"gzip", bomb.clone()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.http_refusal().contains("send smaller batches"));
    let mut sender = connect2(receiving.grpc()).await;
    let framed = frame(1, &bomb);
    let answer = call(&mut sender, EXPORT, "gzip", framed).await.unwrap();
    assert_eq!(
        answer.grpc_refusal(),
        ("8", "larger than 64 MiB: send smaller batches")
    );
    let grown = peak_memory() - before;
    assert!(grown < 5 * LARGEST_MESSAGE, "{} MiB", grown >> 20);
    let answer = call(
        &mut sender,
        EXPORT,
        "identity",
        frame(0, &plain(receiving.key, 0..1)),
    );
    answer.await.unwrap().assert_taken_by_grpc();
    let (books, _) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (1, 2));
}

#[tokio::test]
async fn a_plain_message_that_is_too_large_is_refused() {
    let receiving = Receiving::start();
    let body = Bytes::from(vec![0; LARGEST_MESSAGE + (8 << 20)]);
    let mut sender = connect2(receiving.grpc()).await;
    let answer = call(&mut sender, EXPORT, "identity", body.clone())
        .await
        .unwrap();
    assert_eq!(answer.grpc_refusal().0, "8");
    let answer = post(receiving.http(), b"identity", body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let (books, _) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (0, 2));
}

/// Who writes the whole body before it reads must find the answer then, not a connection that was reset.
#[test]
fn advice_reaches_senders_of_large_bodies() {
    let receiving = Receiving::start();
    let kinds = [
        ("application/json", 8 << 20, "415"),
        ("application/x-protobuf", LARGEST_MESSAGE + (8 << 20), "413"),
    ];
    for (kind, length, status) in kinds {
        for _ in 0..3 {
            let mut stream = TcpStream::connect(receiving.http()).unwrap();
            let head = format!(
                "POST /v1/traces HTTP/1.1\r\nhost: r\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&vec![0; length]).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(
                String::from_utf8_lossy(&answer),
                format!("HTTP/1.1 {status}")
            );
        }
    }
    let (books, _) = receiving.stop();
    assert_eq!((books.requests, books.refused_requests), (0, 6));
}

#[tokio::test]
async fn spans_of_others_and_spans_without_usable_ids_are_counted_and_not_stored() {
    let receiving = Receiving::start();
    let (key, other) = (receiving.key, RunKey::from_seed(8));
    let hex = |id: [u8; 16]| id.iter().map(|b| format!("{b:02x}")).collect::<String>();
    // Seven foreign traces of two spans each: the books name five, each once.
    let foreign = (0..14).map(|n| span(other, n / 2));
    let ours = span(key, 1);
    let broken = [
        Span {
            trace_id: vec![],
            ..ours.clone()
        },
        Span {
            trace_id: vec![1; 15],
            ..ours.clone()
        },
        Span {
            trace_id: vec![1; 17],
            ..ours.clone()
        },
        Span {
            trace_id: vec![0; 16],
            ..ours.clone()
        },
        Span {
            span_id: vec![],
            ..ours.clone()
        },
        Span {
            span_id: vec![1; 7],
            ..ours.clone()
        },
        Span {
            span_id: vec![0; 8],
            ..ours.clone()
        },
        Span {
            parent_span_id: vec![1; 9],
            ..ours.clone()
        },
    ];
    let spans: Vec<Span> = foreign.chain(broken).chain([ours]).collect();
    let body = export(vec![text("service.name", "iris")], spans);
    let answer = post(receiving.http(), b"identity", body.clone()).await;
    answer.assert_taken_by_http();
    let rejected = |message: &[u8]| {
        let response = ExportTraceServiceResponse::decode(message).unwrap();
        response.partial_success.unwrap().rejected_spans
    };
    assert_eq!(rejected(&answer.body), 8);
    let mut sender = connect2(receiving.grpc()).await;
    let framed = frame(0, &body);
    let answer = call(&mut sender, EXPORT, "identity", framed).await.unwrap();
    assert_eq!(answer.trailers["grpc-status"], "0", "{answer:?}");
    assert_eq!(usize::from(answer.body[4]), answer.body.len() - 5);
    assert_eq!(rejected(&answer.body[5..]), 8);
    let (books, recorded) = receiving.stop();
    assert_eq!((books.requests, books.spans), (2, 2));
    assert_eq!(
        (
            books.foreign_spans,
            books.malformed_spans,
            books.refused_requests
        ),
        (28, 16, 0)
    );
    let examples: Vec<String> = (0..5).map(|seq| hex(other.trace_id(seq))).collect();
    assert_eq!(books.foreign_examples, examples);
    assert!(
        recorded.spans.iter().all(|row| row.seq == 1),
        "{:?}",
        recorded.spans
    );
    assert_eq!(recorded.dictionary.len(Table::SpanName), 1);
}

/// Damage at any place, also behind whole spans, and nothing of the message is recorded.
#[tokio::test]
async fn a_cut_message_is_refused_whole() {
    let receiving = Receiving::start();
    let whole = plain(receiving.key, 0..4);
    let mut sender = connect2(receiving.grpc()).await;
    let mut refused = 0;
    for length in (1..whole.len()).step_by(7) {
        let framed = frame(0, &whole[..length]);
        let answer = call(&mut sender, EXPORT, "identity", framed).await.unwrap();
        assert_eq!(answer.grpc_refusal().0, "3", "cut at {length}");
        refused += 1;
    }
    let (books, recorded) = receiving.stop();
    assert_eq!(
        (books.requests, books.spans, books.refused_requests),
        (0, 0, refused)
    );
    assert!(recorded.spans.is_empty());
}

/// Two calls that begin with `part` and never end: one stream is reset, the other goes with its connection.
async fn break_off(address: SocketAddr, part: Bytes) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let mut begin = || {
        let part = Ok::<_, Infallible>(http_body::Frame::data(part.clone()));
        let body = StreamBody::new(once(ready(part)).chain(pending()));
        let request = Request::post(format!("http://receiver{EXPORT}"))
            .header("content-type", "application/grpc")
            .body(body)
            .unwrap();
        timeout(Duration::from_millis(30), sender.send_request(request))
    };
    assert!(begin().await.is_err(), "an answer to half a call");
    let second = begin();
    connection.abort();
    assert!(second.await.is_err() || connection.await.is_err());
}

#[tokio::test]
async fn a_client_that_breaks_off_harms_nothing() {
    let receiving = Receiving::start();
    let message = plain(receiving.key, 0..100);
    for length in [0, 1, message.len() / 2, message.len() - 1] {
        let mut stream = TcpStream::connect(receiving.http()).unwrap();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: r\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            message.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&message[..length]).unwrap();
        drop(stream);
    }
    // What is no HTTP at all.
    for noise in [
        &b"\0\0\0\0"[..],
        b"GET",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnoise noise noise",
    ] {
        TcpStream::connect(receiving.grpc())
            .unwrap()
            .write_all(noise)
            .unwrap();
    }
    let framed = frame(0, &message);
    for length in [0, 3, framed.len() / 2, framed.len()] {
        break_off(receiving.grpc(), Bytes::copy_from_slice(&framed[..length])).await;
    }
    let mut sender = connect2(receiving.grpc()).await;
    call(&mut sender, EXPORT, "identity", framed)
        .await
        .unwrap()
        .assert_taken_by_grpc();
    let (books, recorded) = receiving.stop();
    assert_eq!((books.requests, books.spans), (1, 100), "{books:?}");
    assert_eq!(recorded.spans.len(), 100);
}

/// The promise behind coverage: stopped in the midst of everything, not one acknowledged span is missing.
#[tokio::test]
async fn what_was_acknowledged_is_recorded() {
    const SPANS: u64 = 20;
    let receiving = Receiving::start();
    let (key, next) = (receiving.key, Arc::new(AtomicU64::new(0)));
    let mut senders = Vec::new();
    for _ in 0..2 {
        let connection = connect2(receiving.grpc()).await;
        for _ in 0..8 {
            let (mut sender, next) = (connection.clone(), Arc::clone(&next));
            senders.push(tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                loop {
                    let n = next.fetch_add(1, Relaxed);
                    let framed = frame(0, &plain(key, n * SPANS..(n + 1) * SPANS));
                    match call(&mut sender, EXPORT, "identity", framed).await {
                        Ok(answer) => {
                            answer.assert_taken_by_grpc();
                            acknowledged.push(n);
                        }
                        Err(_) => return acknowledged,
                    }
                }
            }));
        }
    }
    let stopping = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(300));
        receiving.stop()
    });
    let acknowledged: Vec<u64> = join_all(senders)
        .await
        .into_iter()
        .flat_map(|sender| sender.unwrap())
        .collect();
    let (books, recorded) = stopping.await.unwrap();
    assert!(acknowledged.len() > 16, "too few to say anything");
    assert!(books.requests >= acknowledged.len() as u64);
    let recorded: HashSet<u64> = recorded.spans.iter().map(|row| row.seq).collect();
    for n in acknowledged {
        for seq in n * SPANS..(n + 1) * SPANS {
            assert!(recorded.contains(&seq), "span {seq} was acknowledged");
        }
    }
}
