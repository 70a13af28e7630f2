//! One worker: a thread with its own runtime, its own listening socket and its own connections,
//! from the first accept to the end of the drain.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{MissedTickBehavior, sleep, timeout},
};
use tokio_util::task::TaskTracker;

use super::{
    connection::{self, Activity, Pulse, State},
    serve::ServeOptions,
    shortcut::Shortcut,
};

/// How often connections are looked over.
const TICK: Duration = Duration::from_millis(250);
/// How long clients may use their connections once they are asked to leave with each answer;
/// afterwards idle ones are closed, which a request under way at that moment would not survive.
const LINGER: Duration = Duration::from_secs(1);
/// Refusals that may be under way at once.
const REFUSALS: usize = 64;
const REFUSAL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
content-type: application/json\r\ncontent-length: 33\r\n\r\n{\"detail\":\"too many connections\"}";

/// What all workers count together.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) connections: AtomicUsize,
    refusals: AtomicUsize,
    pub(super) refused: AtomicUsize,
    pub(super) aborted: AtomicUsize,
}

/// One worker's state.
pub(super) struct Worker<F> {
    options: ServeOptions,
    shared: Arc<Shared>,
    service_for: F,
    http: http1::Builder,
    pulse: Arc<Pulse>,
    activities: Vec<Arc<Activity>>,
    tasks: TaskTracker,
}

impl<F, S> Worker<F>
where
    F: Fn(SocketAddr) -> S,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>
        + Shortcut
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    pub(super) fn new(options: ServeOptions, shared: Arc<Shared>, service_for: F) -> Worker<F> {
        let mut http = http1::Builder::new();
        // hyper's timer stays off: see `connection`.
        http.pipeline_flush(true)
            .header_read_timeout(None)
            .max_buf_size(options.max_buffer_bytes);
        Worker {
            options,
            shared,
            service_for,
            http,
            pulse: Arc::default(),
            activities: Vec::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Accepts until told to stop, then drains.
    pub(super) async fn run(
        mut self,
        listener: StdListener,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0_u32;
        loop {
            tokio::select! {
                // An error means that the conductor is gone: the same as being told.
                _ = stop.wait_for(|stop| *stop) => break,
                _ = tick.tick() => self.look_over(),
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        failures = 0;
                        self.take(stream, peer);
                    }
                    Err(error) => rest_after(&error, &mut failures).await,
                }
            }
        }
        self.take_backlog(listener)?;
        self.drain(tick).await;
        Ok(())
    }

    /// Takes the connections whose handshake the kernel has completed already: closing the socket
    /// would reset them.
    fn take_backlog(&mut self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        while let Ok((stream, peer)) = listener.accept() {
            stream.set_nonblocking(true)?;
            self.take(TcpStream::from_std(stream)?, peer);
        }
        Ok(())
    }

    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        if self.shared.connections.fetch_add(1, Relaxed) >= self.options.max_connections {
            self.shared.connections.fetch_sub(1, Relaxed);
            self.refuse(stream);
            return;
        }
        // Answers are one small write each: waiting for more to send only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("cannot set TCP_NODELAY: {error}");
        }
        let activity = Arc::new(Activity::new(self.pulse.clone()));
        self.activities.push(activity.clone());
        let (http, shared) = (self.http.clone(), self.shared.clone());
        let service = (self.service_for)(peer);
        self.tasks.spawn(async move {
            connection::run(http, stream, service, activity).await;
            shared.connections.fetch_sub(1, Relaxed);
        });
    }

    /// Says why before it hangs up, as long as that does not become the load itself.
    fn refuse(&self, mut stream: TcpStream) {
        self.shared.refused.fetch_add(1, Relaxed);
        if self.shared.refusals.fetch_add(1, Relaxed) >= REFUSALS {
            self.shared.refusals.fetch_sub(1, Relaxed);
            return;
        }
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let tell = async {
                stream.write_all(REFUSAL).await?;
                stream.shutdown().await?;
                // Closing with unread bytes would reset the connection and take the answer along.
                while stream.read(&mut [0; 1024]).await? > 0 {}
                io::Result::Ok(())
            };
            let _ = timeout(Duration::from_secs(1), tell).await;
            shared.refusals.fetch_sub(1, Relaxed);
        });
    }

    /// Forgets connections that have ended and closes those that have made no progress for too long.
    fn look_over(&mut self) {
        self.pulse.tick.fetch_add(1, Relaxed);
        let ticks = |limit: Duration| limit.as_millis().div_ceil(TICK.as_millis()) as u64;
        let head = ticks(self.options.header_read_timeout);
        let idle = ticks(self.options.idle_timeout);
        let stall = ticks(self.options.stall_timeout);
        self.activities.retain(|activity| {
            match activity.now() {
                (State::Idle, for_ticks) if for_ticks > idle => activity.finish(),
                (State::Head, for_ticks) if for_ticks > head => activity.abort(),
                (State::Busy, for_ticks) if for_ticks > stall => activity.abort(),
                _ => {}
            }
            Arc::strong_count(activity) > 1
        });
    }

    async fn drain(mut self, mut tick: tokio::time::Interval) {
        self.pulse.leaving.store(true, Relaxed);
        self.tasks.close();
        let tasks = self.tasks.clone();
        let linger = LINGER.min(self.options.drain_timeout / 2);
        if timeout(linger, tasks.wait()).await.is_ok() {
            return;
        }
        self.activities
            .iter()
            .for_each(|activity| activity.finish());
        let rest = self.options.drain_timeout.saturating_sub(linger);
        let wait = async {
            let mut ended = std::pin::pin!(tasks.wait());
            loop {
                tokio::select! {
                    () = ended.as_mut() => return,
                    _ = tick.tick() => self.look_over(),
                }
            }
        };
        if timeout(rest, wait).await.is_err() {
            // Dropping the runtime drops them; their spans are recorded all the same.
            self.shared.aborted.fetch_add(tasks.len(), Relaxed);
        }
    }
}

/// Errors of one connection are none of the listener's; out of descriptors or memory, trying at
/// once again would only spin.
async fn rest_after(error: &io::Error, failures: &mut u32) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    ) {
        return;
    }
    *failures += 1;
    let pause = Duration::from_millis(10 << (*failures).min(6));
    if failures.is_power_of_two() {
        tracing::warn!(
            failures = *failures,
            ?pause,
            "cannot accept connections: {error}"
        );
    }
    sleep(pause).await;
}
