//! One connection's bytes as the HTTP/2 state machine wants them, and what of their coming and going it does not tell.

use crate::run::load::wire::Wire;
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads of one connection in one turn: a server that sends without end must not starve the others.
const READS_A_TURN: u8 = 16;
/// So much of what comes first is kept, to say what it was when it is not HTTP/2.
const FIRST_BYTES: usize = 32;

/// What has been seen on the socket.
#[derive(Debug, Default)]
pub(super) struct Seen {
    reads_left: Cell<u8>,
    /// There may be more to read than one turn allows.
    pub(super) cut_short: Cell<bool>,
    /// The kernel takes no more for now.
    pub(super) blocked: Cell<bool>,
    /// Bytes that have come.
    pub(super) heard_bytes: Cell<u64>,
    pub(super) first: RefCell<Vec<u8>>,
}

impl Seen {
    /// A new turn begins.
    pub(super) fn turn(&self) {
        self.reads_left.set(READS_A_TURN);
        self.cut_short.set(false);
        self.blocked.set(false);
    }

    fn heard(&self, bytes: &[u8]) {
        self.heard_bytes
            .set(self.heard_bytes.get() + bytes.len() as u64);
        let mut first = self.first.borrow_mut();
        let room = FIRST_BYTES - first.len();
        first.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }
}

/// A connected wire. Whoever polls it does so again when its events say so: nothing here wakes anybody.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) wire: Wire,
    pub(super) seen: Rc<Seen>,
}

impl Socket {
    fn taken<T>(&self, taken: Result<T>) -> Poll<Result<T>> {
        match taken {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.seen.blocked.set(true);
                Poll::Pending
            }
            taken => Poll::Ready(taken),
        }
    }

    fn flushed(&mut self) -> Poll<Result<()>> {
        match self.wire.flush() {
            Ok(false) => self.taken(Err(ErrorKind::WouldBlock.into())),
            flushed => Poll::Ready(flushed.map(|_| ())),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Socket>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let left = self.seen.reads_left.get();
        if left == 0 {
            self.seen.cut_short.set(true);
            return Poll::Pending;
        }
        self.seen.reads_left.set(left - 1);
        loop {
            match self.wire.read(into.initialize_unfilled()) {
                Ok(read) => {
                    self.seen.heard(&into.initialize_unfilled()[..read]);
                    into.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Socket>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        // TLS takes in whatever it is given: what it holds already goes first, so that memory stays bounded.
        std::task::ready!(self.flushed())?;
        loop {
            match self.wire.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return self.taken(written),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Socket>, _: &mut Context<'_>) -> Poll<Result<()>> {
        self.flushed()
    }

    fn poll_shutdown(mut self: Pin<&mut Socket>, _: &mut Context<'_>) -> Poll<Result<()>> {
        self.flushed()
    }
}
