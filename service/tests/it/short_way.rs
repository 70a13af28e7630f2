//! The short way and the long one are told apart by nobody: same bytes, spans and metrics.

use std::{io::Write, sync::Arc, thread::JoinHandle, time::Duration};

use iris_prediction_api::{
    http::{
        AppState, router, routes,
        serve::{Listeners, Served, serve},
        trace::{self, Trace, TraceOptions},
    },
    model::Model,
    predict::Predictor,
    telemetry::{Protocol, Recorder, Telemetry},
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::oneshot;

use crate::{
    SETOSA,
    server::{Answer, Client, options, trace_options},
    sink::{Reply, Sink},
    telemetry_delivery::LONG,
};

/// The whole service in this process.
struct Whole {
    address: std::net::SocketAddr,
    state: AppState,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<Served>>,
}

impl Whole {
    fn start(recorder: Recorder) -> Whole {
        let predictor = Predictor::new(Model::built_in().unwrap(), recorder, Default::default());
        let state = AppState::new(predictor);
        let listeners = Listeners::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = listeners.address();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let worker = |_| {
                let options = TraceOptions {
                    route_of: routes::route_of,
                    ..trace_options()
                };
                let trace = Arc::new(Trace::new(recorder, options, state.metrics));
                let router = router(state);
                move |peer| {
                    trace::connection(trace.clone(), router.clone(), Some(state.predictor), peer)
                }
            };
            let shutdown = async { drop(stopped.await) };
            serve(listeners, &options(), worker, shutdown, || ())
        });
        Whole {
            address,
            state,
            stop,
            thread,
        }
    }

    fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap().unwrap();
    }
}

