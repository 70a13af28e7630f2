//! A far end that fails now and then, and says so in its spans.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// A far end that answers every hundredth request with 500, and exports one server span each.
pub(crate) fn faulty_service(otlp: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (otlp, requests) = (otlp.clone(), std::sync::Arc::clone(&requests));
            std::thread::spawn(move || serve_faulty(&stream, &otlp, &requests));
        }
    });
    url
}

pub(super) fn serve_faulty(
    stream: &TcpStream,
    otlp: &str,
    requests: &std::sync::atomic::AtomicU64,
) {
    let mut reader = BufReader::new(stream);
    let mut exporter = TcpStream::connect(otlp).unwrap();
    loop {
        let (mut length, mut traceparent, mut line) = (0, String::new(), String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let lower = line.trim().to_ascii_lowercase();
            match lower.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("traceparent", value)) => traceparent = value.to_owned(),
                _ if lower.is_empty() => break,
                _ => {}
            }
        }
        if traceparent.is_empty() {
            // Not the load: somebody looks for metrics.
            let _ =
                (&mut &*stream).write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            return;
        }
        std::io::Read::read_exact(&mut reader, &mut vec![0; length]).unwrap();
        let failed = requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 100 == 99;
        export_server_span(&mut exporter, &traceparent, failed);
        let status = if failed {
            "500 Internal Server Error"
        } else {
            "200 OK"
        };
        (&mut &*stream)
            .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}").as_bytes())
            .unwrap();
    }
}

pub(super) fn export_server_span(exporter: &mut TcpStream, traceparent: &str, failed: bool) {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
    use prost::Message;
    let bytes = |hex: &str| {
        (0..hex.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
            .collect::<Vec<u8>>()
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as u64;
    let span = Span {
        trace_id: bytes(&traceparent[3..35]),
        parent_span_id: bytes(&traceparent[36..52]),
        span_id: bytes(&traceparent[36..52])
            .into_iter()
            .map(|b| !b)
            .collect(),
        name: "POST /predict".into(),
        kind: 2,
        start_time_unix_nano: now - 1000,
        end_time_unix_nano: now,
        status: failed.then(|| Status {
            code: 2,
            message: "injected".into(),
        }),
        ..Span::default()
    };
    let body = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: sink\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    exporter
        .write_all(&[head.as_bytes(), &body].concat())
        .unwrap();
    let mut answer = [0; 4096];
    let read = std::io::Read::read(exporter, &mut answer).unwrap();
    assert!(
        answer[..read].starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer[..read])
    );
}
