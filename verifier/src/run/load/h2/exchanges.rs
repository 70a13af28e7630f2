//! One worker in one stage over HTTP/2: the way of a request, from its connection to its row.

use super::connection::State;
use super::session::Stand;
use super::stage_run::StageRun;
use super::stream::Stream;
use crate::plan::Reuse;
use crate::record::Outcome;
use std::task::{Context, Poll};

impl StageRun<'_, '_> {
    /// Open loop: sends what is due while a connection takes requests, each in its turn.
    pub(super) fn start_arrivals(&mut self, now: u64) {
        while let Some(intended_ns) = self.pace.arrival_ns().filter(|at| *at <= now) {
            if self.ending.closing {
                return;
            }
            let Some(number) = self.free.pop_front() else {
                return;
            };
            self.connections[number].queued = false;
            let opens = self.reuse == Reuse::Fresh && self.connections[number].is_closed();
            if !opens && self.takes_more(number) != Some(true) {
                continue;
            }
            self.pace.take_arrival();
            let free_since_ns = self.connections[number].free_since_ns;
            self.begin(number, intended_ns, intended_ns.max(free_since_ns));
            if self.takes_more(number) == Some(true) {
                self.connections[number].queued = true;
                self.free.push_back(number);
            }
        }
    }

    /// Plans a request. It could be sent from `ready_ns` on, if the connection is open.
    pub(super) fn begin(&mut self, number: usize, intended_ns: u64, ready_ns: u64) {
        self.connections[number].pending = Some(self.worker.plan(intended_ns, ready_ns));
        self.in_flight += 1;
        match self.connections[number].state {
            State::Open(_) => self.go_on_open(number),
            _ => self.connect(number),
        }
    }

    /// The open connection takes one more request now; `None`: it never will.
    fn takes_more(&mut self, number: usize) -> Option<bool> {
        let connection = &mut self.connections[number];
        if connection.leaving {
            return None;
        }
        let State::Open(session) = &mut connection.state else {
            return None;
        };
        let mut context = Context::from_waker(self.connection_bells.waker(number));
        let takes = session.takes_more(connection.in_flight, &mut context)?;
        Some(takes && (self.reuse != Reuse::Fresh || connection.in_flight == 0))
    }

