//! The fastest far end that a load generator can have: one thread, one epoll, one fixed answer to every
//! read. It does not look at requests, so what a bench measures against it is the generator. Writes its
//! address to the file named by its argument.

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{ErrorKind, Read, Write};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 126\r\n\r\n{\"prediction\":\"virginica\",\"class_id\":2,\"probabilities\":{\"setosa\":0.0001,\"versicolor\":0.0299,\"virginica\":0.97},\"version\":\"1\"}  ";

fn main() -> anyhow::Result<()> {
    let address_file = std::env::args_os()
        .nth(1)
        .ok_or_else(|| anyhow::anyhow!("usage: static_responder ADDRESS_FILE"))?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    let mut poll = Poll::new()?;
    let listening = Token(usize::MAX);
    poll.registry()
        .register(&mut listener, listening, Interest::READABLE)?;
    verifier::record::write_whole(
        address_file.as_ref(),
        listener.local_addr()?.to_string().as_bytes(),
    )?;
    let mut connections: Vec<Option<TcpStream>> = Vec::new();
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == listening {
                while let Ok((mut stream, _)) = listener.accept() {
                    let token = Token(connections.len());
                    poll.registry()
                        .register(&mut stream, token, Interest::READABLE)?;
                    stream.set_nodelay(true)?;
                    connections.push(Some(stream));
                }
            } else if let Some(stream) = &mut connections[event.token().0]
                && !answer(stream)
            {
                connections[event.token().0] = None;
            }
        }
    }
}

/// Answers what one read gives; false when the connection has ended.
fn answer(stream: &mut TcpStream) -> bool {
    let mut request = [0; 4096];
    match stream.read(&mut request) {
        Ok(0) => false,
        Ok(_) => stream
            .write(ANSWER)
            .is_ok_and(|written| written == ANSWER.len()),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
