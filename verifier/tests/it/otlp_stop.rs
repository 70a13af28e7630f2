//! The OTLP receiver is stopped while requests are under way: they are finished, acknowledged and recorded.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use tempfile::TempDir;
use verifier::record::{Clock, Receiver, Recording, RunFolder, RunKey, Span as Row, read_rows};
use verifier::run::traces::OtlpReceiver;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

struct Receiving {
    receiver: OtlpReceiver,
    recording: Recording,
    folder: RunFolder,
    _dir: TempDir,
}

fn start() -> Receiving {
    let dir = TempDir::new().unwrap();
    let folder = RunFolder::create(&dir.path().join("run")).unwrap();
    let recording = Recording::start(&folder, Clock::start(), RunKey::from_seed(1), &[]).unwrap();
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let receiver = OtlpReceiver::start(listen(), listen(), recording.recorder()).unwrap();
    Receiving {
        receiver,
        recording,
        folder,
        _dir: dir,
    }
}

impl Receiving {
    /// Begins to stop, and returns when that has been seen from outside.
    fn begin_stop(self) -> JoinHandle<(Receiver, Vec<u64>)> {
        let address = self.receiver.http_address();
        let stopping = std::thread::spawn(move || {
            let _dir = self._dir;
            let books = self.receiver.stop();
            self.recording.stop().unwrap();
            let rows = read_rows::<Row>(&self.folder.span_rows()).unwrap();
            (books, rows.iter().map(|row| row.seq).collect())
        });
        while TcpStream::connect(address).is_ok() {
            std::thread::yield_now();
        }
        stopping
    }
}

fn message(seq: u64) -> Vec<u8> {
    let span = Span {
        trace_id: RunKey::from_seed(1).trace_id(seq).into(),
        span_id: vec![1; 8],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

fn framed(seq: u64) -> Bytes {
    let message = message(seq);
    [
        &[0][..],
        &u32::try_from(message.len()).unwrap().to_be_bytes(),
        &message,
    ]
    .concat()
    .into()
}

#[test]
fn an_http_request_under_way() {
    let receiving = start();
    let mut stream = TcpStream::connect(receiving.receiver.http_address()).unwrap();
    let idle = TcpStream::connect(receiving.receiver.http_address()).unwrap();
    let message = message(5);
    // The receiver asks for the body when it has begun to read the request.
    write!(
        stream,
        "POST /v1/traces HTTP/1.1\r\nhost: r\r\nexpect: 100-continue\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        message.len()
    )
    .unwrap();
    let mut answer = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    answer.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    let stopping = receiving.begin_stop();
    stream.write_all(&message).unwrap();
    let status = answer
        .lines()
        .map(Result::unwrap)
        .find(|line| line.starts_with("HTTP/1.1"));
    assert_eq!(status.as_deref(), Some("HTTP/1.1 200 OK"));
    let (books, seqs) = stopping.join().unwrap();
    assert_eq!((books.requests, books.spans, seqs), (1, 1, vec![5]));
    drop(idle);
}

type Sender<B> = hyper::client::conn::http2::SendRequest<B>;
type Parts = StreamBody<futures_util::stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

async fn connect(address: SocketAddr) -> Sender<Parts> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn call(body: Parts) -> Request<Parts> {
    Request::post(format!("http://receiver{EXPORT}"))
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn a_grpc_call_under_way() {
    let receiving = start();
    let mut sender = connect(receiving.receiver.grpc_address()).await;
    let (go_on, rest) = tokio::sync::oneshot::channel::<Bytes>();
    let data = |bytes: Bytes| Ok::<_, Infallible>(Frame::data(bytes));
    let whole = framed(7);
    let (first, last) = (whole.slice(..9), whole.slice(9..));
    let parts =
        stream::iter([data(first)]).chain(stream::once(async move { data(rest.await.unwrap()) }));
    let slow = tokio::spawn(sender.send_request(call(StreamBody::new(parts.boxed()))));
    tokio::task::yield_now().await;
    // Frames of a connection are read in their order: when this one is answered, the slow one has begun.
    let body = StreamBody::new(stream::iter([data(framed(6))]).boxed());
    sender
        .send_request(call(body))
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let stopping = tokio::task::spawn_blocking(|| receiving.begin_stop())
        .await
        .unwrap();
    go_on.send(last).unwrap();
    let answer = slow.await.unwrap().unwrap().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    let (books, mut seqs) = tokio::task::spawn_blocking(|| stopping.join().unwrap())
        .await
        .unwrap();
    seqs.sort_unstable();
    assert_eq!((books.requests, seqs), (2, vec![6, 7]));
}
