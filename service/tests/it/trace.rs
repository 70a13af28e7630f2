//! Every request leaves one server span by the semantic conventions, whatever becomes of it.

use iris_prediction_api::telemetry::{
    Protocol, REQUEST_BYTES, Recorder, Telemetry, TelemetryConfig,
};
use opentelemetry_proto::tonic::{common::v1::any_value::Value, trace::v1::Span};
use prost::Message;

use crate::{
    server::{Client, Server, options, trace_options, wait_for},
    sink::{Reply, Sink},
    telemetry_delivery::LONG,
    telemetry_faults::wait_until,
};

const PARENT: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

/// Runs `work` against a traced service and returns the spans that it left.
fn spans_of(work: impl FnOnce(&Server)) -> Vec<Span> {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::HttpProtobuf)).unwrap();
    let server = Server::start(telemetry.recorder(), trace_options(), options());
    work(&server);
    server.stop();
    let books = telemetry.shutdown(LONG);
    assert_eq!(
        (books.lost_total(), books.acknowledged as usize),
        (0, sink.spans().len())
    );
    sink.spans()
}

fn text(span: &Span, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|a| a.key == key)?;
    Some(match attribute.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{key} is {other:?}"),
    })
}

fn check(span: &Span, expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(text(span, key).as_deref(), Some(*value), "{key}");
    }
}

#[test]
fn a_success_is_described_by_the_conventions() {
    let spans = spans_of(|server| {
        let long_agent = "a".repeat(300);
        let answer = server
            .connect()
            .predict(&format!("User-Agent: {long_agent}\r\n"));
        assert_eq!((answer.status, answer.body.as_str()), (200, "hi"));
    });
    let [span] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!((span.name.as_str(), span.kind), ("POST /predict", 2));
    check(
        span,
        &[
            ("http.request.method", "POST"),
            ("url.path", "/predict"),
            ("url.scheme", "http"),
            ("http.route", "/predict"),
            ("http.response.status_code", "200"),
            ("network.protocol.version", "1.1"),
            ("server.address", "iris.test"),
            ("server.port", "8080"),
            ("client.address", "127.0.0.1"),
            ("network.peer.address", "127.0.0.1"),
            ("user_agent.original", &"a".repeat(256)),
        ],
    );
    for absent in ["error.type", "url.query", "http.request.method_original"] {
        assert_eq!(text(span, absent), None, "{absent}");
    }
    let status = span.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (0, ""));
    assert!(span.parent_span_id.is_empty());
    assert_eq!(span.flags, 0x101);
    assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
}

#[test]
fn failures_are_told_apart_by_whose_they_are() {
    let spans = spans_of(|server| {
        let mut client = server.connect();
        assert_eq!(
            client.request("GET /nowhere?sig=secret&x=1", "").status,
            404
        );
        assert_eq!(client.request("GET /fail", "").status, 500);
        assert_eq!(client.request("BREW /predict", "").status, 405);
    });
    let find = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let code = |span: &Span| span.status.as_ref().unwrap().code;
    let lost = find("GET");
    assert_eq!(
        (
            code(lost),
            text(lost, "error.type"),
            text(lost, "http.route")
        ),
        (0, None, None)
    );
    check(
        lost,
        &[("url.path", "/nowhere"), ("url.query", "sig=REDACTED&x=1")],
    );
    let failed = find("GET /fail");
    assert_eq!(code(failed), 2);
    check(
        failed,
        &[("error.type", "500"), ("http.response.status_code", "500")],
    );
    let brewed = find("HTTP /predict");
    assert_eq!(code(brewed), 0);
    check(
        brewed,
        &[
            ("http.request.method", "_OTHER"),
            ("http.request.method_original", "BREW"),
        ],
    );
}

