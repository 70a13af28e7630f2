//! What tracing costs the thread that serves: CPU nanoseconds per request, on one thread, of the
//! layer with three spans against the layer with telemetry off, and of recording alone.
//!
//! `cargo run --release --example span_cost`; the sink is a thread of this process.

use std::{
    convert::Infallible,
    future::Future,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use iris_prediction_api::{
    http::trace::{Peer, Trace, TraceOptions},
    telemetry::{
        Compression, Exporter, Kind, OnPressure, OtlpConfig, Protocol, Recorder, SpanContext,
        SpanRecord, Status, Telemetry, TelemetryConfig, Value, new_span_id, new_trace_id,
        now_unix_ns,
    },
};

const REQUESTS: u32 = 200_000;
const ROUNDS: usize = 7;

fn main() -> anyhow::Result<()> {
    let telemetry = Telemetry::start(&config(black_hole()?))?;
    let on = telemetry.recorder();
    let off = Recorder::disabled();
    let mut columns: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        columns[0].push(per_request(|| request(off, false)));
        columns[1].push(per_request(|| request(on, false)));
        columns[2].push(per_request(|| request(on, true)));
        columns[3].push(per_request(|| record_three(on)));
        telemetry.flush(Duration::from_secs(10));
    }
    let names = [
        "layer, telemetry off",
        "layer, one server span",
        "layer, server span with traceparent and two children",
        "admit and record three spans, no layer",
    ];
    for (name, column) in names.iter().zip(&mut columns) {
        column.sort_by(f64::total_cmp);
        println!("{:7.0} ns  {name}", column[ROUNDS / 2]);
    }
    println!("{}", telemetry.shutdown(Duration::from_secs(10)));
    Ok(())
}

fn per_request(mut work: impl FnMut() -> Box<dyn FnMut()>) -> f64 {
    let mut work = work();
    let before = thread_cpu_ns();
    for _ in 0..REQUESTS {
        work();
    }
    (thread_cpu_ns() - before) as f64 / f64::from(REQUESTS)
}

fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn request(recorder: Recorder, children: bool) -> Box<dyn FnMut()> {
    let options = TraceOptions {
        route_of: |path| (path == "/predict").then_some("/predict"),
        propagate: true,
        trace_probes: false,
        trust_forwarded: false,
    };
    let trace = Trace::new(recorder, options, |_, _, _, _| ());
    let peer = Peer::from(SocketAddr::from(([10, 1, 2, 3], 45678)));
    Box::new(move || {
        let mut request = Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static("/predict");
        let headers = request.headers_mut();
        headers.insert("host", http::HeaderValue::from_static("iris.example:8080"));
        headers.insert("user-agent", http::HeaderValue::from_static("wrk/4.1.0"));
        if children {
            let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
            headers.insert("traceparent", http::HeaderValue::from_static(parent));
        }
        let next = |request: Request<()>| async move {
            if let (true, Some(parent)) = (children, request.extensions().get::<SpanContext>()) {
                child(recorder, *parent, "data_preparation");
                child(recorder, *parent, "model_inference");
            }
            Response::new(Body::empty())
        };
        let served = pin!(async { Ok::<_, Infallible>(trace.serve(&peer, request, next).await) });
        let Poll::Ready(Ok(_)) = served.poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing waits")
        };
    })
}

fn child(recorder: Recorder, parent: SpanContext, name: &'static str) {
    let start_unix_ns = now_unix_ns();
    recorder.record(&SpanRecord {
        context: SpanContext {
            trace_id: parent.trace_id,
            span_id: new_span_id(),
        },
        parent_span_id: Some(parent.span_id),
        trace_state: "",
        name,
        kind: Kind::Internal,
        start_unix_ns,
        end_unix_ns: now_unix_ns(),
        attributes: &[
            ("iris.model.version", Value::Str("2026-11-23")),
            ("iris.prediction.class", Value::Str("virginica")),
            ("iris.prediction.confidence", Value::Double(0.97)),
            ("iris.batch.size", Value::Int(1)),
        ],
        status: Status::Unset,
    });
}

fn record_three(recorder: Recorder) -> Box<dyn FnMut()> {
    Box::new(move || {
        let _permit = recorder.try_admit();
        let root = SpanContext {
            trace_id: new_trace_id(),
            span_id: new_span_id(),
        };
        for name in ["data_preparation", "model_inference", "POST /predict"] {
            child(recorder, root, name);
        }
    })
}

fn config(sink: SocketAddr) -> TelemetryConfig {
    TelemetryConfig {
        service_name: "iris".to_owned(),
        resource_attributes: Vec::new(),
        exporter: Exporter::Otlp(OtlpConfig {
            endpoint: format!("http://{sink}/v1/traces"),
            protocol: Protocol::HttpProtobuf,
            timeout: Duration::from_secs(10),
            headers: Vec::new(),
            compression: Compression::None,
            certificate: None,
            client_certificate: None,
            client_key: None,
        }),
        propagate: true,
        span_buffer_bytes: 512 << 20,
        on_pressure: OnPressure::Shed,
        collector_patience: Duration::from_secs(60),
        spill: None,
        export_connections: 2,
        flush_timeout: Duration::from_secs(10),
    }
}

/// Takes every export without looking.
fn black_hole() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || swallow(stream));
        }
    });
    Ok(address)
}

fn swallow(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::with_capacity(1 << 20, stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while stream.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        std::io::copy(&mut stream.by_ref().take(length), &mut std::io::sink())?;
        stream
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
