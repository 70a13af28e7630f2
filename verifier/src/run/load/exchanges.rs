//! One worker in one stage: the way of a request, from its connection to its row.

use super::backoff::pause_ns;
use super::connection::State;
use super::response::Answer;
use super::reuse::expires_ns;
use super::stage_run::StageRun;
use super::wire::Wire;
use crate::plan::Http;
use crate::record::Outcome;
use mio::Token;
use std::io::{Error, ErrorKind};

/// Reads of one connection in one turn: a server that sends without end must not starve the others.
const READS_A_TURN: usize = 16;

impl StageRun<'_, '_> {
    /// Open loop: sends what is due while a connection is free.
    pub(super) fn start_arrivals(&mut self, now: u64) {
        while let Some(intended_ns) = self.pace.arrival_ns().filter(|at| *at <= now) {
            if self.ending.closing {
                return;
            }
            let Some(number) = self.free.pop_front() else {
                return;
            };
            self.connections[number].queued = false;
            if self.connections[number].is_free() || self.opens_for_a_request(number) {
                self.pace.take_arrival();
                let free_since_ns = self.connections[number].free_since_ns;
                self.begin(number, intended_ns, intended_ns.max(free_since_ns));
            }
        }
    }

    /// Plans a request. It could be sent from `ready_ns` on, if the connection is open.
    pub(super) fn begin(&mut self, number: usize, intended_ns: u64, ready_ns: u64) {
        self.connections[number].pending = Some(self.worker.plan(intended_ns, ready_ns));
        self.in_flight += 1;
        if self.connections[number].is_free() {
            self.send(number);
        } else {
            self.connect(number);
        }
    }

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
        let tls = target.tls.as_ref().map(|tls| (tls, Http::One));
        let connecting = Wire::connect(address, tls, self.worker.poll.registry(), Token(number));
        match connecting {
            Ok(stream) => connection.state = State::Connecting(stream),
            Err(error) => self.address_failed(number, &error),
        }
    }

    fn address_failed(&mut self, number: usize, error: &Error) {
        self.connections[number].dial.failed();
        self.connect_to_next(number, error);
    }

    pub(super) fn connected(&mut self, number: usize) {
        let State::Connecting(mut stream) = std::mem::take(&mut self.connections[number].state)
        else {
            return;
        };
        match stream.established() {
            Ok(true) => {}
            Ok(false) => {
                self.connections[number].state = State::Connecting(stream); // not yet
                return;
            }
            Err(error) => return self.address_failed(number, &error),
        }
        let now = self.now();
        self.worker.stages.connected();
        self.opened += 1;
        self.health.most_opened = self.health.most_opened.max(self.opened);
        let expires_ns = expires_ns(self.reuse, now, self.pace.random());
        let connection = &mut self.connections[number];
        connection.state = State::Free(stream);
        connection.answers = 0;
        connection.expires_ns = expires_ns;
        match &mut connection.pending {
            Some(pending) => {
                pending.connected_ns = now;
                pending.ready_ns = self.woken_ns;
                self.send(number);
            }
            None => self.free_up(number, now),
        }
    }

    fn send(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        let Some(pending) = &mut connection.pending else {
            return;
        };
        let key = self.worker.recorder.key();
        let head_only = self.worker.requests.head_only(pending.task);
        let request = self.worker.requests.bytes(key, pending.task, pending.seq);
        let now = self.worker.clock.now_ns();
        pending.sent_ns = now;
        let lag_ns = now.saturating_sub(pending.ready_ns);
        connection.deadline_ns = now + self.worker.timeout_ns;
        connection.parser.reset_for(head_only);
        if connection.write(request).is_err() {
            self.opened -= 1;
            return self.refused(number, now);
        }
        self.health.lag.record(lag_ns);
        self.health.longest_lag_ns = self.health.longest_lag_ns.max(lag_ns);
    }

    /// The kernel took nothing of the request. On a connection that has carried others, the server had
    /// closed it before: as nothing was sent, the request can have a new one. On a fresh one it fails.
    fn refused(&mut self, number: usize, now: u64) {
        let connection = &mut self.connections[number];
        match &mut connection.pending {
            Some(pending) if connection.answers > 0 => {
                pending.sent_ns = 0;
                self.connect(number);
            }
            _ => self.fail(number, Outcome::Reset, now),
        }
    }

    /// Reads what is there. `closing`: the peer has closed its side, so read on to the end.
    pub(super) fn read(&mut self, number: usize, closing: bool) {
        for _ in 0..READS_A_TURN {
            let connection = &mut self.connections[number];
            let State::Busy(stream) = &mut connection.state else {
                return;
            };
            let read = stream.read(&mut self.worker.scratch);
            let now = self.worker.clock.now_ns();
            let answer = match read {
                Ok(0) => connection.parser.end(),
                Ok(read) => {
                    if let Some(pending) =
                        connection.pending.as_mut().filter(|p| p.first_byte_ns == 0)
                    {
                        pending.first_byte_ns = now;
                    }
                    match connection.parser.feed(&self.worker.scratch[..read]) {
                        // A short read has emptied the socket: asking again would only cost a call. But the
                        // end of the stream gives no event of its own once its event has been seen.
                        Answer::More
                            if read < self.worker.scratch.len()
                                && stream.short_read_is_all()
                                && !closing =>
                        {
                            return;
                        }
                        answer => answer,
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => Answer::More,
                Err(_) => Answer::Broken("the connection was reset"),
            };
            match answer {
                Answer::More => {}
                Answer::Whole { status, keep_alive } => {
                    return self.finish(number, status, keep_alive && !closing, now);
                }
                Answer::Broken(_) => {
                    self.close(number);
                    return self.fail(number, Outcome::Reset, now);
                }
            }
        }
        // An edge-triggered queue does not tell again of what is left, nor of an end behind it.
        self.unread.push((number, closing));
    }

    /// A whole answer has come.
    fn finish(&mut self, number: usize, status: u16, keep_alive: bool, now: u64) {
        let outcome = if (200..400).contains(&status) {
            Outcome::Ok
        } else {
            Outcome::HttpError
        };
        let connection = &mut self.connections[number];
        connection.failures = 0;
        connection.answers += 1;
        // Half a request still unwritten would run into the next one.
        let keep = keep_alive && connection.all_written() && now < connection.expires_ns;
        let intended_ns = self.end_exchange(number, outcome, status, now);
        if keep {
            self.connections[number].set_free();
        } else {
            self.leave(number);
        }
        self.go_on(number, intended_ns, now);
    }

    /// What a connection does after its answer: the next request at once, after a wait, or when one arrives.
    fn go_on(&mut self, number: usize, intended_ns: u64, now: u64) {
        if self.pace.is_open() {
            if self.connections[number].is_free() {
                self.free_up(number, now);
            } else if self.wanted(now) {
                self.stand_by(number, now);
            }
            return;
        }
        let next_ns = self.pace.next_ns(intended_ns, now);
        if next_ns >= self.pace.last_ns(number) {
            return self.retire(number);
        }
        if next_ns <= now {
            // The answer was there when the events were fetched: since then only the generator was slow.
            self.begin(number, next_ns, self.woken_ns.min(next_ns));
        } else {
            self.worker.schedule.at(next_ns, number);
        }
    }

    /// Open loop: the connection waits for an arrival.
    pub(super) fn free_up(&mut self, number: usize, now: u64) {
        let connection = &mut self.connections[number];
        connection.deadline_ns = 0;
        connection.free_since_ns = self.woken_ns;
        if !std::mem::replace(&mut connection.queued, true) {
            self.free.push_back(number);
        }
        self.start_arrivals(now);
    }

    /// Something has come on a connection without a request: TLS's own messages are no concern of ours.
    pub(super) fn unasked(&mut self, number: usize) {
        if let State::Free(stream) = &mut self.connections[number].state
            && !stream.short_read_is_all()
            && let Err(error) = stream.read(&mut self.worker.scratch)
            && error.kind() == ErrorKind::WouldBlock
        {
            return;
        }
        self.close_free(number);
    }

    /// Closes a connection without a request; an open loop opens it again.
    pub(super) fn close_free(&mut self, number: usize) {
        self.close(number);
        if self.pace.is_open() {
            // A server that closes what it has just accepted must not be asked again at once.
            let connection = &mut self.connections[number];
            connection.failures += if connection.answers == 0 { 2 } else { 0 };
            self.pause(number, 0);
        }
    }

    pub(super) fn close(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if connection.is_open() {
            self.opened -= 1;
        }
        // Dropping the stream closes it and takes it out of the event queue.
        connection.state = State::Closed;
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

    /// The exchange, if there is one, ends as a failure; the connection, closed by now, comes back after a pause.
    pub(super) fn fail(&mut self, number: usize, outcome: Outcome, now: u64) {
        let intended_ns = self.end_exchange(number, outcome, 0, now);
        self.connections[number].deadline_ns = 0;
        self.connections[number].failures += 1;
        let next_ns = if self.pace.is_open() {
            now
        } else {
            self.pace.next_ns(intended_ns, now)
        };
        self.pause(number, next_ns);
    }

    /// The connection comes back after its back-off, and not before `next_ns`.
    fn pause(&mut self, number: usize, next_ns: u64) {
        let failures = self.connections[number].failures;
        let due_ns = self.now() + pause_ns(failures, self.pace.random());
        self.worker.schedule.at(due_ns.max(next_ns), number);
    }

    /// Writes the row of a connection's exchange, if it has one. Gives when it was intended.
    fn end_exchange(&mut self, number: usize, outcome: Outcome, status: u16, now: u64) -> u64 {
        let connection = &mut self.connections[number];
        let Some(pending) = connection.pending.take() else {
            return now;
        };
        connection.deadline_ns = 0;
        let bytes = if pending.sent_ns == 0 {
            0
        } else {
            connection.parser.bytes()
        };
        let id = self.pace.connection(number);
        let row = pending.row(outcome, status, bytes, id, self.index, now);
        self.in_flight -= 1;
        self.record(row);
        pending.intended_ns
    }
}
