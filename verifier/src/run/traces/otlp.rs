//! The verifier's own OTLP receiver: gRPC and HTTP/protobuf, on a thread and runtime of its own.
//!
//! Both protocols are understood on both ports.

use super::answer::{Desk, answer};
use super::body::Room;
use super::intake::Intake;
use crate::record::{Observation, Receiver, Recorder};
use anyhow::{Context, Result};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::cell::RefCell;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::task::{LocalSet, spawn_local};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A stream's and a connection's HTTP/2 window: a whole batch fits without a round trip.
const WINDOW: u32 = 4 << 20;
/// How long a stop waits for requests under way; a sender that has stopped in the middle of one is not waited for.
const LAST_REQUESTS_WITHIN: Duration = Duration::from_secs(5);
/// How long their answers may then take onto the wire. A connection that has none may stay open for as long
/// as its sender likes, which is why it is not waited for.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_millis(200);

/// A running receiver. Dropped, it ends without waiting for anything.
pub struct OtlpReceiver {
    grpc: SocketAddr,
    http: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<Receiver>>,
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
                let desk = Rc::new(Desk {
                    intake: RefCell::new(Intake::new(recorder.clone())),
                    room: Room::default(),
                    under_way: TaskTracker::new(),
                });
                let local = LocalSet::new();
                local.block_on(
                    &runtime,
                    receive([grpc, http], Rc::clone(&desk), recorder.clone(), stopped),
                );
                let books = desk.intake.borrow().books().clone();
                recorder.observe(Observation::Receiver(books.clone()));
                books
            })
            .context("cannot start the receiver's thread")?;
        Ok(OtlpReceiver {
            grpc: addresses.0,
            http: addresses.1,
            stop,
            thread: Some(thread),
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

    /// Takes no more connections and requests, finishes those under way, and gives the last books: what
    /// was acknowledged is with the recorder.
    pub fn stop(mut self) -> Receiver {
        self.stop.cancel();
        let books = self.thread.take().map(JoinHandle::join);
        books.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn receive(
    listeners: [TcpListener; 2],
    desk: Rc<Desk>,
    recorder: Recorder,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    for listener in listeners {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                let (connections, stop) = (connections.clone(), stop.clone());
                spawn_local(accept(listener, Rc::clone(&desk), connections, stop));
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
            () = stop.cancelled() => break,
            _ = second.tick() => {
                let books = desk.intake.borrow().books().clone();
                if books != journalled {
                    recorder.observe(Observation::Receiver(books.clone()));
                    journalled = books;
                }
            }
        }
    }
    // Past its time, what is left is unacknowledged, and its sender knows.
    desk.under_way.close();
    let _ = tokio::time::timeout(LAST_REQUESTS_WITHIN, desk.under_way.wait()).await;
    connections.close();
    let _ = tokio::time::timeout(LAST_ANSWERS_WITHIN, connections.wait()).await;
}

async fn accept(
    listener: tokio::net::TcpListener,
    desk: Rc<Desk>,
    connections: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors: those who wait are served when others have gone.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Only latency is lost without it.
        let _ = stream.set_nodelay(true);
        spawn_local(connections.track_future(serve(stream, Rc::clone(&desk), stop.clone())));
    }
}

/// Serves one connection to its end, or, once stopped, to the end of its requests under way.
async fn serve(stream: tokio::net::TcpStream, desk: Rc<Desk>, stop: CancellationToken) {
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
        // A stream refused would only be sent again. What all of them hold is bounded by the room.
        .max_concurrent_streams(1024);
    let service = hyper::service::service_fn(move |request| {
        let desk = Rc::clone(&desk);
        async move { answer(request, &desk).await }
    });
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection that breaks is the sender's to see: it has no acknowledgement.
    tokio::select! {
        _ = &mut connection => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
