//! The verifier's own OTLP receiver: gRPC and HTTP/protobuf, on a thread and runtime of its own.
//!
//! Formats: the OTLP specification 1.x (opentelemetry.io/docs/specs/otlp) and gRPC over HTTP/2
//! (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). Both protocols are understood on both ports.

use super::intake::Intake;
use crate::record::{Observation, Receiver, Recorder};
use anyhow::{Context, Result};
use bytes::{Buf, Bytes};
use flate2::read::MultiGzDecoder;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::task::{LocalSet, spawn_local};
use tokio_util::sync::CancellationToken;

/// Largest message after decompression.
const LARGEST_MESSAGE: usize = 64 << 20;
/// How much of a refused request is still read, so that a sender that writes all of it before it reads
/// finds the answer and not a reset connection.
const LONGEST_REST: usize = 4 * LARGEST_MESSAGE;
const GRPC_EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// A stream's and a connection's HTTP/2 window: a whole batch fits without a round trip.
const WINDOW: u32 = 4 << 20;

/// A running receiver.
pub struct OtlpReceiver {
    grpc: SocketAddr,
    http: SocketAddr,
    stop: CancellationToken,
    thread: JoinHandle<Receiver>,
}

impl OtlpReceiver {
    /// Starts receiving on two bound listeners.
    ///
    /// # Errors
    /// When the thread or its runtime can not be had.
    pub fn start(grpc: TcpListener, http: TcpListener, recorder: Recorder) -> Result<OtlpReceiver> {
        let stop = CancellationToken::new();
        let addresses = (grpc.local_addr()?, http.local_addr()?);
        grpc.set_nonblocking(true)?;
        http.set_nonblocking(true)?;
        let stopped = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("otlp-receiver".into())
            .spawn(move || {
                let intake = Rc::new(RefCell::new(Intake::new(recorder.clone())));
                let local = LocalSet::new();
                local.block_on(
                    &runtime,
                    receive([grpc, http], Rc::clone(&intake), recorder.clone(), stopped),
                );
                let books = intake.borrow().books().clone();
                recorder.observe(Observation::Receiver(books.clone()));
                books
            })
            .context("cannot start the receiver's thread")?;
        Ok(OtlpReceiver {
            grpc: addresses.0,
            http: addresses.1,
            stop,
            thread,
        })
    }

    /// Where OTLP/gRPC is taken.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc
    }

    /// Where OTLP/HTTP is taken.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Stops; what was acknowledged is with the recorder, what is still on the wire is not acknowledged.
    pub fn stop(self) -> Receiver {
        self.stop.cancel();
        self.thread.join().unwrap_or_default()
    }
}

async fn receive(
    listeners: [TcpListener; 2],
    intake: Rc<RefCell<Intake>>,
    recorder: Recorder,
    stop: CancellationToken,
) {
    for listener in listeners {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                spawn_local(accept(listener, Rc::clone(&intake)));
            }
            Err(error) => recorder.observe(Observation::RunError {
                error: format!("the trace receiver can not listen: {error}"),
            }),
        }
    }
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut journalled = Receiver::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = second.tick() => {
                let books = intake.borrow().books().clone();
                if books != journalled {
                    recorder.observe(Observation::Receiver(books.clone()));
                    journalled = books;
                }
            }
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, intake: Rc<RefCell<Intake>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: those who wait are served when others have gone.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Only latency is lost without it.
        let _ = stream.set_nodelay(true);
        let intake = Rc::clone(&intake);
        spawn_local(async move {
            let mut server = auto::Builder::new(OnThisThread);
            server
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(30));
            server
                .http2()
                .timer(TokioTimer::new())
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(4 * WINDOW)
                .max_frame_size(1 << 20)
                // Memory is bounded by the connection's window, however many streams share it; a stream
                // refused would only be sent again.
                .max_concurrent_streams(1024);
            let service =
                hyper::service::service_fn(move |request| answer(request, Rc::clone(&intake)));
            // A connection that breaks is the sender's to see: it has no acknowledgement.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

type Trailers = std::future::Ready<Option<Result<HeaderMap, Infallible>>>;
type Body = Either<Full<Bytes>, http_body_util::combinators::WithTrailers<Full<Bytes>, Trailers>>;

/// Why a request is refused: as HTTP and as gRPC say it.
struct Refusal {
    http: StatusCode,
    grpc: u8,
    why: String,
}

fn refusal(http: StatusCode, grpc: u8, why: impl Into<String>) -> Refusal {
    Refusal {
        http,
        grpc,
        why: why.into(),
    }
}

async fn answer(
    request: Request<Incoming>,
    intake: Rc<RefCell<Intake>>,
) -> Result<Response<Body>, Infallible> {
    let (head, mut body) = request.into_parts();
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let grpc = kind.starts_with(b"application/grpc");
    let taken = if grpc {
        take_grpc(&head, &mut body, &intake).await
    } else {
        take_http(&head, &mut body, &intake).await
    };
    if let Err(refusal) = &taken {
        intake.borrow_mut().refuse(&refusal.why);
        read_on(&mut body).await;
    }
    Ok(if grpc {
        grpc_response(taken)
    } else {
        http_response(taken)
    })
}

async fn take_http(
    head: &Parts,
    body: &mut Incoming,
    intake: &RefCell<Intake>,
) -> Result<(), Refusal> {
    let path = head.uri.path();
    if path != "/v1/traces" {
        let why = format!("{path}: only traces are taken here, at /v1/traces");
        return Err(refusal(StatusCode::NOT_FOUND, 12, why));
    }
    if head.method != Method::POST {
        return Err(refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            12,
            "POST is the method of /v1/traces",
        ));
    }
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if !kind.starts_with("application/x-protobuf") {
        let why = format!(
            "content type {kind:?}: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf or grpc"
        );
        return Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, 3, why));
    }
    let body = read_body(body).await?;
    let wire_bytes = body.len() as u64;
    let message = decompress(body, head.headers.get(header::CONTENT_ENCODING))?;
    take(intake, &message, wire_bytes)
}

