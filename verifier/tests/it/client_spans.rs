//! The verifier's own spans at an OTLP/HTTP receiver: whole, once each, or counted as lost.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use verifier::record::{Exchange, Outcome, RowWriter, RunKey};
use verifier::run::traces::{ClientSpans, Exported, OfRun};

const ORIGIN: u64 = 1_700_000_000_000_000_000;

/// An answer: status, body.
type Answer = (u16, Vec<u8>);

/// Answers requests in turn with these, the last ones for ever; gives each request's spans.
fn receiver(answers: Vec<Answer>) -> (String, Receiver<Vec<Span>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        let mut asked = 0;
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            while let Some(body) = request(&mut reader) {
                let message = ExportTraceServiceRequest::decode(&body[..]).unwrap();
                let scopes = message
                    .resource_spans
                    .into_iter()
                    .flat_map(|r| r.scope_spans);
                let spans = scopes.flat_map(|scope| scope.spans).collect();
                let _ = sender.send(spans);
                let (status, body) = &answers[asked.min(answers.len() - 1)];
                asked += 1;
                answer(&stream, *status, body);
            }
        }
    });
    (url, requests)
}

fn request(reader: &mut BufReader<&TcpStream>) -> Option<Vec<u8>> {
    let (mut length, mut protobuf) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("content-type", value)) => protobuf = value == "application/x-protobuf",
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    assert!(protobuf);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn answer(mut stream: &TcpStream, status: u16, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
}

fn rows(folder: &TempDir, n: u64) -> PathBuf {
    let path = folder.path().join("exchanges.rows");
    let exchange = |seq: u64| Exchange {
        seq,
        intended_ns: seq * 1000,
        sent_ns: seq * 1000 + 10,
        connected_ns: 0,
        first_byte_ns: 0,
        done_ns: seq * 1000 + 500,
        connection: 0,
        bytes: 10,
        stage: 0,
        status: 200,
        outcome: Outcome::Ok,
        task: 0,
    };
    let mut exchanges: Vec<Exchange> = (0..n).map(exchange).collect();
    (exchanges[1].outcome, exchanges[1].status) = (Outcome::HttpError, 503);
    (exchanges[2].outcome, exchanges[2].status) = (Outcome::Timeout, 0);
    (exchanges[3].outcome, exchanges[3].sent_ns) = (Outcome::ConnectError, 0);
    (exchanges[4].outcome, exchanges[4].sent_ns) = (Outcome::Unsent, 0);
    RowWriter::create(&path)
        .unwrap()
        .append(&exchanges)
        .unwrap();
    path
}

fn export(url: &str, rows: &Path, stop: &CancellationToken) -> Exported {
    let names = ["POST /predict".to_owned()];
    let run = OfRun {
        rows,
        key: RunKey::from_seed(7),
        origin_unix_ns: ORIGIN,
        names: &names,
    };
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(ClientSpans::to(url).unwrap().export(&run, stop))
}

/// Exports so many rows to one that answers so.
fn exported(n: u64, answers: Vec<Answer>) -> (Exported, Vec<Vec<Span>>) {
    let folder = TempDir::new().unwrap();
    let (url, requests) = receiver(answers);
    let exported = export(&url, &rows(&folder, n), &CancellationToken::new());
    (exported, requests.try_iter().collect())
}

#[test]
fn every_exchange_that_was_tried_has_its_span() {
    let (exported, requests) = exported(2_500, vec![(200, vec![])]);
    assert_eq!(
        (exported.sent, exported.lost, exported.error),
        (2_499, 0, None)
    );
    assert_eq!(requests.len(), 3);
    let spans = requests.concat();
    let key = RunKey::from_seed(7);
    let of = |seq: u64| {
        let span = spans
            .iter()
            .find(|s| s.trace_id == key.trace_id(seq))
            .unwrap();
        assert_eq!(span.span_id, key.client_span_id(seq));
        assert_eq!((span.name.as_str(), span.kind), ("POST /predict", 3));
        assert!(span.parent_span_id.is_empty());
        let end = span.end_time_unix_nano - ORIGIN;
        let attributes = span.attributes.iter().map(|a| format!("{:?}", a.value));
        let status = span.status.as_ref().map_or(0, |status| status.code);
        let attributes = attributes.collect::<Vec<_>>().join(" ");
        (span.start_time_unix_nano - ORIGIN, end, status, attributes)
    };
    assert_eq!((of(9).0, of(9).1, of(9).2), (9_010, 9_500, 0));
    assert!(of(9).3.contains("IntValue(200)"), "{}", of(9).3);
    assert!(of(1).2 == 2 && of(1).3.contains("IntValue(503)"));
    assert!(of(2).2 == 2 && of(2).3.contains("timeout"));
    assert!(of(3).0 == 3_000 && of(3).3.contains("connect_error"));
}