fn request(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /predict HTTP/1.1\r\nHost: iris.test\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

fn ask(client: &mut Client, headers: &str, body: &str) -> Answer {
    client.write(&request(headers, body));
    client.read().expect("an answer")
}

/// Of no meaning, and a sign for the long way.
const LONG_WAY: &str = "Connection: keep-alive\r\n";

/// Without the date.
fn bytes(answer: &Answer) -> String {
    let head = answer
        .head
        .lines()
        .filter(|line| !line.starts_with("date: "));
    assert_eq!(answer.head.matches("\r\ndate: ").count(), 1);
    format!("{}\n{}", head.collect::<Vec<_>>().join("\n"), answer.body)
}

#[test]
fn both_ways_answer_with_the_same_bytes() {
    let whole = Whole::start(Recorder::disabled());
    for body in [
        SETOSA,
        r#"{"sepal_length":6.3,"sepal_width":3.3,"petal_length":6.0,"petal_width":2.5}"#,
        r#"{"petal_width":1e0,"petal_length":0,"sepal_width":1000,"sepal_length":5.10000000000000001}"#,
        r#"{"sepal_length":-1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#,
        r#"{"sepal_length":"x"}"#,
        "{",
        "",
    ] {
        let short = ask(&mut Client::connect(whole.address), "", body);
        let long = ask(&mut Client::connect(whole.address), LONG_WAY, body);
        assert_eq!(bytes(&short), bytes(&long), "{body}");
        // The date is of now, in the form of RFC 9110.
        let date = short
            .head
            .lines()
            .find_map(|line| line.strip_prefix("date: "));
        assert!(date.unwrap().ends_with(" GMT"));
        assert_eq!(date.unwrap().len(), "Tue, 24 Nov 2026 13:00:00 GMT".len());
    }
    whole.stop();
}

/// All that does not differ from request to request; children before their parent.
fn described(spans: &[Span], trace_id: &[u8]) -> Vec<String> {
    let of_trace = spans.iter().filter(|span| span.trace_id == trace_id);
    let mut described: Vec<String> = of_trace
        .clone()
        .map(|span| {
            let parent = of_trace
                .clone()
                .find(|other| other.span_id == span.parent_span_id);
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            let span = Span {
                trace_id: Vec::new(),
                span_id: Vec::new(),
                parent_span_id: match parent {
                    Some(parent) => parent.name.clone().into_bytes(),
                    None => span.parent_span_id.clone(),
                },
                start_time_unix_nano: 0,
                end_time_unix_nano: 0,
                ..span.clone()
            };
            format!("{span:#?}")
        })
        .collect();
    described.sort();
    described
}

#[test]
fn both_ways_leave_the_same_spans_and_counts() {
    for body in [
        SETOSA,
        r#"{"sepal_length":50,"sepal_width":3.3,"petal_length":6.0,"petal_width":2.5}"#,
        "{",
    ] {
        let sink = Sink::start([]);
        let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
        let whole = Whole::start(telemetry.recorder());
        // One connection, so that even the peer's port is the same; it begins on the short way.
        let mut client = Client::connect(whole.address);
        let traces = ["11".repeat(16), "22".repeat(16)];
        let headers = |trace: &str| {
            format!("User-Agent: test/1\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-00\r\n")
        };
        ask(&mut client, &headers(&traces[0]), body);
        ask(
            &mut client,
            &format!("{}{LONG_WAY}", headers(&traces[1])),
            body,
        );
        // And without a parent.
        ask(&mut Client::connect(whole.address), "", body);
        let books = telemetry.shutdown(LONG);
        let spans = sink.spans();
        assert_eq!(books.started as usize, spans.len());
        let [short, long] = [0x11, 0x22].map(|byte| described(&spans, &[byte; 16]));
        assert_eq!(short, long);
        assert_eq!(short.len(), if body == "{" { 2 } else { 3 });
        let metrics = whole.state.metrics.text().unwrap();
        let status = if body == "{" { 422 } else { 200 };
        let count = format!(
            "http_server_request_duration_seconds_count{{http_request_method=\"POST\",http_route=\"/predict\",http_response_status_code=\"{status}\"}} 3"
        );
        assert!(metrics.contains(&count), "{metrics}");
        assert!(
            metrics.contains("http_server_active_requests 0"),
            "{metrics}"
        );
        drop(client);
        whole.stop();
    }
}

#[test]
fn pipelined_and_cut_requests_are_answered_in_order() {
    let whole = Whole::start(Recorder::disabled());
    let one = |n: u32| {
        let body = format!(
            r#"{{"sepal_length":{n}.5,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}}"#
        );
        (
            request("", &body),
            ask(&mut Client::connect(whole.address), "", &body),
        )
    };
    let expected: Vec<_> = (1..4).map(one).collect();
    let all: String = expected
        .iter()
        .map(|(request, _)| request.as_str())
        .collect();
    for cut in (1..all.len()).step_by(7) {
        let mut client = Client::connect(whole.address);
        client.write(&all[..cut]);
        // Let the server see the first part alone, if it will.
        std::thread::yield_now();
        client.write(&all[cut..]);
        client.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n");
        for (_, answer) in &expected {
            assert_eq!(
                bytes(&client.read().unwrap()),
                bytes(answer),
                "cut at {cut}"
            );
        }
        assert_eq!(
            client.read().unwrap().status,
            200,
            "the long way goes on from there"
        );
    }
    whole.stop();
}

#[test]
fn a_client_that_writes_much_before_it_reads_gets_every_answer() {
    const MANY: usize = 40_000;
    let whole = Whole::start(Recorder::disabled());
    let mut stream = std::net::TcpStream::connect(whole.address).unwrap();
    let reading = stream.try_clone().unwrap();
    // The answers are five times what sockets buffer, and nobody reads until the server is stuck.
    let writer = std::thread::spawn(move || {
        for _ in 0..MANY / 100 {
            stream
                .write_all(request("", SETOSA).repeat(100).as_bytes())
                .unwrap();
        }
    });
    let mut before = String::new();
    loop {
        std::thread::park_timeout(Duration::from_millis(5));
        let now = whole.state.metrics.text().unwrap();
        if now == before && now.contains("POST") {
            break;
        }
        before = now;
    }
    let mut client = Client::from(reading);
    for _ in 0..MANY {
        assert_eq!(client.read().unwrap().status, 200);
    }
    writer.join().unwrap();
    whole.stop();
}

#[test]
fn without_room_for_spans_the_long_way_refuses() {
    let sink = Sink::start([]);
    sink.always(Some(Reply::Http(503, None)));
    let mut config = sink.config(Protocol::HttpProtobuf);
    config.span_buffer_bytes = 64 << 10;
    config.flush_timeout = Duration::ZERO;
    let telemetry = Telemetry::start(&config).unwrap();
    let whole = Whole::start(telemetry.recorder());
    let mut client = Client::connect(whole.address);
    let refused = loop {
        let answer = ask(&mut client, "", SETOSA);
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert_eq!(telemetry.books().refused_requests, 1);
    whole.stop();
}

#[test]
fn clients_on_the_short_way_are_asked_to_leave() {
    let whole = Whole::start(Recorder::disabled());
    let mut client = Client::connect(whole.address);
    let answer = ask(&mut client, "", SETOSA);
    assert!(!answer.head.contains("connection: close"));
    let mut idle = Client::connect(whole.address);
    ask(&mut idle, "", SETOSA);
    whole.stop.send(()).unwrap();
    // From some moment on answers say so, and the connection ends behind the one that did.
    let last = loop {
        let answer = ask(&mut client, "", SETOSA);
        assert_eq!(answer.status, 200);
        if answer.head.contains("connection: close") {
            break client.read();
        }
    };
    assert!(last.is_none());
    assert!(idle.read().is_none(), "idle ones are closed");
    whole.thread.join().unwrap().unwrap();
}
