//! What a request costs the thread that serves it, to be counted by valgrind (`bench/instructions`):
//! ten thousand predictions in this process, past the sockets. Argument: `traced` or `untraced`.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

use anyhow::bail;
use iris_prediction_api::{
    http::{
        AppState, router, routes,
        shortcut::Shortcut,
        trace::{self, Trace, TraceOptions},
    },
    model::Model,
    predict::Predictor,
    telemetry::{
        Compression, Exporter, OnPressure, OtlpConfig, Protocol, Telemetry, TelemetryConfig,
    },
};

const REQUESTS: usize = 10_000;
const BODY: &str = r#"{"sepal_length":6.3,"sepal_width":3.3,"petal_length":6.0,"petal_width":2.5}"#;

fn main() -> anyhow::Result<()> {
    let exporter = match std::env::args().nth(1).as_deref() {
        Some("traced") => Exporter::Otlp(otlp(black_hole()?)),
        Some("untraced") => Exporter::None {
            reason: "not asked for".to_owned(),
        },
        _ => bail!("usage: instructions traced|untraced"),
    };
    let telemetry = Telemetry::start(&config(exporter))?;
    let predictor = Predictor::new(Model::built_in()?, telemetry.recorder(), Default::default());
    let state = AppState::new(predictor);
    let options = TraceOptions {
        route_of: routes::route_of,
        propagate: true,
        trace_probes: false,
        trust_forwarded: false,
    };
    let connection = trace::connection(
        Arc::new(Trace::new(telemetry.recorder(), options, state.metrics)),
        router(state),
        Some(state.predictor),
        SocketAddr::from(([10, 1, 2, 3], 45678)),
    );
    let request = format!(
        "POST /predict HTTP/1.1\r\nHost: iris.example:8080\r\nUser-Agent: wrk/4.1.0\r\n\
Content-Type: application/json\r\nContent-Length: {}\r\n\
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut answers = Vec::with_capacity(1024);
    // The first ones make what the others find.
    serve(&connection, request.as_bytes(), &mut answers, 1_000);
    measured(&connection, request.as_bytes(), &mut answers);
    println!("{}", telemetry.shutdown(Duration::from_secs(20)));
    Ok(())
}

/// The counters of `bench/instructions` run while this does.
#[inline(never)]
fn measured(connection: &impl Shortcut, request: &[u8], answers: &mut Vec<u8>) {
    serve(connection, request, answers, REQUESTS);
}

fn serve(connection: &impl Shortcut, request: &[u8], answers: &mut Vec<u8>, times: usize) {
    for _ in 0..times {
        answers.clear();
        let served = connection.answer(request, answers);
        assert_eq!(served, Some(request.len()), "this is the long way");
    }
}

fn otlp(sink: SocketAddr) -> OtlpConfig {
    OtlpConfig {
        endpoint: format!("http://{sink}/v1/traces"),
        protocol: Protocol::HttpProtobuf,
        timeout: Duration::from_secs(10),
        headers: Vec::new(),
        compression: Compression::None,
        certificate: None,
        client_certificate: None,
        client_key: None,
    }
}

fn config(exporter: Exporter) -> TelemetryConfig {
    TelemetryConfig {
        service_name: "iris".to_owned(),
        resource_attributes: Vec::new(),
        exporter,
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