#[test]
fn a_receiver_that_is_busy_is_asked_again() {
    let (exported, requests) = exported(
        10,
        vec![(503, b"wait".into()), (429, vec![]), (200, vec![])],
    );
    assert_eq!((exported.sent, exported.lost, exported.error), (9, 0, None));
    assert_eq!(requests.len(), 3);
}

#[test]
fn what_is_refused_is_counted_and_said() {
    let (refused, requests) = exported(2_500, vec![(200, vec![]), (400, b"not here\n".into())]);
    // Nobody who refuses a batch is asked to take the next.
    assert_eq!(
        (refused.sent, refused.lost, requests.len()),
        (999, 1_500, 2)
    );
    let error = refused.error.unwrap();
    assert!(
        error.contains("400") && error.contains("not here\\n"),
        "{error}"
    );

    let part = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 400,
            error_message: "too many".into(),
        }),
    };
    let (partly, _) = exported(2_500, vec![(200, part.encode_to_vec()), (200, vec![])]);
    assert_eq!((partly.sent, partly.lost), (2_099, 400));
    assert!(partly.error.unwrap().contains("too many"));

    let (web, _) = exported(10, vec![(200, b"<html>".into())]);
    assert_eq!((web.sent, web.lost), (0, 9));
    assert!(web.error.unwrap().contains("OTLP"));
}

#[test]
fn an_export_can_be_stopped() {
    let folder = TempDir::new().unwrap();
    let rows = rows(&folder, 2_500);
    // Nobody answers here, so that only the stop ends it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", silent.local_addr().unwrap());
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    let stopping = std::thread::spawn(move || {
        let asked = silent.accept().unwrap();
        stopper.cancel();
        asked
    });
    let exported = export(&url, &rows, &stop);
    stopping.join().unwrap();
    assert_eq!((exported.sent, exported.lost), (0, 2_499));
    assert!(exported.error.unwrap().contains("stopped"));
}

#[test]
fn a_run_exports_its_client_spans_and_keeps_its_own_verdict() {
    let folder = TempDir::new().unwrap();
    let (url, requests) = receiver(vec![(200, vec![])]);
    let out = folder.path().join("run");
    // A busy machine's generator is not judged here.
    let plan = folder.path().join("plan.toml");
    let toml = "name = 'x'\nthresholds = ['coverage==1']\ngenerator = { max_lag_p99 = '60s', max_cpu = 1.0 }
        [[stage]]\nname = 'x'\nkind = 'rate'\nrate = 50\nduration = '1s'\n";
    std::fs::write(&plan, toml).unwrap();
    let run = |arguments: &[&str]| {
        let mut verifier = std::process::Command::new(env!("CARGO_BIN_EXE_verifier"));
        verifier.args(["run", "--headless"]).arg(&plan);
        verifier.arg("--out").arg(&out).args(arguments);
        verifier.output().unwrap()
    };
    let link = [
        "--trace-link",
        "http://j/{trace_id}",
        "--keep-traces",
        "all",
    ];
    let output = run(&[&["--export-client-spans", &url], &link[..]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!("50 client spans exported to {url}")),
        "{said}"
    );
    let spans: Vec<Span> = requests.try_iter().flatten().collect();
    assert_eq!(spans.len(), 50);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let books: serde_json::Value =
        serde_json::from_str(&read("opentelemetry_traces/completeness.json")).unwrap();
    assert_eq!(books["client_spans"]["sent"], 50, "{books:#}");
    assert_eq!(books["stages"][0]["duplicate_spans"], 0);
    assert_eq!(books["kept"]["spans"], 150, "{books:#}");
    assert!(read("opentelemetry_traces/trace_list.txt").contains("  http://j/"));
    let refused = run(&["--export-client-spans", "127.0.0.1:4318"]);
    assert_eq!(refused.status.code(), Some(2));
}
