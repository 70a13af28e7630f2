//! What a collector's load-balancing exporter does, and no more: OTLP over HTTP in, each trace to one of several
//! receivers by its trace id, an acknowledgement when all of them gave theirs.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Starts it; it ends with the test's process. Gives where it takes traces.
pub(super) fn start(receivers: Vec<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let receivers = receivers.clone();
            std::thread::spawn(move || serve(&stream, &receivers));
        }
    });
    address
}

/// Answers requests on one connection until it ends.
fn serve(stream: &TcpStream, receivers: &[SocketAddr]) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let body = read_request(&mut reader)?;
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let all = (0..receivers.len()).all(|receiver| {
            let part = part(&request, receiver, receivers.len());
            part.resource_spans.is_empty() || send(receivers[receiver], &part).is_some()
        });
        let status = if all {
            "200 OK"
        } else {
            "503 Service Unavailable"
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"
        );
        (&*stream).write_all(answer.as_bytes()).ok()?;
    }
}

/// The body of the next request; `None` at the connection's end.
fn read_request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// The spans whose trace is this receiver's.
fn part(
    request: &ExportTraceServiceRequest,
    receiver: usize,
    of: usize,
) -> ExportTraceServiceRequest {
    let mut part = request.clone();
    for resource in &mut part.resource_spans {
        for scope in &mut resource.scope_spans {
            let mine = |id: &[u8]| usize::from(id[15]) % of == receiver;
            scope.spans.retain(|span| mine(&span.trace_id));
        }
        resource.scope_spans.retain(|scope| !scope.spans.is_empty());
    }
    part.resource_spans.retain(|r| !r.scope_spans.is_empty());
    part
}

fn send(receiver: SocketAddr, part: &ExportTraceServiceRequest) -> Option<()> {
    let body = part.encode_to_vec();
    let head = format!(
        "POST /v1/traces HTTP/1.0\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(receiver).ok()?;
    stream.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    answer.starts_with(b"HTTP/1.0 200").then_some(())
}
