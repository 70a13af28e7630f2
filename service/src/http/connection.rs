//! One client connection: hyper's HTTP/1.1 under a watch that tells an idle connection from one
//! that sends its request too slowly. hyper's own header timer does not: it would close idle
//! keep-alive connections too, and costs every request a timer.

use std::{
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::body::Body;
use http::{HeaderValue, Request, Response, header};
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Notify};

use super::{short_way, shortcut::Shortcut};

/// What all connections of a worker read: a clock that only its sweep advances, so that noting the
/// time of an event costs nothing; and whether the worker wants its clients to leave.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) tick: AtomicU64,
    pub(super) leaving: AtomicBool,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Between requests.
    Idle = 0,
    /// A request has begun to arrive (or the first is due).
    Head = 1,
    /// A request is with the service, perhaps still sending its body.
    Busy = 2,
}

/// What a connection is doing, since when, and what it is told. Written by its own thread only, so
/// the atomics cost no more than plain memory.
#[derive(Debug)]
pub(super) struct Activity {
    pulse: Arc<Pulse>,
    state: AtomicU8,
    since: AtomicU64,
    abort: AtomicBool,
    pub(super) told: Notify,
}

impl Activity {
    pub(super) fn new(pulse: Arc<Pulse>) -> Activity {
        let since = pulse.tick.load(Relaxed).into();
        let state = (State::Head as u8).into();
        Activity {
            pulse,
            state,
            since,
            abort: false.into(),
            told: Notify::new(),
        }
    }

    /// What it is doing, and for how many ticks without progress.
    pub(super) fn now(&self) -> (State, u64) {
        let state = match self.state.load(Relaxed) {
            0 => State::Idle,
            1 => State::Head,
            _ => State::Busy,
        };
        (
            state,
            self.pulse
                .tick
                .load(Relaxed)
                .saturating_sub(self.since.load(Relaxed)),
        )
    }

    /// Finish the request under way, then close.
    pub(super) fn finish(&self) {
        self.told.notify_one();
    }

    /// Close now.
    pub(super) fn abort(&self) {
        self.abort.store(true, Relaxed);
        self.told.notify_one();
    }

    pub(super) fn set(&self, state: State) {
        self.state.store(state as u8, Relaxed);
        self.since.store(self.pulse.tick.load(Relaxed), Relaxed);
    }

    /// Whether it is to close now.
    pub(super) fn is_aborted(&self) -> bool {
        self.abort.load(Relaxed)
    }

    /// Whether its clients are asked to leave with each answer.
    pub(super) fn is_leaving(&self) -> bool {
        self.pulse.leaving.load(Relaxed)
    }

    fn bytes_came(&self) {
        match self.now().0 {
            State::Idle => self.set(State::Head),
            // A head gets its time as a whole; a body only has to keep moving.
            State::Head => {}
            State::Busy => self.set(State::Busy),
        }
    }
}

/// Serves the connection until the client leaves, or it is told to: by the short way for as long as
/// every request fits it, then by hyper.
pub(super) async fn run<S>(
    http: http1::Builder,
    mut stream: TcpStream,
    service: S,
    activity: Arc<Activity>,
) where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Shortcut,
{
    let Some(received) = short_way::serve(&mut stream, &service, &activity).await else {
        return;
    };
    let io = Watched {
        received,
        io: TokioIo::new(stream),
        activity: activity.clone(),
    };
    let told = activity.clone();
    let service = service_fn(move |request| {
        activity.set(State::Busy);
        let response = service.call(request);
        let activity = activity.clone();
        async move {
            let mut response = response.await?;
            activity.set(State::Idle);
            if activity.is_leaving() {
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(http.serve_connection(io, service));
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("connection ended: {error}");
                }
                return;
            }
            () = told.told.notified() => {}
        }
        if told.abort.load(Relaxed) {
            return;
        }
        connection.as_mut().graceful_shutdown();
    }
}

/// A stream that notes when something is read, what has been received before first.
struct Watched {
    received: Vec<u8>,
    io: TokioIo<TcpStream>,
    activity: Arc<Activity>,
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.received.is_empty() {
            let fits = self.received.len().min(buf.remaining());
            buf.put_slice(&self.received[..fits]);
            self.received.drain(..fits);
            self.activity.bytes_came();
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        // The end of the stream counts too; the connection is over then anyway.
        if let Poll::Ready(Ok(())) = read {
            self.activity.bytes_came();
        }
        read
    }
}

impl Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
