//! A server that does to each request what its script says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Listens on a free port of the loopback interface until the test's process ends.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<(Vec<String>, usize)>>,
}

impl Server {
    /// `script` gets the connection and the request's number on it, and says whether the connection goes on.
    pub fn start(script: impl Fn(&mut TcpStream, usize) -> bool + Send + Sync + 'static) -> Server {
        Server::listen("127.0.0.1:0", move |stream, seen| {
            serve(stream, &script, seen);
        })
    }

    /// The same on another loopback address.
    pub fn start_at(
        address: &str,
        script: impl Fn(&mut TcpStream, usize) -> bool + Send + Sync + 'static,
    ) -> Server {
        Server::listen(address, move |stream, seen| serve(stream, &script, seen))
    }

    /// `act` gets each connection as it was accepted, on a thread of its own; no request is read for it.
    pub fn raw(act: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
        Server::listen("127.0.0.1:0", move |stream, _| act(stream))
    }

    fn listen(
        address: &str,
        act: impl Fn(TcpStream, &Mutex<(Vec<String>, usize)>) + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind(address).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<(Vec<String>, usize)>> = Arc::default();
        let (act, all) = (Arc::new(act), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                all.lock().unwrap().1 += 1;
                let (act, all) = (Arc::clone(&act), Arc::clone(&all));
                std::thread::spawn(move || act(stream, &all));
            }
        });
        Server { url, seen }
    }

    /// The `traceparent` of every request, and the number of connections.
    pub fn seen(&self) -> (Vec<String>, usize) {
        self.seen.lock().unwrap().clone()
    }

    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }
}

fn serve(
    mut stream: TcpStream,
    script: &dyn Fn(&mut TcpStream, usize) -> bool,
    seen: &Mutex<(Vec<String>, usize)>,
) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for number in 0.. {
        let (mut length, mut line) = (0, String::new());
        let mut traceparent = String::new();
        while {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            !line.trim().is_empty()
        } {
            match line.trim().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("traceparent", value)) => value.clone_into(&mut traceparent),
                _ => {}
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        seen.lock().unwrap().0.push(traceparent);
        if !script(&mut stream, number) {
            return;
        }
    }
}

/// The shortest whole answer.
pub fn answer_ok(stream: &mut TcpStream, _number: usize) -> bool {
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        .is_ok()
}

/// The connection's end becomes a TCP reset in place of an orderly one.
pub fn reset_at_the_end(stream: &TcpStream) {
    socket2::SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}
