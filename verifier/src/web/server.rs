//! The accept loop: HTTP/1.1, so many connections at most, each with so much time for its head.

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::SockRef;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Open connections. A browser has six for a page, and one for its events.
const MOST_CONNECTIONS: usize = 256;
/// From a connection's first moment, or the last answer, to the end of the next head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A peer that takes nothing for so long is gone, however politely its network says nothing.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// Longest head, and what of an answer waits in memory for a slow reader.
const BUFFER_BYTES: usize = 64 << 10;
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 45\r\nconnection: close\r\n\r\ntoo many connections: close some of the pages";

/// Serves until it is dropped.
///
/// # Errors
/// When the listener can not be used.
pub(super) async fn serve(listener: StdListener, router: Router) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // One connection's error is over at once; out of descriptors, trying at once would only spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let router = router.clone();
                tokio::spawn(async move {
                    connection(stream, router).await;
                    drop(place);
                });
            }
            // A browser that is told why tries again later by itself.
            Err(_) => drop(stream.try_write(REFUSAL)),
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    // Neither is more than a nicety.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(GONE_AFTER));
    let service = TowerToHyperService::new(router.into_service::<Body>());
    let service =
        hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            hyper::service::Service::call(&service, request.map(Body::new))
        });
    // An error is the peer's, who is gone.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
