//! The OTLP receiver over real sockets: what it takes, what it refuses, and that its books say so.

use bytes::{Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use std::io::Write;
use std::net::TcpListener;
use tempfile::TempDir;
use verifier::record::{
    Clock, Observation, Receiver, Recorded, Recording, RunFolder, RunKey, Table,
};
use verifier::run::traces::OtlpReceiver;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

struct Intake {
    receiver: OtlpReceiver,
    recording: Recording,
    folder: RunFolder,
    _directory: TempDir,
}

fn key() -> RunKey {
    RunKey::from_seed(3)
}

fn start() -> Intake {
    let directory = TempDir::new().unwrap();
    let folder = RunFolder::create(directory.path()).unwrap();
    let recording = Recording::start(&folder, Clock::start(), key(), &[]).unwrap();
    let recorder = recording.recorder();
    recorder.observe(Observation::RunStarted {
        run_id: String::new(),
        run_key: key().to_string(),
        origin_unix_ns: 0,
        verifier_version: String::new(),
        host: Default::default(),
    });
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let receiver = OtlpReceiver::start(listen(), listen(), recorder).unwrap();
    Intake {
        receiver,
        recording,
        folder,
        _directory: directory,
    }
}

impl Intake {
    /// Stops, and gives the books and what is on disk.
    fn end(self) -> (Receiver, Recorded) {
        let books = self.receiver.stop();
        self.recording.stop().unwrap();
        let recorded = self.folder.read().unwrap();
        let mut last = recorded.journal.iter().filter_map(|e| {
            if let Observation::Receiver(r) = &e.observation {
                Some(r)
            } else {
                None
            }
        });
        assert_eq!(
            last.next_back(),
            Some(&books),
            "the journal has the final books"
        );
        (books, recorded)
    }

    fn http(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> (Response<()>, Bytes) {
        let request = request
            .header("host", "receiver")
            .body(Full::new(body.into()))
            .unwrap();
        let address = self.receiver.http_address();
        runtime().block_on(async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
            (
                Response::from_parts(parts, ()),
                body.collect().await.unwrap().to_bytes(),
            )
        })
    }

    fn post(&self, body: impl Into<Bytes>) -> (Response<()>, Bytes) {
        self.http(
            Request::post("/v1/traces").header("content-type", "application/x-protobuf"),
            body,
        )
    }

    /// Calls over one connection, all at once; the grpc-status and grpc-message of each.
    fn grpc(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
        bodies: Vec<Bytes>,
    ) -> Vec<(String, String)> {
        let address = self.receiver.grpc_address();
        runtime().block_on(async move {
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let (sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                    .await
                    .unwrap();
            tokio::spawn(connection);
            let calls = bodies.into_iter().map(|body| {
                let mut request = Request::post(format!("http://{address}{path}"))
                    .header("content-type", "application/grpc")
                    .header("te", "trailers");
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let mut sender = sender.clone();
                async move {
                    let response = sender
                        .send_request(request.body(Full::new(body)).unwrap())
                        .await
                        .unwrap();
                    let mut all: HeaderMap = response.headers().clone();
                    let body = response.into_body().collect().await.unwrap();
                    all.extend(body.trailers().cloned().unwrap_or_default());
                    let text = |name: &str| {
                        all.get(name)
                            .map(|v| v.to_str().unwrap().to_owned())
                            .unwrap_or_default()
                    };
                    (text("grpc-status"), text("grpc-message"))
                }
            });
            futures_util::future::join_all(calls).await
        })
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn span(seq: u64) -> Span {
    Span {
        trace_id: key().trace_id(seq).into(),
        span_id: (seq + 1).to_be_bytes().into(),
        parent_span_id: key().client_span_id(seq).into(),
        name: "POST /predict".into(),
        kind: 2,
        start_time_unix_nano: 1000 + seq,
        end_time_unix_nano: 5000 + seq,
        attributes: vec![
            attribute("http.response.status_code", Value::IntValue(500)),
            attribute("error.type", Value::StringValue("500".into())),
        ],
        status: Some(Status {
            code: 2,
            message: String::new(),
        }),
        ..Span::default()
    }
}

fn message(spans: Vec<Span>) -> Bytes {
    let resource = Resource {
        attributes: vec![attribute(
            "service.instance.id",
            Value::StringValue("replica-7".into()),
        )],
        ..Resource::default()
    };
    let group = ResourceSpans {
        resource: Some(resource),
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
    .into()
}

fn framed(compressed: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.extend_from_slice(&[compressed]);
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame.freeze()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_span_is_recorded_as_it_was_sent() {
    let intake = start();
    let (response, body) = intake.post(message(vec![span(9)]));
    assert_eq!((response.status().as_u16(), &body[..]), (200, &b""[..]));
    let (books, recorded) = intake.end();
    assert_eq!(
        (books.requests, books.spans, books.refused_requests),
        (1, 1, 0)
    );
    let row = recorded.spans[0];
    assert_eq!(
        (row.seq, row.span_id, row.kind, row.status, row.http_status),
        (9, 10, 2, 2, 500)
    );
    assert_eq!(row.parent_span_id.to_be_bytes(), key().client_span_id(9));
    assert_eq!((row.start_unix_ns, row.end_unix_ns), (1009, 5009));
    let text = |table, number| recorded.dictionary.text(table, number).to_owned();
    assert_eq!(text(Table::SpanName, row.name), "POST /predict");
    assert_eq!(text(Table::Source, row.source), "replica-7");
    assert_eq!(text(Table::Detail, row.detail), "500");
}

#[test]
fn grpc_takes_many_streams_at_once_and_both_protocols_take_gzip() {
    let intake = start();
    let plain = (0..200)
        .map(|i| framed(0, &message(vec![span(2 * i), span(2 * i + 1)])))
        .collect();
    assert!(
        intake
            .grpc(EXPORT, &[], plain)
            .iter()
            .all(|(status, _)| status == "0")
    );
    let packed = framed(1, &gzip(&message(vec![span(400)])));
    assert_eq!(
        intake.grpc(EXPORT, &[("grpc-encoding", "gzip")], vec![packed])[0].0,
        "0"
    );
    let request = Request::post("/v1/traces")
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "gzip");
    assert_eq!(
        intake
            .http(request, gzip(&message(vec![span(401)])))
            .0
            .status(),
        200
    );
    let (books, recorded) = intake.end();
    assert_eq!((books.requests, books.spans), (202, 402));
    let mut seen: Vec<u64> = recorded.spans.iter().map(|s| s.seq).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..402).collect::<Vec<_>>());
}

#[test]
fn foreign_and_malformed_spans_are_counted_and_not_kept() {
    let intake = start();
    let foreign = Span {
        trace_id: vec![9; 16],
        ..span(1)
    };
    let malformed = [
        Span {
            trace_id: vec![9; 15],
            ..span(1)
        },
        Span {
            trace_id: vec![0; 16],
            ..span(1)
        },
        Span {
            span_id: vec![],
            ..span(1)
        },
        Span {
            span_id: vec![0; 8],
            ..span(1)
        },
        Span {
            parent_span_id: vec![1; 3],
            ..span(1)
        },
    ];
    let spans = [vec![span(1), foreign.clone(), foreign], malformed.into()].concat();
    assert_eq!(intake.post(message(spans)).0.status(), 200);
    let (books, recorded) = intake.end();
    assert_eq!(
        (books.spans, books.foreign_spans, books.malformed_spans),
        (1, 2, 5)
    );
    assert_eq!(books.foreign_examples, ["09".repeat(16)]);
    assert_eq!(recorded.spans.len(), 1);
}

#[test]
fn what_is_no_export_is_refused_counted_and_explained() {
    let intake = start();
    let protobuf = || Request::post("/v1/traces").header("content-type", "application/x-protobuf");
    let json = Request::post("/v1/traces").header("content-type", "application/json");
    for (request, body, status, why) in [
        (
            Request::post("/v1/metrics").header("content-type", "application/x-protobuf"),
            Bytes::new(),
            404,
            "/v1/traces",
        ),
        (Request::get("/v1/traces"), Bytes::new(), 405, "POST"),
        (json, Bytes::from_static(b"{}"), 415, "http/protobuf"),
        (
            protobuf(),
            Bytes::from_static(&[0x0a, 0x05, 0x01]),
            400,
            "malformed",
        ),
        (
            protobuf().header("content-encoding", "gzip"),
            Bytes::from_static(b"no gzip"),
            400,
            "gzip",
        ),
        (
            protobuf().header("content-encoding", "br"),
            Bytes::new(),
            415,
            "br",
        ),
        (
            protobuf().header("content-encoding", "gzip"),
            gzip(&vec![0; 65 << 20]).into(),
            413,
            "64 MiB",
        ),
    ] {
        let (response, body) = intake.http(request, body);
        assert_eq!(response.status(), status, "{why}");
        assert!(
            String::from_utf8_lossy(&body).contains(why),
            "{why}: {body:?}"
        );
    }
    // A message broken behind a whole span leaves nothing of itself.
    let broken = [&message(vec![span(1)])[..], &[0x0a, 0x05, 0x01]].concat();
    assert_eq!(intake.post(broken.clone()).0.status(), 400);
    for (path, body, status) in [
        (
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            framed(0, b""),
            "12",
        ),
        (EXPORT, framed(0, &broken), "3"),
        (EXPORT, Bytes::from_static(&[0, 0, 0, 0, 9, 1]), "13"),
        (EXPORT, Bytes::from_static(&[0, 0]), "13"),
    ] {
        let (got, why) = intake.grpc(path, &[], vec![body]).remove(0);
        assert_eq!(got, status, "{why}");
        assert!(!why.is_empty());
    }
    let (books, recorded) = intake.end();
    assert_eq!(
        (
            books.requests,
            books.refused_requests,
            books.refused_examples.len()
        ),
        (0, 12, 5)
    );
    assert!(recorded.spans.is_empty());
}

#[test]
fn a_sender_that_breaks_off_harms_nobody() {
    let intake = start();
    let mut torn = std::net::TcpStream::connect(intake.receiver.http_address()).unwrap();
    torn.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
    drop(torn);
    let mut noise = std::net::TcpStream::connect(intake.receiver.grpc_address()).unwrap();
    noise.write_all(&[0xff; 4096]).unwrap();
    drop(noise);
    assert_eq!(intake.post(message(vec![span(1)])).0.status(), 200);
    let (books, recorded) = intake.end();
    assert_eq!((books.spans, recorded.spans.len()), (1, 1));
}
