//! The OTLP receiver, end to end: real sockets, a client of other people's making, rows read back from the folder.

mod refusals;
mod sender;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{join_all, ready};
use futures_util::stream::{once, pending};
use http::{Method, Request, StatusCode};
use http_body_util::StreamBody;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;
use std::collections::HashSet;
use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::timeout;
use verifier::record::{RunKey, Table};

use sender::*;

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
