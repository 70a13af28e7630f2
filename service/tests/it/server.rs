//! A small traced service on a free port, and a client that writes requests by hand.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use iris_prediction_api::{
    http::{
        serve::{Listeners, ServeOptions, Served, serve},
        trace::{self, Trace, TraceOptions},
    },
    telemetry::Recorder,
};
use tokio::sync::{Notify, oneshot};

/// Method, route, status of each request that has ended.
pub type Observed = Arc<Mutex<Vec<(&'static str, Option<&'static str>, Option<u16>)>>>;

/// The service under test.
pub struct Server {
    pub address: SocketAddr,
    pub observed: Observed,
    /// Is notified when `/slow` or `/forever` is reached.
    pub reached: Arc<Notify>,
    /// Lets one `/slow` go on.
    pub go: Arc<Notify>,
    pub draining: Arc<Notify>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<Served>>,
}

pub fn route_of(path: &str) -> Option<&'static str> {
    ["/predict", "/fail", "/slow", "/forever", "/livez"]
        .into_iter()
        .find(|route| *route == path)
}

pub fn options() -> ServeOptions {
    ServeOptions {
        drain_delay: Duration::ZERO,
        ..ServeOptions::default()
    }
}

pub fn trace_options() -> TraceOptions {
    TraceOptions {
        route_of,
        propagate: true,
        trace_probes: false,
        trust_forwarded: false,
    }
}

impl Server {
    pub fn start(recorder: Recorder, trace: TraceOptions, options: ServeOptions) -> Server {
        let listeners = Listeners::bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = listeners.address();
        let observed = Observed::default();
        let [reached, go, draining]: [Arc<Notify>; 3] = Default::default();
        let router = router(reached.clone(), go.clone());
        let (stop, stopped) = oneshot::channel();
        let (seen, began) = (observed.clone(), draining.clone());
        let thread = std::thread::spawn(move || {
            let worker = |_| {
                let seen = seen.clone();
                let observe = move |method, route, status, _| {
                    seen.lock().unwrap().push((method, route, status));
                };
                let trace = Arc::new(Trace::new(recorder, trace, observe));
                let router = router.clone();
                move |peer| trace::connection(trace.clone(), router.clone(), None, peer)
            };
            let shutdown = async { drop(stopped.await) };
            serve(listeners, &options, worker, shutdown, || began.notify_one())
        });
        Server {
            address,
            observed,
            reached,
            go,
            draining,
            stop,
            thread,
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Begins shutdown without waiting for its end.
    pub fn begin_stop(self) -> JoinHandle<anyhow::Result<Served>> {
        self.stop.send(()).unwrap();
        self.thread
    }

    pub fn stop(self) -> Served {
        self.begin_stop().join().unwrap().unwrap()
    }
}

fn router(reached: Arc<Notify>, go: Arc<Notify>) -> Router {
    let slow = {
        let reached = reached.clone();
        move || async move {
            reached.notify_one();
            go.notified().await;
            "slow"
        }
    };
    let forever = move || async move {
        reached.notify_one();
        std::future::pending::<()>().await;
    };
    Router::new()
        .route("/predict", post(|body: String| async move { body }))
        .route("/fail", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/slow", get(slow))
        .route("/forever", get(forever))
        .route("/livez", get(|| async { "live" }))
}

pub fn wait_for(notify: &Notify) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(20), notify.notified())
            .await
            .unwrap();
    });
}

/// One HTTP/1.1 connection.
pub struct Client(BufReader<TcpStream>);

/// Status, head and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl From<TcpStream> for Client {
    fn from(stream: TcpStream) -> Client {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Client(BufReader::new(stream))
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        Client::from(TcpStream::connect(address).unwrap())
    }

    pub fn write(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// `None` when the server has closed the connection.
    pub fn read(&mut self) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match self.0.read_line(&mut head) {
                Ok(0) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                read => read.unwrap(),
            };
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).unwrap();
        Some(Answer {
            status: head[9..12].parse().unwrap(),
            body: String::from_utf8(body).unwrap(),
            head,
        })
    }

    pub fn request(&mut self, line: &str, headers: &str) -> Answer {
        self.write(&format!(
            "{line} HTTP/1.1\r\nHost: iris.test:8080\r\n{headers}\r\n"
        ));
        self.read().expect("an answer")
    }

    pub fn predict(&mut self, headers: &str) -> Answer {
        self.write(&format!(
            "POST /predict HTTP/1.1\r\nHost: iris.test:8080\r\nContent-Length: 2\r\n{headers}\r\nhi"
        ));
        self.read().expect("an answer")
    }
}
