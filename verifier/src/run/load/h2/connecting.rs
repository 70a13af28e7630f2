//! One worker in one stage over HTTP/2: the way of a connection, from an address to its end.

use super::connection::State;
use super::session::{Session, Stand};
use super::stage_run::StageRun;
use crate::plan::{Http, Reuse};
use crate::record::Outcome;
use crate::run::load::backoff::pause_ns;
use crate::run::load::reuse::expires_ns;
use crate::run::load::wire::{Wire, refused_protocol};
use mio::Token;
use std::io::{Error, ErrorKind};
use std::task::Context;

const NOT_CHOSEN: &str = "the target does not speak HTTP/2, it did not choose it by ALPN: leave out --http2 (request.http)";

impl StageRun<'_, '_> {
    pub(super) fn connect(&mut self, number: usize) {
        self.connections[number].dial.again();
        self.connections[number].deadline_ns = self.now() + self.worker.timeout_ns;
        self.connect_to_next(number, &ErrorKind::AddrNotAvailable.into());
    }

    fn connect_to_next(&mut self, number: usize, last_error: &Error) {
        let target = self.worker.target;
        let connection = &mut self.connections[number];
        let id = self.pace.connection(number);
        let Some(address) = connection.dial.next(&target.addresses, id) else {
            let now = self.now();
            return self.connect_failed(number, now, last_error);
        };
        let tls = target.tls.as_ref().map(|tls| (tls, Http::Two));
        match Wire::connect(address, tls, self.worker.poll.registry(), Token(number)) {
            Ok(wire) => connection.state = State::Connecting(wire),
            Err(error) => self.address_failed(number, &error),
        }
    }

    fn address_failed(&mut self, number: usize, error: &Error) {
        self.connections[number].dial.failed();
        self.connect_to_next(number, error);
    }

    /// The wire is there, perhaps.
    pub(super) fn connected(&mut self, number: usize) {
        let State::Connecting(mut wire) = std::mem::take(&mut self.connections[number].state)
        else {
            return;
        };
        let error = match wire.established() {
            Ok(false) => {
                self.connections[number].state = State::Connecting(wire); // not yet
                return;
            }
            Ok(true) if wire.agreed_on_http2() => {
                if self.reuse == Reuse::Fresh {
                    wire.forget_when_closed();
                }
                self.connections[number].state = State::Greeting(Session::begin(wire));
                return self.connection_bells.ring(number);
            }
            Ok(true) => Error::new(ErrorKind::Unsupported, NOT_CHOSEN),
            Err(error) if refused_protocol(&error) => {
                Error::new(ErrorKind::Unsupported, NOT_CHOSEN)
            }
            Err(error) => error,
        };
        self.address_failed(number, &error);
    }

    /// There is news of a connection.
    pub(super) fn poll_connection(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        let mut context = Context::from_waker(self.connection_bells.waker(number));
        let Some(session) = connection.session() else {
            return;
        };
        let stand = session.poll(&mut context);
        if session.seen.cut_short.get() {
            self.unread.push(number);
        }
        match (&self.connections[number].state, stand) {
            (State::Greeting(session), Stand::Ended) => {
                let error = session.why_no_greeting();
                self.connections[number].state = State::Closed;
                self.address_failed(number, &error);
            }
            (State::Greeting(_), Stand::Open) => self.opened(number),
            (State::Open(_), Stand::Ended) => self.ended(number),
            (State::Open(_), _) => self.go_on_open(number),
            _ => {}
        }
    }

    fn opened(&mut self, number: usize) {
        let now = self.now();
        self.worker.stages.connected();
        self.opened += 1;
        self.health.most_opened = self.health.most_opened.max(self.opened);
        let expires_ns = expires_ns(self.reuse, now, self.pace.random());
        let connection = &mut self.connections[number];
        if let State::Greeting(session) = std::mem::take(&mut connection.state) {
            connection.state = State::Open(session);
        }
        connection.opened(expires_ns);
        if let Some(pending) = &mut connection.pending {
            pending.connected_ns = now;
            pending.ready_ns = self.woken_ns;
        }
        self.go_on_open(number);
    }

    /// The connection has ended. Answers that had come whole by then are whole.
    pub(super) fn ended(&mut self, number: usize) {
        let streams = self.streams.those(|stream| stream.connection == number);
        let answers = self.connections[number].answers;
        self.close(number);
        for stream in &streams {
            self.poll_stream(*stream);
        }
        let now = self.now();
        let mut broken = false;
        for stream in streams {
            broken |= self.break_off(stream, Outcome::Reset, now);
        }
        let connection = &mut self.connections[number];
        if connection.pending.is_some() {
            return self.connect_again(number, answers);
        }
        if self.pace.is_open() && connection.is_closed() {
            // A server that closes what it has just accepted must not be asked again at once.
            connection.failures += if answers == 0 { 2 } else { u32::from(broken) };
            self.pause(number, 0);
        }
    }

    /// What waits for a connection that takes nothing more: as nothing of it was sent, it can have a new one.
    /// But a server that takes nothing from the first must not be asked again at once.
    pub(super) fn connect_again(&mut self, number: usize, answers: u64) {
        self.close(number);
        if answers > 0 {
            self.connect(number);
        } else {
            let now = self.now();
            self.fail(number, Outcome::ConnectError, now);
        }
    }

    pub(super) fn close(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if let State::Open(_) = connection.state {
            self.opened -= 1;
        }
        // Dropping the session closes the wire and takes it out of the event queue.
        connection.state = State::Closed;
        connection.leaving = false;
    }

    pub(super) fn connect_failed(&mut self, number: usize, now: u64, error: &Error) {
        self.worker.stages.connect_failed(error);
        self.connections[number].state = State::Closed;
        if self.connections[number].pending.is_none()
            && let Some(intended_ns) = self.pace.arrival_ns().filter(|at| *at <= now)
        {
            // An open loop's oldest waiting request is the one that this connection would have carried.
            self.pace.take_arrival();
            self.connections[number].pending = Some(self.worker.plan(intended_ns, now));
            self.in_flight += 1;
        }
        self.fail(number, Outcome::ConnectError, now);
    }

    /// Open loop: makes a closed connection ready for arrivals. One that is for a single request is opened
    /// when that arrives, so that its latency has the time to connect in it.
    pub(super) fn stand_by(&mut self, number: usize, now: u64) {
        match self.reuse {
            Reuse::Fresh => self.free_up(number, now),
            Reuse::Keep | Reuse::Rotate(_) => self.connect(number),
        }
    }

    /// Closed loop: nothing more is wanted of it. Before the stage's end, it is a user who has been stopped,
    /// and who keeps no connection.
    pub(super) fn retire(&mut self, number: usize) {
        if self.pace.last_ns(number) < self.pace.end_ns() {
            self.close(number);
        }
    }

    /// The connection comes back after its back-off, and not before `next_ns`.
    pub(super) fn pause(&mut self, number: usize, next_ns: u64) {
        let failures = self.connections[number].failures;
        let due_ns = self.now() + pause_ns(failures, self.pace.random());
        self.worker.schedule.at(due_ns.max(next_ns), number);
    }
}
