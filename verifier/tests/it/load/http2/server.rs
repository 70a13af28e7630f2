//! A server of HTTP/2 that does to each request what its script says.

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

/// What is done to a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// A status and a body.
    Answer(u16, Bytes),
    /// The same without a body, later.
    Later(Duration),
    /// An answer before the request's body was read, which never is.
    Early(u16),
    Head(HeaderMap),
    /// A head, and a body without end.
    Forever,
    Never,
    Reset(Reason),
    /// An answer, with which the server says goodbye in order.
    Goodbye,
    /// The connection is ended by an error.
    Abort,
    /// The connection is dropped.
    Drop,
}

/// What a server has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Path, traceparent and body of every request.
    pub requests: Mutex<Vec<(Request<()>, Bytes)>>,
    pub opened: AtomicUsize,
    /// Streams that the client has reset.
    pub cancelled: AtomicUsize,
    /// Requests at work now, and the most at once.
    pub at_work: AtomicUsize,
    pub most_at_work: AtomicUsize,
}

pub struct Http2Server {
    pub port: u16,
    pub seen: Arc<Seen>,
}

pub type Script = Arc<dyn Fn(usize) -> Act + Send + Sync>;

impl Http2Server {
    /// `script` gets the request's number on its connection.
    pub fn start(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> Http2Server {
        Http2Server::with(&Builder::new(), None, script)
    }

    pub fn with(
        settings: &Builder,
        tls: Option<TlsAcceptor>,
        script: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Http2Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Seen>::default();
        let (noted, settings, script) = (Arc::clone(&seen), settings.clone(), Arc::new(script));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).unwrap();
                    let (tls, settings) = (tls.clone(), settings.clone());
                    let (seen, script) = (Arc::clone(&noted), Arc::clone(&script));
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, settings, seen, script).await,
                            Some(tls) => {
                                if let Ok(stream) = tls.accept(stream).await {
                                    serve(stream, settings, seen, script).await;
                                }
                            }
                        }
                    });
                }
            });
        });
        Http2Server { port, seen }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn opened(&self) -> usize {
        self.seen.opened.load(SeqCst)
    }
}

async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin,
    settings: Builder,
    seen: Arc<Seen>,
    script: Script,
) {
    seen.opened.fetch_add(1, SeqCst);
    let Ok(mut connection) = settings.handshake::<_, Bytes>(io).await else {
        return;
    };
    let mut number = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        let act = script(number);
        number += 1;
        match act {
            Act::Goodbye => connection.graceful_shutdown(),
            Act::Abort => connection.abrupt_shutdown(Reason::INTERNAL_ERROR),
            Act::Drop => return,
            _ => {}
        }
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let now = seen.at_work.fetch_add(1, SeqCst) + 1;
            seen.most_at_work.fetch_max(now, SeqCst);
            exchange(request, respond, act, &seen).await;
            seen.at_work.fetch_sub(1, SeqCst);
        });
    }
}

async fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    act: Act,
    seen: &Seen,
) {
    let (parts, mut body) = request.into_parts();
    let mut whole = Vec::new();
    if !matches!(act, Act::Early(_)) {
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            whole.extend_from_slice(&data);
        }
    }
    let head_only = parts.method == http::Method::HEAD;
    let request = (Request::from_parts(parts, ()), whole.into());
    seen.requests.lock().unwrap().push(request);
    let head = |status: u16| Response::builder().status(status).body(()).unwrap();
    match act {
        Act::Answer(status, body) => {
            let body = if head_only { Bytes::new() } else { body };
            if let Ok(mut stream) = respond.send_response(head(status), body.is_empty())
                && !body.is_empty()
            {
                let _ = stream.send_data(body, true);
            }
        }
        Act::Later(pause) => {
            tokio::time::sleep(pause).await;
            let _ = respond.send_response(head(200), true);
        }
        Act::Early(status) => {
            let _ = respond.send_response(head(status), true);
        }
        Act::Goodbye => {
            let _ = respond.send_response(head(200), true);
        }
        Act::Head(fields) => {
            let mut head = head(200);
            *head.headers_mut() = fields;
            let _ = respond.send_response(head, true);
        }
        Act::Forever => forever(respond, head(200)).await,
        Act::Reset(reason) => respond.send_reset(reason),
        Act::Never => {
            if poll_fn(|context| respond.poll_reset(context)).await.is_ok() {
                seen.cancelled.fetch_add(1, SeqCst);
            }
        }
        Act::Abort | Act::Drop => {}
    }
}

async fn forever(mut respond: SendResponse<Bytes>, head: Response<()>) {
    let Ok(mut stream) = respond.send_response(head, false) else {
        return;
    };
    let data = Bytes::from(vec![b'x'; 16 << 10]);
    loop {
        stream.reserve_capacity(data.len());
        match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(Ok(_)) if stream.send_data(data.clone(), false).is_ok() => {
                tokio::task::yield_now().await;
            }
            _ => return,
        }
    }
}