#[test]
fn the_callers_trace_is_continued_even_if_it_is_not_sampled() {
    let spans = spans_of(|server| {
        let headers =
            format!("traceparent: 00-{PARENT}-00\r\ntracestate: a=1\r\ntracestate: b=2\r\n");
        server.connect().predict(&headers);
    });
    let span = &spans[0];
    assert_eq!(span.trace_id[..2], [0x0a, 0xf7]);
    assert_eq!(
        span.parent_span_id,
        [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]
    );
    assert_eq!((span.trace_state.as_str(), span.flags), ("a=1,b=2", 0x301));
}

#[test]
fn a_broken_parent_or_one_that_is_not_wanted_starts_a_new_trace() {
    let spans = spans_of(|server| {
        server.connect().predict(&format!(
            "traceparent: 00-{PARENT}-1\r\ntracestate: a=1\r\n"
        ));
    });
    assert!(spans[0].parent_span_id.is_empty() && spans[0].trace_state.is_empty());

    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
    let mut trace = trace_options();
    trace.propagate = false;
    let server = Server::start(telemetry.recorder(), trace, options());
    server
        .connect()
        .predict(&format!("traceparent: 00-{PARENT}-01\r\n"));
    server.stop();
    telemetry.shutdown(LONG);
    assert!(sink.spans()[0].parent_span_id.is_empty());
    assert_ne!(sink.spans()[0].trace_id[..2], [0x0a, 0xf7]);
}

#[test]
fn probes_leave_a_span_only_if_asked_but_are_observed() {
    let spans = spans_of(|server| {
        assert_eq!(server.connect().request("GET /livez", "").status, 200);
        let observed = server.observed.clone();
        wait_until(|| !observed.lock().unwrap().is_empty());
        assert_eq!(
            observed.lock().unwrap()[0],
            ("GET", Some("/livez"), Some(200))
        );
    });
    assert!(spans.is_empty());
}

#[test]
fn a_client_that_goes_away_still_leaves_its_span() {
    let spans = spans_of(|server| {
        let mut client = server.connect();
        client.write("GET /forever HTTP/1.1\r\nHost: iris.test\r\n\r\n");
        wait_for(&server.reached);
        drop(client);
        let observed = server.observed.clone();
        wait_until(|| !observed.lock().unwrap().is_empty());
        assert_eq!(observed.lock().unwrap()[0], ("GET", Some("/forever"), None));
    });
    let [span] = &spans[..] else {
        panic!("{spans:?}")
    };
    check(
        span,
        &[("error.type", "client_disconnected"), ("server.port", "80")],
    );
    assert_eq!(text(span, "http.response.status_code"), None);
    assert_eq!(span.status.as_ref().unwrap().code, 2);
}

#[test]
fn a_trusted_proxy_is_believed_and_only_then() {
    let headers = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.7, 10.0.0.1\r\n";
    let spans = spans_of(|server| {
        server.connect().predict(headers);
    });
    check(
        &spans[0],
        &[("url.scheme", "http"), ("client.address", "127.0.0.1")],
    );

    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
    let mut trace = trace_options();
    trace.trust_forwarded = true;
    let server = Server::start(telemetry.recorder(), trace, options());
    server.connect().predict(headers);
    server.stop();
    telemetry.shutdown(LONG);
    let expected = [("url.scheme", "https"), ("client.address", "203.0.113.7")];
    check(&sink.spans()[0], &expected);
    check(&sink.spans()[0], &[("network.peer.address", "127.0.0.1")]);
}

#[test]
fn without_telemetry_requests_are_served_all_the_same() {
    let server = Server::start(Recorder::disabled(), trace_options(), options());
    assert_eq!(server.connect().predict("").status, 200);
    server.stop();
}

/// Telemetry with little memory, and a collector that takes nothing for now.
fn starved(sink: &Sink) -> TelemetryConfig {
    sink.always(Some(Reply::Http(503, None)));
    let mut config = sink.config(Protocol::HttpProtobuf);
    config.span_buffer_bytes = 128 << 10;
    config
}

