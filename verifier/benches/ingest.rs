//! Takes batches of OTLP spans, in memory and over real sockets; prints nanoseconds of CPU a span:
//! the lean walk, the intake, the whole receiver, and beside them prost with a hash map.
//!
//! `cargo bench -p verifier --bench ingest -- [MILLION_SPANS]` (default 10 a line).

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::collections::HashMap;
use std::hint::black_box;
use std::net::{SocketAddr, TcpListener};
use verifier::record::{Clock, Recorder, Recording, RunFolder, RunKey};
use verifier::run::traces::{Intake, OtlpReceiver, walk};

/// As an exporter under load sends them: about a megabyte a request.
const SPANS_OF_A_BATCH: u64 = 8192;
/// Requests under way at once, as an exporter with some concurrency has them.
const IN_FLIGHT: usize = 4;
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    // Cargo itself adds `--bench`.
    let millions = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse::<u64>().ok())
        .unwrap_or(10);
    let spans = millions * 1_000_000;
    let key = RunKey::from_seed(1);
    // A few different ones, so that the batch is not in the CPU's cache before it is read.
    let batches: Vec<Bytes> = (0..16)
        .map(|batch| {
            batch_of(key, batch * SPANS_OF_A_BATCH / 3)
                .encode_to_vec()
                .into()
        })
        .collect();
    let bytes: usize = batches.iter().map(Bytes::len).sum();
    println!(
        "{millions} M spans a line, {SPANS_OF_A_BATCH} in a request, {} bytes a span",
        bytes as u64 / SPANS_OF_A_BATCH / batches.len() as u64
    );
    println!(
        "{:<44}{:>9}{:>18}",
        "one thread's CPU", "ns/span", "spans/s per core"
    );

    in_memory(
        "lean walk and index from the trace id",
        &batches,
        spans,
        |batch| {
            let mut sum = 0;
            walk(batch, |_, span| {
                sum ^= <&[u8; 16]>::try_from(span.trace_id)
                    .ok()
                    .and_then(|id| key.seq(id))
                    .unwrap_or(0)
            })?;
            black_box(sum);
            Ok(())
        },
    )?;
    let mut known = HashMap::new();
    in_memory(
        "prost decode and a hash map",
        &batches,
        spans.min(5_000_000),
        |batch| by_prost(&mut known, batch),
    )?;

    let folder = tempfile::tempdir()?;
    let recording = Recording::start(
        &RunFolder::create(&folder.path().join("memory"))?,
        Clock::start(),
        key,
        &[],
    )?;
    let mut intake = Intake::new(recording.recorder());
    in_memory(
        "intake: walk, texts, rows to the recorder",
        &batches,
        spans,
        |batch| intake.take(batch, 0).map(drop).map_err(Into::into),
    )?;
    recording.stop()?;

    for way in [Way::Grpc, Way::Http] {
        let recording = Recording::start(
            &RunFolder::create(&folder.path().join(format!("{way:?}")))?,
            Clock::start(),
            key,
            &[],
        )?;
        over_sockets(way, recording.recorder(), &batches, spans)?;
        recording.stop()?;
    }
    Ok(())
}

fn print(what: &str, cpu_ns: u64, spans: u64) {
    let each = cpu_ns as f64 / spans as f64;
    println!("{what:<44}{each:>9.1}{:>16.2} M", 1e3 / each);
}

fn in_memory(
    what: &str,
    batches: &[Bytes],
    spans: u64,
    mut take: impl FnMut(&[u8]) -> Outcome<()>,
) -> Outcome<()> {
    let start = Clock::thread_cpu_ns();
    let requests = spans / SPANS_OF_A_BATCH;
    for batch in batches.iter().cycle().take(requests as usize) {
        take(batch)?;
    }
    print(
        what,
        Clock::thread_cpu_ns() - start,
        requests * SPANS_OF_A_BATCH,
    );
    Ok(())
}

