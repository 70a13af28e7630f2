//! Many connections at once, and a collector in trouble: complete, or refused and counted.

use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use iris_prediction_api::telemetry::{Books, Protocol, Telemetry, TelemetryConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    server::{Server, options, trace_options},
    sink::{Reply, Sink},
    telemetry_delivery::LONG,
};

const CONNECTIONS: usize = 500;
const EACH: usize = 20;

/// Statuses seen by the clients, and what the books said at the end.
struct Outcome {
    ok: usize,
    refused: usize,
    books: Books,
}

fn saturate(config: &TelemetryConfig, meanwhile: impl FnOnce()) -> Outcome {
    let telemetry = Telemetry::start(config).unwrap();
    let server = Server::start(telemetry.recorder(), trace_options(), options());
    let (ok, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let all = (0..CONNECTIONS).map(|_| client(&server, &ok, &refused));
                futures_util::future::join_all(all).await;
            });
        });
        meanwhile();
        clients.join().unwrap();
    });
    assert_eq!(server.stop().aborted_connections, 0);
    let books = telemetry.shutdown(LONG);
    assert!(books.balanced(), "{books}");
    Outcome {
        ok: ok.into_inner(),
        refused: refused.into_inner(),
        books,
    }
}

async fn client(server: &Server, ok: &AtomicUsize, refused: &AtomicUsize) {
    const REQUEST: &[u8] = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut buffer = [0; 1024];
    for _ in 0..EACH {
        stream.write_all(REQUEST).await.unwrap();
        // Answers are small enough to come whole.
        let read = stream.read(&mut buffer).await.unwrap();
        match &buffer[9..12] {
            b"200" => ok.fetch_add(1, Relaxed),
            b"503" => refused.fetch_add(1, Relaxed),
            other => panic!("{:?} in {read} bytes", str::from_utf8(other)),
        };
    }
}

/// Everyone was answered, and every answer has its span: none lost, none twice.
fn complete(outcome: &Outcome, sink: &Sink) {
    let requests = CONNECTIONS * EACH;
    assert_eq!(outcome.ok + outcome.refused, requests);
    assert_eq!(outcome.refused as u64, outcome.books.refused_requests);
    assert_eq!(outcome.books.lost_total(), 0, "{}", outcome.books);
    assert_eq!(
        (outcome.books.acknowledged as usize, sink.distinct()),
        (requests, requests)
    );
}

#[test]
fn a_healthy_collector_gets_every_trace() {
    let sink = Sink::start([]);
    let outcome = saturate(&sink.config(Protocol::Grpc), || ());
    complete(&outcome, &sink);
    assert_eq!(outcome.refused, 0);
}

#[test]
fn a_collector_in_trouble_gets_every_trace_in_the_end() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let sink = Sink::start([]);
        sink.always(Some(Reply::Http(503, None)));
        let outcome = saturate(&sink.config(protocol), || {
            sink.wait_for_exports(4);
            sink.always(Some(Reply::Reset));
            sink.wait_for_exports(8);
            sink.always(None);
        });
        complete(&outcome, &sink);
    }
}

#[test]
fn with_little_memory_requests_are_shed_and_no_accepted_one_loses_its_trace() {
    let sink = Sink::start([]);
    sink.always(Some(Reply::Grpc(
        8,
        "memory limit",
        Some(Duration::from_millis(300)),
    )));
    let mut config = sink.config(Protocol::Grpc);
    config.span_buffer_bytes = 256 << 10;
    let outcome = saturate(&config, || {
        sink.wait_for_exports(4);
        sink.always(None);
    });
    let (books, refused) = (&outcome.books, outcome.refused as u64);
    assert_eq!(outcome.ok + outcome.refused, CONNECTIONS * EACH);
    assert_eq!(refused, books.refused_requests);
    assert!(refused > 0);
    // The refusals' own spans have a small reserve; beyond it they are lost, and counted.
    let lost = books.lost.get("buffer_full").copied().unwrap_or(0);
    assert!(lost <= refused && lost == books.lost_total(), "{books}");
    let spans = sink.spans();
    let answered = spans
        .iter()
        .filter(|span| span.status.as_ref().unwrap().code == 0)
        .count();
    assert_eq!(
        answered, outcome.ok,
        "every request that was accepted has its span"
    );
    assert_eq!(spans.len() as u64, books.acknowledged);
}