    /// An open connection does what it can do next: it sends what waits for it, or is there for arrivals, or is left.
    pub(super) fn go_on_open(&mut self, number: usize) {
        let takes = self.takes_more(number);
        let now = self.now();
        let timeout_ns = self.worker.timeout_ns;
        let connection = &mut self.connections[number];
        match (takes, &connection.pending) {
            (Some(true), Some(_)) => self.send(number),
            (Some(true), None) if self.pace.is_open() => self.free_up(number, now),
            (Some(false), Some(_)) if connection.deadline_ns == 0 => {
                connection.deadline_ns = now + timeout_ns;
            }
            (None, pending) => {
                connection.leaving = true;
                match (connection.in_flight, pending) {
                    (0, Some(_)) => self.connect_again(number, self.connections[number].answers),
                    (0, None) => self.ended(number),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn send(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        let (State::Open(session), Some(mut pending)) =
            (&mut connection.state, connection.pending.take())
        else {
            return;
        };
        let key = self.worker.recorder.key();
        let (request, body) = self.requests.request(key, pending.task, pending.seq);
        let now = self.worker.clock.now_ns();
        let heard_bytes = session.seen.heard_bytes.get();
        let Some(parts) = session.send(request, body) else {
            connection.pending = Some(pending);
            let answers = connection.answers;
            return self.connect_again(number, answers);
        };
        pending.sent_ns = now;
        connection.deadline_ns = 0;
        connection.in_flight += 1;
        let lag_ns = now.saturating_sub(pending.ready_ns);
        self.health.lag.record(lag_ns);
        self.health.longest_lag_ns = self.health.longest_lag_ns.max(lag_ns);
        // Handed to the kernel here and now, so that `sent_ns` is true; news that comes with it has its turn later.
        let mut context = Context::from_waker(self.connection_bells.waker(number));
        let stand = session.poll(&mut context);
        if session.seen.cut_short.get() {
            self.unread.push(number);
        }
        if stand != Stand::Open {
            self.connection_bells.ring(number);
        }
        let deadline_ns = now + self.worker.timeout_ns;
        let stream = Stream::new(number, pending, deadline_ns, heard_bytes, parts);
        let stream = self.streams.insert(stream);
        self.stream_bells.ring(stream);
    }

    /// There is news of a stream.
    pub(super) fn poll_stream(&mut self, number: usize) {
        let clock = self.worker.clock;
        let Some(stream) = self.streams.get(number) else {
            return;
        };
        let mut context = Context::from_waker(self.stream_bells.waker(number));
        match stream.poll(&mut context, || clock.now_ns()) {
            Poll::Pending => {}
            Poll::Ready(Ok(status)) => self.finish(number, status),
            Poll::Ready(Err(_)) => {
                let now = clock.now_ns();
                self.break_off(number, Outcome::Reset, now);
            }
        }
    }

    /// A whole answer has come.
    fn finish(&mut self, number: usize, status: u16) {
        let now = self.now();
        let outcome = if (200..400).contains(&status) {
            Outcome::Ok
        } else {
            Outcome::HttpError
        };
        let Some(stream) = self.end_stream(number, outcome, status, now) else {
            return;
        };
        let number = stream.connection;
        let connection = &mut self.connections[number];
        connection.failures = 0;
        connection.answers += 1;
        let left = self.leave(number);
        if self.pace.is_open() {
            match left {
                true if self.wanted(now) => self.stand_by(number, now),
                true => {}
                false => self.go_on_if_open(number),
            }
            return;
        }
        let next_ns = self.pace.next_ns(stream.pending.intended_ns, now);
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

    /// The exchange has failed. The connection need not have: it comes back after a pause if it has.
    /// False when there is no such exchange any more.
    pub(super) fn break_off(&mut self, number: usize, outcome: Outcome, now: u64) -> bool {
        let Some(stream) = self.end_stream(number, outcome, 0, now) else {
            return false;
        };
        let (number, intended_ns) = (stream.connection, stream.pending.intended_ns);
        if outcome == Outcome::Timeout {
            stream.cancel();
        }
        let left = self.leave(number);
        if left || !self.pace.is_open() {
            self.connections[number].failures += 1;
            let next_ns = if self.pace.is_open() {
                now
            } else {
                self.pace.next_ns(intended_ns, now)
            };
            self.pause(number, next_ns);
        } else {
            self.go_on_if_open(number);
        }
        true
    }

    fn go_on_if_open(&mut self, number: usize) {
        if let State::Open(_) = self.connections[number].state {
            self.go_on_open(number);
        }
    }

    /// Closes an open connection that takes nothing more and carries nothing; true if it did.
    fn leave(&mut self, number: usize) -> bool {
        let connection = &self.connections[number];
        let leaves = connection.leaving && connection.in_flight == 0 && !connection.is_closed();
        if leaves {
            self.close(number);
        }
        leaves
    }

    /// No whole answer in time. The stream is reset and the connection kept, unless nobody is there any more.
    pub(super) fn time_out(&mut self, number: usize, now: u64) {
        let Some(stream) = self.streams.get(number) else {
            return;
        };
        let (sent_ns, then_bytes) = (stream.pending.sent_ns, stream.heard_bytes);
        let number_of_connection = stream.connection;
        let connection = &mut self.connections[number_of_connection];
        if let State::Open(session) = &mut connection.state {
            let heard_bytes = session.seen.heard_bytes.get();
            let silent = heard_bytes == then_bytes;
            match connection.pinged {
                // Not a byte since it was asked for a sign of life, a whole timeout ago.
                Some((at_ns, bytes)) if silent && bytes == heard_bytes => {
                    connection.leaving |= sent_ns >= at_ns;
                }
                _ if silent => {
                    let waker = self.connection_bells.waker(number_of_connection);
                    session.ping(&mut Context::from_waker(waker));
                    connection.pinged = Some((now, heard_bytes));
                }
                _ => connection.pinged = None,
            }
        }
        self.break_off(number, Outcome::Timeout, now);
    }

    /// Open loop: the connection is there for arrivals.
    pub(super) fn free_up(&mut self, number: usize, now: u64) {
        let connection = &mut self.connections[number];
        if !std::mem::replace(&mut connection.queued, true) {
            connection.free_since_ns = self.woken_ns;
            self.free.push_back(number);
            self.start_arrivals(now);
        }
    }

    /// What waits for a connection ends as a failure; the connection, closed by now, comes back after a pause.
    pub(super) fn fail(&mut self, number: usize, outcome: Outcome, now: u64) {
        let connection = &mut self.connections[number];
        connection.deadline_ns = 0;
        connection.failures += 1;
        let mut next_ns = now;
        if let Some(pending) = connection.pending.take() {
            let id = self.pace.connection(number);
            let row = pending.row(outcome, 0, 0, id, self.index, now);
            self.in_flight -= 1;
            self.worker.record(row);
            if !self.pace.is_open() {
                next_ns = self.pace.next_ns(pending.intended_ns, now);
            }
        }
        self.pause(number, next_ns);
    }

    /// Writes the row of an exchange. `None`: it has one.
    fn end_stream(
        &mut self,
        number: usize,
        outcome: Outcome,
        status: u16,
        now: u64,
    ) -> Option<Stream> {
        let stream = self.streams.remove(number)?;
        let connection = &mut self.connections[stream.connection];
        connection.in_flight -= 1;
        connection.leaving |= now >= connection.expires_ns;
        self.in_flight -= 1;
        let id = self.pace.connection(stream.connection);
        let pending = &stream.pending;
        let row = pending.row(outcome, status, stream.bytes, id, self.index, now);
        self.worker.record(row);
        Some(stream)
    }
}