#[test]
fn requests_without_room_are_refused_traced_and_counted() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&starved(&sink)).unwrap();
    let server = Server::start(telemetry.recorder(), trace_options(), options());
    let mut client = server.connect();
    let mut answered = 0_u64;
    let refused = loop {
        let answer = client.predict("");
        answered += 1;
        if answer.status != 200 {
            break answer;
        }
        assert!(answered < 10_000);
    };
    assert_eq!(refused.status, 503);
    assert!(
        refused.head.contains("retry-after: 1\r\n"),
        "{}",
        refused.head
    );
    assert!(refused.body.starts_with(r#"{"detail":"#));
    let books = telemetry.books();
    assert_eq!((books.refused_requests, books.lost_total()), (1, 0));

    sink.always(None);
    wait_until(|| Client::connect(server.address).predict("").status == 200);
    server.stop();
    let books = telemetry.shutdown(LONG);
    assert!(books.balanced() && books.lost_total() == 0, "{books}");
    let spans = sink.spans();
    assert_eq!(spans.len() as u64, books.started);
    let of_refused: Vec<_> = spans
        .iter()
        .filter(|s| text(s, "error.type").as_deref() == Some("span_buffer_full"))
        .collect();
    assert_eq!(of_refused.len() as u64, books.refused_requests);
    check(
        of_refused[0],
        &[
            ("http.response.status_code", "503"),
            ("http.route", "/predict"),
        ],
    );
}

#[test]
fn thousands_of_requests_leave_thousands_of_traces() {
    let spans = spans_of(|server| {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut client = server.connect();
                    for _ in 0..500 {
                        assert_eq!(client.predict("").status, 200);
                    }
                });
            }
        });
    });
    assert_eq!(spans.len(), 4_000);
}

#[test]
fn the_longest_request_leaves_room_for_its_children() {
    let spans = spans_of(|server| {
        let long = "x".repeat(4_000);
        let state = format!("k={}", "v".repeat(500));
        let headers =
            format!("User-Agent: {long}\r\ntraceparent: 00-{PARENT}-01\r\ntracestate: {state}\r\n");
        let line = format!("{} /{long}?{long}", "M".repeat(200));
        server.connect().write(&format!(
            "{line} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
            "h".repeat(300)
        ));
        let observed = server.observed.clone();
        wait_until(|| !observed.lock().unwrap().is_empty());
    });
    let size = i64::try_from(spans[0].encoded_len()).unwrap();
    assert_eq!(spans[0].trace_state.len(), 502);
    // Each child may repeat the trace state and say as much again.
    assert!(size + 2 * 1_100 < REQUEST_BYTES, "{size} bytes");
}

#[test]
fn requests_of_one_connection_are_each_described_by_themselves() {
    let spans = spans_of(|server| {
        let mut client = server.connect();
        client.predict("User-Agent: one\r\n");
        client.predict("User-Agent: one\r\n");
        client.predict("User-Agent: two\r\n");
        client.predict("");
        client.request("GET /fail", "");
        client.write("GET /fail HTTP/1.1\r\nHost: elsewhere\r\n\r\n");
        client.read();
        client.request("GET /fail?x=1", "");
        client.predict("User-Agent: one\r\n");
    });
    let mut spans = spans;
    spans.sort_by_key(|span| span.start_time_unix_nano);
    let said = |span: &Span| {
        let of = |key| text(span, key).unwrap_or_default();
        [
            of("http.request.method"),
            of("user_agent.original"),
            of("server.address"),
            of("url.query"),
        ]
        .join(" ")
    };
    let all: Vec<String> = spans.iter().map(said).collect();
    let expected = [
        "POST one iris.test ",
        "POST one iris.test ",
        "POST two iris.test ",
        "POST  iris.test ",
        "GET  iris.test ",
        "GET  elsewhere ",
        "GET  iris.test x=1",
        "POST one iris.test ",
    ];
    assert_eq!(all, expected);
}
