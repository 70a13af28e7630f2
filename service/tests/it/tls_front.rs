//! A TLS listener in front of the sink: takes the handshake, passes the rest on as it is. What it
//! shows can be changed while it listens, as when a collector comes back with the right certificate.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};

use iris_prediction_api::telemetry::{Protocol, TelemetryConfig};
use rustls::ServerConfig;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::sink::{Sink, otlp};

#[derive(Clone)]
pub struct Front {
    pub address: SocketAddr,
    sink: SocketAddr,
    shows: Arc<Mutex<Arc<ServerConfig>>>,
    /// What ALPN has chosen, connection by connection.
    protocols: Arc<Mutex<Vec<Option<Vec<u8>>>>>,
}

impl Front {
    pub fn start(sink: &Sink, shows: ServerConfig) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let front = Front {
            address: listener.local_addr().unwrap(),
            sink: sink.address,
            shows: Arc::new(Mutex::new(Arc::new(shows))),
            protocols: Arc::default(),
        };
        let serving = front.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serving.clone().pass_on(stream));
                }
            });
        });
        front
    }

    /// From the next connection on.
    pub fn show(&self, shows: ServerConfig) {
        *self.shows.lock().unwrap() = Arc::new(shows);
    }

    pub fn protocols(&self) -> Vec<Option<Vec<u8>>> {
        self.protocols.lock().unwrap().clone()
    }

    /// Telemetry that exports here, to the collector's name or address `host`.
    pub fn config(&self, host: &str, protocol: Protocol) -> TelemetryConfig {
        let mut config = crate::sink::config(self.address, protocol);
        let endpoint = &mut otlp(&mut config).endpoint;
        let plain = format!("http://{}", self.address);
        let path = endpoint.strip_prefix(&plain).unwrap();
        *endpoint = format!("https://{host}:{}{path}", self.address.port());
        config
    }

    async fn pass_on(self, stream: TcpStream) {
        let shows = self.shows.lock().unwrap().clone();
        let accepting = TlsAcceptor::from(shows).accept(stream).into_fallible();
        match accepting.await {
            Ok(mut tls) => {
                let protocol = tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
                self.protocols.lock().unwrap().push(protocol);
                let mut plain = TcpStream::connect(self.sink).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
            }
            // Read to the end: closed with bytes unread, a socket resets, and the alert is lost.
            Err((_, mut stream)) => {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        }
    }
}
