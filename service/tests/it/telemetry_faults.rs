//! Whatever the collector does, the books say to the span what it has and what is lost.

use std::{net::TcpListener, time::Duration};

use iris_prediction_api::telemetry::{Books, Protocol, Telemetry};

use crate::{
    sink::{Reply, Sink, config, otlp},
    telemetry_delivery::{LONG, record},
};

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

/// Records 100 traces against a scripted sink, and ends.
fn run(protocol: Protocol, script: Vec<Reply>) -> (Books, Sink) {
    let sink = Sink::start(script);
    let telemetry = Telemetry::start(&sink.config(protocol)).unwrap();
    record(&telemetry.recorder(), 100);
    let books = telemetry.shutdown(LONG);
    assert!(books.balanced(), "{books}");
    assert_eq!(books.started, 300);
    (books, sink)
}

fn retried(books: &Books, reason: &str) {
    assert!(
        books.export_retries.get(reason).is_some_and(|n| *n > 0),
        "{reason}: {books:?}"
    );
}

#[test]
fn refusals_for_now_are_sent_again() {
    let unavailable = Reply::Http(503, Some(0));
    let script = vec![
        unavailable.clone(),
        Reply::Http(429, None),
        Reply::Http(502, None),
        unavailable,
    ];
    let (books, sink) = run(Protocol::HttpProtobuf, script);
    assert_eq!((books.acknowledged, sink.distinct()), (300, 300));
    retried(&books, "http_503");
    let exhausted = Reply::Grpc(8, "memory limit", None);
    let asked = Reply::Grpc(8, "slow down", Some(Duration::from_millis(5)));
    let (books, sink) = run(
        Protocol::Grpc,
        vec![exhausted, asked, Reply::Grpc(14, "", None)],
    );
    assert_eq!((books.acknowledged, sink.distinct()), (300, 300));
    retried(&books, "grpc_RESOURCE_EXHAUSTED");
    retried(&books, "grpc_UNAVAILABLE");
}

#[test]
fn a_connection_reset_in_mid_export_loses_nothing() {
    for protocol in BOTH {
        let (books, sink) = run(protocol, vec![Reply::Reset, Reply::Reset, Reply::Reset]);
        assert_eq!((books.acknowledged, sink.distinct()), (300, 300));
        retried(&books, "connection_lost");
        assert_eq!(sink.spans().len(), 300);
    }
}

#[test]
fn an_answer_that_is_lost_makes_duplicates_never_holes() {
    for protocol in BOTH {
        let (books, sink) = run(protocol, vec![Reply::TakeAndReset]);
        assert_eq!((books.acknowledged, sink.distinct()), (300, 300));
        assert!(sink.spans().len() > 300);
    }
}

#[test]
fn a_collector_that_hangs_is_asked_again() {
    for protocol in BOTH {
        let sink = Sink::start([Reply::Hang]);
        let mut config = sink.config(protocol);
        otlp(&mut config).timeout = Duration::from_millis(100);
        let telemetry = Telemetry::start(&config).unwrap();
        record(&telemetry.recorder(), 100);
        let books = telemetry.shutdown(LONG);
        assert_eq!((books.acknowledged, sink.distinct()), (300, 300));
        retried(&books, "timeout");
    }
}

#[test]
fn partial_success_is_lost_to_the_span_and_not_sent_again() {
    for protocol in BOTH {
        let (books, sink) = run(protocol, vec![Reply::TakeBut(7)]);
        assert_eq!(books.lost["partial_success"], 7);
        assert_eq!((books.acknowledged, sink.rejected()), (293, 7));
        assert_eq!(sink.spans().len(), 300);
    }
}

#[test]
fn refusals_for_good_are_lost_with_their_reason() {
    let (books, sink) = run(Protocol::HttpProtobuf, vec![Reply::Http(400, None)]);
    assert_eq!(books.lost["http_400"] as usize, 300 - sink.distinct());
    let (books, sink) = run(Protocol::Grpc, vec![Reply::Grpc(3, "bad", None)]);
    assert_eq!(
        books.lost["grpc_INVALID_ARGUMENT"] as usize,
        300 - sink.distinct()
    );
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let (books, sink) = run(
        Protocol::HttpProtobuf,
        vec![Reply::Http(413, None), Reply::Http(413, None)],
    );
    assert_eq!(
        (books.acknowledged, sink.distinct(), sink.spans().len()),
        (300, 300, 300)
    );
    let text = "grpc: received message larger than max (100 vs. 50)";
    let (books, sink) = run(
        Protocol::Grpc,
        vec![Reply::Grpc(8, text, None), Reply::Grpc(8, text, None)],
    );
    assert_eq!(
        (books.acknowledged, sink.distinct(), sink.spans().len()),
        (300, 300, 300)
    );
}

#[test]
fn a_span_that_is_too_large_even_alone_is_lost() {
    let sink = Sink::start([]);
    sink.always(Some(Reply::Http(413, None)));
    let telemetry = Telemetry::start(&sink.config(Protocol::HttpProtobuf)).unwrap();
    record(&telemetry.recorder(), 5);
    let books = telemetry.shutdown(LONG);
    assert_eq!(books.lost["too_large"], 15);
    assert!(books.balanced());
}

#[test]
fn a_collector_that_comes_late_gets_everything() {
    for protocol in BOTH {
        // A port that is bound but does not listen yet refuses connections and stays ours.
        let port =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        port.bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
        let address = port.local_addr().unwrap().as_socket().unwrap();
        let telemetry = Telemetry::start(&config(address, protocol)).unwrap();
        record(&telemetry.recorder(), 100);
        let refused = || {
            telemetry
                .books()
                .export_retries
                .contains_key("connect_error")
        };
        wait_until(refused);
        port.listen(16).unwrap();
        let sink = Sink::start_on(TcpListener::from(port), []);
        let books = telemetry.shutdown(LONG);
        assert_eq!((books.acknowledged, sink.distinct()), (300, 300));
    }
}

#[test]
fn a_restarted_collector_gets_what_its_predecessor_did_not_take() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
    record(&telemetry.recorder(), 100);
    sink.wait_for_spans(300);
    assert!(telemetry.flush(LONG));
    sink.always(Some(Reply::Reset));
    record(&telemetry.recorder(), 100);
    sink.wait_for_exports(sink.exports() + 3);
    sink.always(None);
    let books = telemetry.shutdown(LONG);
    assert_eq!((books.acknowledged, sink.distinct()), (600, 600));
}

#[test]
fn what_is_left_at_the_deadline_is_lost_to_shutdown() {
    for protocol in BOTH {
        let sink = Sink::start([]);
        sink.always(Some(Reply::Hang));
        let telemetry = Telemetry::start(&sink.config(protocol)).unwrap();
        record(&telemetry.recorder(), 5_000);
        let books = telemetry.shutdown(Duration::from_millis(200));
        assert_eq!(books.lost["shutdown"], 15_000);
        assert_eq!((books.queued, books.in_flight), (0, 0));
        assert!(books.balanced());
    }
}

#[test]
fn books_balance_at_every_moment() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
    let recorder = telemetry.recorder();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| record(&recorder, 5_000)))
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            let books = telemetry.books();
            assert!(books.balanced(), "{books}");
        }
    });
    assert_eq!(telemetry.shutdown(LONG).acknowledged, 30_000);
}

/// Waits for a condition that nobody announces.
pub fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_micros(200));
    }
    panic!("waited in vain");
}
