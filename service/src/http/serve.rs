//! Serves HTTP/1.1 on one thread per core until the shutdown future is ready, then drains: no
//! request that was accepted is cut off before the drain's deadline.
//!
//! HTTP/1.1 only: recognising HTTP/2 by its preface would put a buffer and a branch before every
//! read of every connection, and what speaks to a prediction API in a cluster speaks HTTP/1.1.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, service::Service};
use tokio::sync::{Notify, watch};

pub use super::listeners::Listeners;
use super::{
    shortcut::Shortcut,
    worker::{Shared, Worker},
};

/// Limits and times. The number of workers is that of the [`Listeners`].
#[derive(Clone, Copy, Debug)]
pub struct ServeOptions {
    /// Open connections; more are answered 503 and closed.
    pub max_connections: usize,
    /// From a request's first byte to the end of its head (and for a connection's first byte).
    pub header_read_timeout: Duration,
    /// A request that is with the service and makes no progress, its body not arriving.
    pub stall_timeout: Duration,
    /// Between requests. Longer than the 600 s of Google's load balancers, which must be the
    /// ones to close, or they answer 502 when a request meets our close.
    pub idle_timeout: Duration,
    /// Per connection, also the longest request head; at least 8192. Up to 100 headers are read.
    pub max_buffer_bytes: usize,
    /// From "not ready" to the end of accepting, for load balancers to notice.
    pub drain_delay: Duration,
    /// From the end of accepting to the end of waiting for requests under way.
    pub drain_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> ServeOptions {
        ServeOptions {
            max_connections: 10_000,
            header_read_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(620),
            max_buffer_bytes: 64 << 10,
            drain_delay: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

/// What serving came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// Connections refused because there were too many.
    pub refused_connections: usize,
    /// Connections cut off at the drain's deadline.
    pub aborted_connections: usize,
}

/// Serves until `shutdown` is ready and everything is drained; blocks the calling thread.
///
/// `worker(i)` is called once on each worker's thread and yields what makes a service for a peer,
/// so that what it holds is shared with no other core. `draining` is called when shutdown begins:
/// turn readiness off there.
pub fn serve<W, F, S>(
    listeners: Listeners,
    options: &ServeOptions,
    worker: W,
    shutdown: impl Future<Output = ()>,
    draining: impl FnOnce(),
) -> Result<Served>
where
    W: Fn(usize) -> F + Sync,
    F: Fn(SocketAddr) -> S,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
        + Shortcut
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let shared = Arc::new(Shared::default());
    let (stop, stops) = watch::channel(false);
    let ended_early = Notify::new();
    let conductor = runtime().context("cannot start the runtime")?;
    thread::scope(|scope| {
        let spawn = |(index, listener)| {
            let (shared, stops, worker, ended) =
                (shared.clone(), stops.clone(), &worker, &ended_early);
            let work = move || {
                let served = work(*options, shared, || worker(index), listener, stops);
                ended.notify_one();
                served
            };
            thread::Builder::new()
                .name(format!("http-{index}"))
                .spawn_scoped(scope, work)
        };
        let workers: io::Result<Vec<_>> = listeners
            .into_sockets()
            .into_iter()
            .enumerate()
            .map(spawn)
            .collect();
        if workers.is_ok() {
            conductor.block_on(async {
                tokio::select! {
                    () = shutdown => {
                        draining();
                        tokio::time::sleep(options.drain_delay).await;
                    }
                    // It says why when it is joined; the others are not left alone with its load.
                    () = ended_early.notified() => {}
                }
            });
        }
        // Also those that started before one could not: the scope waits for them.
        stop.send_replace(true);
        for worker in workers.context("cannot start a worker thread")? {
            worker
                .join()
                .map_err(|_| anyhow!("a worker panicked"))?
                .context("a worker failed")?;
        }
        Ok(Served {
            refused_connections: shared.refused.load(Relaxed),
            aborted_connections: shared.aborted.load(Relaxed),
        })
    })
}

/// One worker's whole life, on its own thread.
fn work<F, S>(
    options: ServeOptions,
    shared: Arc<Shared>,
    service_for: impl FnOnce() -> F,
    listener: TcpListener,
    stops: watch::Receiver<bool>,
) -> io::Result<()>
where
    F: Fn(SocketAddr) -> S,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
        + Shortcut
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    runtime()?.block_on(Worker::new(options, shared, service_for()).run(listener, stops))
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
