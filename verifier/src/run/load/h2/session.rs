//! One HTTP/2 connection: from the wire to where requests can be sent, until it ends. Nothing in it knows time.
//!
//! RFC 9113. Requests wait for the server's SETTINGS (its section 3.4), though they need not: so it is known
//! how many the server takes at a time, and that it speaks HTTP/2 at all.

use super::socket::{Seen, Socket};
use crate::run::load::wire::Wire;
use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use h2::{Error, Ping, PingPong, SendStream};
use http::Request;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// As much of an answer's head is taken as of one of HTTP/1.1.
const LARGEST_HEAD_BYTES: u32 = 64 << 10;
/// As much of one answer, and of all answers together, may come before it has been looked at.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;

type Opened = (SendRequest<Bytes>, Connection<Socket, Bytes>);

/// A connection that speaks HTTP/2.
pub(super) struct Session {
    state: State,
    pub(super) seen: Rc<Seen>,
}

enum State {
    /// The client's greeting is being written.
    Greeting(Pin<Box<dyn Future<Output = Result<Opened, Error>>>>),
    Open(Box<Open>),
    Ended(Option<Error>),
}

struct Open {
    requests: SendRequest<Bytes>,
    connection: Connection<Socket, Bytes>,
    pings: Option<PingPong>,
    /// The server's SETTINGS have come.
    greeted: bool,
}

/// How far a session is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// The server's greeting is awaited.
    Greeting,
    Open,
    Ended,
}

impl Session {
    pub(super) fn begin(wire: Wire) -> Session {
        let seen: Rc<Seen> = Rc::default();
        let socket = Socket {
            wire,
            seen: Rc::clone(&seen),
        };
        let greeting = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(0) // until the server's SETTINGS say otherwise
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(LARGEST_HEAD_BYTES)
            .handshake(socket);
        Session {
            state: State::Greeting(Box::pin(greeting)),
            seen,
        }
    }

    /// Goes on: reads what has come, as far as one turn allows, and writes what there is room for.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Stand {
        self.seen.turn();
        if let State::Greeting(greeting) = &mut self.state {
            match greeting.as_mut().poll(context) {
                Poll::Pending => return Stand::Greeting,
                Poll::Ready(Err(error)) => self.state = State::Ended(Some(error)),
                Poll::Ready(Ok((requests, mut connection))) => {
                    self.state = State::Open(Box::new(Open {
                        requests,
                        pings: connection.ping_pong(),
                        connection,
                        greeted: false,
                    }));
                }
            }
        }
        let State::Open(open) = &mut self.state else {
            return Stand::Ended;
        };
        if let Poll::Ready(ended) = Pin::new(&mut open.connection).poll(context) {
            self.state = State::Ended(ended.err());
            return Stand::Ended;
        }
        open.greeted |= open.requests.current_max_send_streams() > 0;
        match open.greeted {
            true => Stand::Open,
            false => Stand::Greeting,
        }
    }

    /// The server takes new requests: neither has it said goodbye, nor are there too many already.
    /// `None`: it takes none any more.
    pub(super) fn takes_more(
        &mut self,
        in_flight: usize,
        context: &mut Context<'_>,
    ) -> Option<bool> {
        let State::Open(open) = &mut self.state else {
            return None;
        };
        match open.requests.poll_ready(context) {
            Poll::Ready(Err(_)) => None,
            Poll::Pending => Some(false),
            // What the kernel does not take would be sent later than it is said to be.
            Poll::Ready(Ok(())) => Some(
                in_flight < open.requests.current_max_send_streams() && !self.seen.blocked.get(),
            ),
        }
    }

    /// Queues a request; the next poll hands it to the kernel. `None`: it can not be sent, and nothing of it was.
    pub(super) fn send(
        &mut self,
        request: Request<()>,
        body: Bytes,
    ) -> Option<(ResponseFuture, SendStream<Bytes>)> {
        let State::Open(open) = &mut self.state else {
            return None;
        };
        let bodiless = body.is_empty();
        let (answer, mut upload) = open.requests.send_request(request, bodiless).ok()?;
        if !bodiless {
            // Sent as the peer's windows allow; until then it is kept, not copied.
            upload.send_data(body, true).ok()?;
        }
        Some((answer, upload))
    }

    /// Asks the peer for a sign of life, which counts as heard bytes.
    pub(super) fn ping(&mut self, context: &mut Context<'_>) {
        if let State::Open(open) = &mut self.state
            && let Some(pings) = &mut open.pings
        {
            let _ = pings.poll_pong(context);
            // An earlier one that is still unanswered asks the same.
            let _ = pings.send_ping(Ping::opaque());
        }
    }

    /// Why it ended before the server's greeting had come.
    pub(super) fn why_no_greeting(&self) -> std::io::Error {
        let first = self.seen.first.borrow();
        // The first frame is SETTINGS, of type 4, on stream 0 (RFC 9113 sections 4.1 and 6.5).
        let settings = matches!(first[..], [_, _, _, 4, _, 0, 0, 0, 0, ..]);
        if first.len() >= 9 && !settings {
            let text = String::from_utf8_lossy(&first);
            let line = text.lines().next().unwrap_or_default();
            return std::io::Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the target does not speak HTTP/2, it answered {line:?}: leave out --http2 (request.http)"
                ),
            );
        }
        let why = match &self.state {
            State::Ended(Some(error)) => format!(": {error}"),
            _ => String::new(),
        };
        std::io::Error::other(format!(
            "the connection ended before HTTP/2's greeting came, as with a target that speaks only HTTP/1.1{why}"
        ))
    }
}
