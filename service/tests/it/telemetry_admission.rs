//! Memory for spans is promised before a request is let in; when there is none, requests wait, are
//! refused, or, if so configured, are answered without a trace.

use std::time::Duration;

use iris_prediction_api::telemetry::{OnPressure, Protocol, Telemetry};

use crate::{
    sink::{Reply, Sink},
    telemetry_delivery::{LONG, record},
    telemetry_faults::wait_until,
};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_full_buffer_refuses_until_the_collector_takes_something() {
    let sink = Sink::start([]);
    sink.always(Some(Reply::Http(503, None)));
    let mut config = sink.config(Protocol::HttpProtobuf);
    config.span_buffer_bytes = 256 << 10;
    let telemetry = Telemetry::start(&config).unwrap();
    let recorder = telemetry.recorder();
    let mut admitted = 0;
    while let Ok(permit) = runtime().block_on(recorder.admit()) {
        drop(permit);
        record(&recorder, 1);
        admitted += 1;
    }
    assert!(admitted > 100);
    let books = telemetry.books();
    assert_eq!(
        (books.started, books.lost_total()),
        (3 * admitted, 0),
        "what was admitted is kept"
    );
    assert!(books.buffer_used_bytes <= books.buffer_capacity_bytes);

    assert_eq!(telemetry.books().refused_requests, 1);

    sink.always(None);
    wait_until(|| recorder.try_admit().is_some());
    let books = telemetry.shutdown(LONG);
    assert_eq!((books.acknowledged, books.lost_total()), (3 * admitted, 0));
    assert_eq!(sink.distinct() as u64, 3 * admitted);
}

#[test]
fn a_request_that_waits_gets_the_room_that_another_leaves() {
    let sink = Sink::start([]);
    let mut config = sink.config(Protocol::Grpc);
    config.span_buffer_bytes = 64 << 10;
    let telemetry = Telemetry::start(&config).unwrap();
    let recorder = telemetry.recorder();
    let mut permits = Vec::new();
    while let Some(permit) = recorder.try_admit() {
        permits.push(permit);
    }
    let admitted = runtime().block_on(async {
        let waiting = recorder.admit();
        let leaving = async { drop(permits.pop()) };
        tokio::join!(waiting, leaving).0
    });
    assert!(admitted.is_ok());
    assert_eq!(telemetry.books().refused_requests, 0);
}

#[test]
fn memory_returns_in_full_when_all_is_over() {
    let sink = Sink::start([]);
    let mut config = sink.config(Protocol::Grpc);
    config.span_buffer_bytes = 1 << 20;
    let telemetry = Telemetry::start(&config).unwrap();
    let recorder = telemetry.recorder();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| record(&recorder, 300));
        }
    });
    assert!(telemetry.flush(LONG));
    // Leases of threads that have ended come back with a sweep.
    wait_until(|| telemetry.books().buffer_used_bytes == 0);
}

#[test]
fn what_waits_is_packed_so_that_far_more_than_memory_fits() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let sink = Sink::start([]);
        sink.always(Some(Reply::Http(503, None)));
        let mut config = sink.config(protocol);
        config.span_buffer_bytes = 4 << 20;
        let telemetry = Telemetry::start(&config).unwrap();
        let recorder = telemetry.recorder();
        // Some 12 MB as they are.
        for _ in 0..20_000 {
            let admitted = runtime().block_on(recorder.admit());
            assert!(admitted.is_ok(), "{}", telemetry.books());
            record(&recorder, 1);
        }
        let books = telemetry.books();
        assert!(books.buffer_used_bytes <= books.buffer_capacity_bytes);
        sink.always(None);
        let books = telemetry.shutdown(LONG);
        assert_eq!(
            (books.acknowledged, sink.distinct()),
            (60_000, 60_000),
            "{books}"
        );
    }
}

#[test]
fn dropping_answers_everyone_and_counts_every_span() {
    let sink = Sink::start([]);
    sink.always(Some(Reply::Grpc(14, "", None)));
    let mut config = sink.config(Protocol::Grpc);
    config.span_buffer_bytes = 64 << 10;
    config.on_pressure = OnPressure::Drop;
    let telemetry = Telemetry::start(&config).unwrap();
    let recorder = telemetry.recorder();
    for _ in 0..1_000 {
        assert!(runtime_free_admission(&recorder));
        record(&recorder, 1);
    }
    let books = telemetry.books();
    assert_eq!(books.started, 3_000);
    assert!(books.lost["buffer_full"] > 1_000);
    assert!(books.balanced());
    assert!(books.buffer_used_bytes <= books.buffer_capacity_bytes);
    sink.always(None);
    let books = telemetry.shutdown(LONG);
    assert_eq!(sink.distinct() as u64, 3_000 - books.lost["buffer_full"]);
}

fn runtime_free_admission(recorder: &iris_prediction_api::telemetry::Recorder) -> bool {
    recorder.try_admit().is_some()
}

#[test]
fn a_collector_that_never_comes_costs_no_more_memory_than_promised() {
    // Nothing listens on the discard port of this address.
    let config = {
        let mut config = crate::sink::config("127.0.0.1:9".parse().unwrap(), Protocol::Grpc);
        config.span_buffer_bytes = 1 << 20;
        config.on_pressure = OnPressure::Drop;
        config
    };
    let telemetry = Telemetry::start(&config).unwrap();
    record(&telemetry.recorder(), 20_000);
    let books = telemetry.shutdown(Duration::from_millis(100));
    assert!(books.balanced());
    assert_eq!((books.started, books.acknowledged), (60_000, 0));
    assert_eq!(books.lost["buffer_full"] + books.lost["shutdown"], 60_000);
}