async fn take_grpc(
    head: &Parts,
    body: &mut Incoming,
    intake: &RefCell<Intake>,
) -> Result<(), Refusal> {
    if head.uri.path() != GRPC_EXPORT {
        let why = format!("{}: only the trace service is here", head.uri.path());
        return Err(refusal(StatusCode::NOT_FOUND, 12, why));
    }
    let encoding = head.headers.get("grpc-encoding");
    let mut body = read_body(body).await?;
    let wire_bytes = body.len() as u64;
    let torn = || refusal(StatusCode::BAD_REQUEST, 13, "a gRPC message is torn");
    // Length-prefixed message: one byte of compression flag, four of length, big endian.
    if body.len() < 5 {
        return Err(torn());
    }
    let (compressed, length) = (body.get_u8(), body.get_u32() as usize);
    if body.len() != length || compressed > 1 {
        return Err(torn());
    }
    let message = decompress(body, encoding.filter(|_| compressed == 1))?;
    take(intake, &message, wire_bytes)
}

fn take(intake: &RefCell<Intake>, message: &[u8], wire_bytes: u64) -> Result<(), Refusal> {
    let taken = intake.borrow_mut().take(message, wire_bytes);
    taken
        .map(drop)
        .map_err(|error| refusal(StatusCode::BAD_REQUEST, 3, error.to_string()))
}

async fn read_body(body: &mut Incoming) -> Result<Bytes, Refusal> {
    match Limited::new(body, LARGEST_MESSAGE).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(error) => Err(refusal(
            StatusCode::BAD_REQUEST,
            13,
            format!("the request broke off: {error}"),
        )),
    }
}

async fn read_on(body: &mut Incoming) {
    let mut rest = Limited::new(body, LONGEST_REST);
    while let Some(Ok(_)) = rest.frame().await {}
}

fn too_large() -> Refusal {
    refusal(
        StatusCode::PAYLOAD_TOO_LARGE,
        8,
        format!(
            "larger than {} MiB: send smaller batches",
            LARGEST_MESSAGE >> 20
        ),
    )
}

fn decompress(body: Bytes, encoding: Option<&HeaderValue>) -> Result<Bytes, Refusal> {
    match encoding.map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body),
        Some(b"gzip") => {
            let mut message = Vec::with_capacity(body.len() * 4);
            let mut decoder = MultiGzDecoder::new(body.reader()).take(LARGEST_MESSAGE as u64 + 1);
            let broken =
                |error| refusal(StatusCode::BAD_REQUEST, 3, format!("broken gzip: {error}"));
            decoder.read_to_end(&mut message).map_err(broken)?;
            if message.len() > LARGEST_MESSAGE {
                Err(too_large())
            } else {
                Ok(message.into())
            }
        }
        Some(other) => {
            let why = format!(
                "compression {:?} is not known here: use gzip or none",
                String::from_utf8_lossy(other)
            );
            Err(refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, 12, why))
        }
    }
}

/// An empty `ExportTraceServiceResponse` is zero bytes; a refusal is a `google.rpc.Status`.
fn http_response(taken: Result<(), Refusal>) -> Response<Body> {
    let (status, body) = match taken {
        Ok(()) => (StatusCode::OK, Vec::new()),
        Err(refusal) => (refusal.http, status_message(&refusal)),
    };
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-protobuf"),
    );
    response
}

/// `google.rpc.Status`: `int32 code = 1; string message = 2`.
fn status_message(refusal: &Refusal) -> Vec<u8> {
    // Cut where a character ends: a protobuf string is UTF-8. 127 is the longest one-byte length.
    let why = &refusal.why.as_bytes()[..refusal.why.floor_char_boundary(127)];
    [
        &[
            0x08,
            refusal.grpc,
            0x12,
            u8::try_from(why.len()).unwrap_or(0),
        ],
        why,
    ]
    .concat()
}

fn grpc_response(taken: Result<(), Refusal>) -> Response<Body> {
    let mut status = HeaderMap::new();
    let body = match &taken {
        Ok(()) => {
            status.insert("grpc-status", HeaderValue::from_static("0"));
            let trailers = std::future::ready(Some(Ok(std::mem::take(&mut status))));
            Either::Right(Full::new(Bytes::from_static(&[0; 5])).with_trailers(trailers))
        }
        Err(refusal) => {
            status.insert("grpc-status", HeaderValue::from(u16::from(refusal.grpc)));
            let ascii: String = refusal
                .why
                .chars()
                .filter(|c| (' '..='~').contains(c) && *c != '%')
                .collect();
            status.extend(
                HeaderValue::from_str(&ascii)
                    .ok()
                    .map(|why| (header::HeaderName::from_static("grpc-message"), why)),
            );
            Either::Left(Full::new(Bytes::new()))
        }
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    response.headers_mut().extend(status);
    response
}