/// What a receiver made of the usual parts does with a span.
fn by_prost(known: &mut HashMap<Vec<u8>, u64>, batch: &[u8]) -> Outcome<()> {
    let request = ExportTraceServiceRequest::decode(batch)?;
    for span in request
        .resource_spans
        .iter()
        .flat_map(|r| &r.scope_spans)
        .flat_map(|s| &s.spans)
    {
        *known.entry(span.trace_id.clone()).or_default() += 1;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Grpc,
    Http,
}

/// The receiver and a sender beside it, on threads of their own; the CPU of the receiver's two threads.
fn over_sockets(way: Way, recorder: Recorder, batches: &[Bytes], spans: u64) -> Outcome<()> {
    let listen = || TcpListener::bind("127.0.0.1:0");
    let receiver = OtlpReceiver::start(listen()?, listen()?, recorder.clone())?;
    let requests = spans / SPANS_OF_A_BATCH;
    let bodies: Vec<Bytes> = batches
        .iter()
        .cycle()
        .take(requests as usize)
        .map(|b| framed(way, b))
        .collect();
    let (grpc, http) = (receiver.grpc_address(), receiver.http_address());
    let started = recorder.clock().now_ns();
    let before = [thread_cpu_ns("otlp-receiver")?, thread_cpu_ns("recorder")?];
    let sender = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(async {
                match way {
                    Way::Grpc => send_grpc(grpc, bodies).await,
                    Way::Http => send_http(http, bodies).await,
                }
            })
    });
    sender.join().map_err(|_| "the sender panicked")??;
    recorder.flush();
    let after = [thread_cpu_ns("otlp-receiver")?, thread_cpu_ns("recorder")?];
    let seconds = (recorder.clock().now_ns() - started) as f64 / 1e9;
    let books = receiver.stop();
    assert_eq!(
        books.spans,
        requests * SPANS_OF_A_BATCH,
        "every span arrived: {books:?}"
    );
    print(
        &format!("{way:?}, real sockets: the receiver's thread"),
        after[0] - before[0],
        books.spans,
    );
    print(
        &format!("{way:?}, real sockets: the recorder's thread"),
        after[1] - before[1],
        books.spans,
    );
    println!(
        "{:<44}{:>25.2} M/s",
        "  sender, receiver, recorder together",
        books.spans as f64 / seconds / 1e6
    );
    Ok(())
}

/// CPU time so far of this process's thread of that name (`/proc/self/task/*/schedstat`, first figure).
fn thread_cpu_ns(name: &str) -> Outcome<u64> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if std::fs::read_to_string(task.join("comm"))?.trim() == name {
            let stat = std::fs::read_to_string(task.join("schedstat"))?;
            total += stat.split(' ').next().unwrap_or("0").parse::<u64>()?;
        }
    }
    Ok(total)
}

async fn send_grpc(address: SocketAddr, bodies: Vec<Bytes>) -> Outcome<()> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut left = bodies.into_iter();
    let mut calls = tokio::task::JoinSet::new();
    loop {
        while calls.len() < IN_FLIGHT
            && let Some(body) = left.next()
        {
            let mut sender = sender.clone();
            let request = Request::post(format!("http://{address}{EXPORT}"))
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(Full::new(body))?;
            calls.spawn(async move {
                sender
                    .send_request(request)
                    .await?
                    .into_body()
                    .collect()
                    .await
            });
        }
        match calls.join_next().await {
            Some(answer) => drop(answer??),
            None => return Ok(()),
        }
    }
}

async fn send_http(address: SocketAddr, bodies: Vec<Bytes>) -> Outcome<()> {
    let mut connections = tokio::task::JoinSet::new();
    for number in 0..IN_FLIGHT {
        let bodies: Vec<Bytes> = bodies
            .iter()
            .skip(number)
            .step_by(IN_FLIGHT)
            .cloned()
            .collect();
        connections.spawn(async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            for body in bodies {
                let request = Request::post("/v1/traces")
                    .header("host", "receiver")
                    .header("content-type", "application/x-protobuf")
                    .body(Full::new(body))?;
                sender
                    .send_request(request)
                    .await?
                    .into_body()
                    .collect()
                    .await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(())
}

fn framed(way: Way, message: &Bytes) -> Bytes {
    match way {
        Way::Http => message.clone(),
        Way::Grpc => [&[0][..], &(message.len() as u32).to_be_bytes(), message]
            .concat()
            .into(),
    }
}

/// A request's three spans, `SPANS_OF_A_BATCH / 3` times, as the iris service sends them.
fn batch_of(key: RunKey, first: u64) -> ExportTraceServiceRequest {
    let spans = (0..SPANS_OF_A_BATCH)
        .map(|number| span(key, first + number / 3, number % 3))
        .collect();
    let text = |key: &str, value: &str| attribute(key, Value::StringValue(value.into()));
    let attributes = vec![
        text("service.name", "iris-prediction-api"),
        text("service.instance.id", "replica-0"),
    ];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes,
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

fn span(key: RunKey, seq: u64, role: u64) -> Span {
    let root = (seq * 3 + 1).to_be_bytes();
    let (name, kind, parent, attributes) = match role {
        0 => (
            "POST /predict",
            2,
            key.client_span_id(seq),
            vec![
                attribute("http.request.method", Value::StringValue("POST".into())),
                attribute("http.response.status_code", Value::IntValue(200)),
            ],
        ),
        1 => (
            "data_preparation",
            1,
            root,
            vec![attribute("iris.batch.size", Value::IntValue(1))],
        ),
        _ => (
            "model_inference",
            1,
            root,
            vec![attribute(
                "iris.class",
                Value::StringValue("virginica".into()),
            )],
        ),
    };
    Span {
        trace_id: key.trace_id(seq).into(),
        span_id: (seq * 3 + role + 1).to_be_bytes().into(),
        parent_span_id: parent.into(),
        name: name.into(),
        kind,
        start_time_unix_nano: 1_764_000_000_000_000_000 + seq,
        end_time_unix_nano: 1_764_000_000_000_090_000 + seq,
        attributes,
        ..Span::default()
    }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
