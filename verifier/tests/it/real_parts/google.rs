//! `gke.yaml` against a far end that answers as Google's metadata server and as its telemetry API: nobody here can ask
//! Google itself.

use super::{send, trace_id};
use crate::testbed::{Collector, collector, wait_until};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Path, headers (lower case, one a line), body.
type Request = (String, String, Vec<u8>);

/// Answers until its test ends.
struct Google {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Google {
    fn start() -> Google {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let google = Google {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
        };
        let requests = google.requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let requests = requests.clone();
                std::thread::spawn(move || serve(stream.unwrap(), &requests));
            }
        });
        google
    }
}

fn serve(stream: TcpStream, requests: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = next(&mut reader) {
        let body = match request.0.split('?').next().unwrap() {
            "/computeMetadata/v1/project/project-id" => "of-the-pod",
            "/computeMetadata/v1/instance/service-accounts/default/token" => {
                r#"{"access_token":"the-token","expires_in":3600,"token_type":"Bearer"}"#
            }
            _ => "",
        };
        requests.lock().unwrap().push(request);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if reader.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn next(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let path = head.split(' ').nth(1)?.to_owned();
    let head = head.to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some((path, head, body))
}

/// A collector with `gke.yaml`, in a pod whose metadata server is this one.
fn in_a_pod(google: &Google, project: &str) -> Option<Collector> {
    let environment = [
        ("GCE_METADATA_HOST", google.address.to_string()),
        ("GOOGLE_OTLP", format!("http://{}", google.address)),
        ("GOOGLE_CLOUD_PROJECT", project.to_owned()),
        ("QUEUE_FOLDER", "queue".to_owned()),
        // No credentials of whoever runs the test.
        ("HOME", "/nonexistent".to_owned()),
        ("GOOGLE_APPLICATION_CREDENTIALS", String::new()),
    ];
    collector(&["gke"], &environment)
}

/// Head and body of the request in which a span arrives.
fn exported(google: &Google, collector: &Collector) -> (String, Vec<u8>) {
    send(collector, 1);
    let export = || {
        let requests = google.requests.lock().unwrap();
        let mut exports = requests.iter().filter(|(path, ..)| path == "/v1/traces");
        exports.next().cloned()
    };
    wait_until(|| export().is_some(), || collector.log());
    let (_, head, body) = export().unwrap();
    (head, body)
}

#[test]
fn spans_go_to_google_with_the_pods_token_and_project() {
    let google = Google::start();
    let Some(collector) = in_a_pod(&google, "") else {
        return;
    };
    let (head, body) = exported(&google, &collector);
    for header in [
        "authorization: bearer the-token",
        "x-goog-project-id: of-the-pod",
        "content-encoding: gzip",
        "content-type: application/x-protobuf",
    ] {
        let there = head.lines().any(|line| line == header);
        assert!(there, "{header}: not in\n{head}");
    }
    let mut message = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut message).unwrap();
    let message = ExportTraceServiceRequest::decode(&message[..]).unwrap();
    let span = &message.resource_spans[0].scope_spans[0].spans[0];
    let id = u128::from_str_radix(&trace_id(1), 16).unwrap();
    assert_eq!(span.trace_id, id.to_be_bytes());
    let sent = || collector.metric("otelcol_exporter_sent_spans{exporter=\"otlp_http/google\"}");
    wait_until(|| sent() == Some(1.0), || collector.log());
}

#[test]
fn a_named_project_goes_before_the_pods() {
    let google = Google::start();
    let Some(collector) = in_a_pod(&google, "named") else {
        return;
    };
    let (head, _) = exported(&google, &collector);
    assert!(head.contains("\nx-goog-project-id: named\r"), "{head}");
}
