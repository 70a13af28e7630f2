//! One connection and the request that it carries; a user is one of these, too.

use super::dial::Dial;
use super::response::Parser;
use super::wire::Wire;
use crate::record::{Exchange, Outcome};
use std::io::ErrorKind;

/// A request that was planned and has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) seq: u64,
    pub(super) intended_ns: u64,
    /// From when on only the generator itself could delay the send.
    pub(super) ready_ns: u64,
    pub(super) connected_ns: u64,
    pub(super) sent_ns: u64,
    pub(super) first_byte_ns: u64,
    pub(super) task: u8,
}

impl Pending {
    pub(super) fn new(seq: u64, task: u8, intended_ns: u64, ready_ns: u64) -> Pending {
        Pending {
            seq,
            task,
            intended_ns,
            ready_ns,
            connected_ns: 0,
            sent_ns: 0,
            first_byte_ns: 0,
        }
    }

    /// The row it ends as.
    pub(super) fn row(
        &self,
        outcome: Outcome,
        status: u16,
        bytes: u64,
        connection: u32,
        stage: u16,
        done_ns: u64,
    ) -> Exchange {
        Exchange {
            seq: self.seq,
            intended_ns: self.intended_ns,
            sent_ns: self.sent_ns,
            connected_ns: self.connected_ns,
            first_byte_ns: self.first_byte_ns,
            done_ns,
            connection,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            stage,
            status,
            outcome,
            task: self.task,
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Default)]
pub(super) enum State {
    /// There is none.
    #[default]
    Closed,
    /// The handshake is under way, TLS's included.
    Connecting(Wire),
    /// Open, and free for a request.
    Free(Wire),
    /// A request is being written, or its answer is awaited.
    Busy(Wire),
}

/// One connection of a stage.
#[derive(Debug, Default)]
pub(super) struct Connection {
    pub(super) state: State,
    pub(super) pending: Option<Pending>,
    pub(super) parser: Parser,
    /// When the handshake, or the exchange, is given up; 0 for never.
    pub(super) deadline_ns: u64,
    /// Open loop: since when it has had no request.
    pub(super) free_since_ns: u64,
    /// Open loop: it stands in the queue of free connections.
    pub(super) queued: bool,
    /// An exchange that ends from then on is the last of the open connection.
    pub(super) expires_ns: u64,
    /// Failures since the last whole answer.
    pub(super) failures: u32,
    /// Whole answers that came over the open connection.
    pub(super) answers: u64,
    pub(super) dial: Dial,
    /// What of the request the kernel did not take at once, and how much of that it has taken since.
    rest: Vec<u8>,
    rest_taken: usize,
}

impl Connection {
    pub(super) fn is_free(&self) -> bool {
        matches!(self.state, State::Free(_))
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Free(_) | State::Busy(_))
    }

    /// The answer is whole; the connection can carry another request.
    pub(super) fn set_free(&mut self) {
        self.state = match std::mem::take(&mut self.state) {
            State::Busy(stream) => State::Free(stream),
            other => other,
        };
    }

    /// When it is closed, the kernel forgets it at once. What closes first would else hold its port for a
    /// minute more (TIME_WAIT, RFC 9293 section 3.6.1): too few ports for a connection per request.
    pub(super) fn forget_when_closed(&self) {
        if let State::Busy(wire) | State::Free(wire) = &self.state {
            wire.forget_when_closed();
        }
    }

    /// The kernel has taken the whole request.
    pub(super) fn all_written(&self) -> bool {
        let flushed = match &self.state {
            State::Busy(wire) => wire.flushed(),
            _ => true,
        };
        flushed && self.rest_taken == self.rest.len()
    }

    /// Hands a request to the kernel as far as it takes it. On an error it has taken nothing, and the
    /// connection is closed.
    pub(super) fn write(&mut self, request: &[u8]) -> std::io::Result<()> {
        let (State::Free(mut stream) | State::Busy(mut stream)) = std::mem::take(&mut self.state)
        else {
            return Err(ErrorKind::NotConnected.into());
        };
        self.rest.clear();
        self.rest_taken = 0;
        let written = match stream.write(request) {
            Ok(written) => written,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                0
            }
            Err(error) => return Err(error),
        };
        self.rest.extend_from_slice(&request[written..]);
        self.state = State::Busy(stream);
        Ok(())
    }

    /// Hands over what was left, now that there is room again.
    pub(super) fn write_rest(&mut self) -> std::io::Result<()> {
        while let State::Busy(stream) = &mut self.state
            && let rest @ [_, ..] = &self.rest[self.rest_taken..]
        {
            match stream.write(rest) {
                Ok(written) => self.rest_taken += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match &mut self.state {
            State::Busy(wire) => wire.flush().map(|_| ()),
            _ => Ok(()),
        }
    }
}
