//! One worker: an event loop over its connections, stage after stage.

use super::Target;
use super::connection::{Connection, Pending, State};
use super::pace::{Pace, nanoseconds};
use super::request::Requests;
use super::response::Answer;
use super::schedule::{ALARM, Schedule};
use super::stages::Stages;
use crate::plan::Stage;
use crate::record::{Clock, Exchange, Observation, Outcome, Recorder, Sketch};
use anyhow::{Context, Result};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read};
use std::time::Duration;

/// Rows that are handed over at once.
const ROWS: usize = 1024;
/// Pause after the second failure in a row, doubled with each further one.
const FIRST_PAUSE_NS: u64 = 10_000_000;
const LONGEST_PAUSE_NS: u64 = 1_000_000_000;
/// What is in flight when the run is stopped may take this long to end by itself.
const STOP_GRACE_NS: u64 = 1_000_000_000;

/// Runs this worker's part of every stage.
pub(super) fn run(
    number: usize,
    stages: &Stages<'_>,
    target: &Target,
    requests: Requests,
    seed: u64,
) -> Result<()> {
    let poll = Poll::new().context("cannot make an event queue")?;
    let schedule = Schedule::new(poll.registry())?;
    let timeout = stages.plan.request.timeout;
    let mut worker = Worker {
        number,
        stages,
        recorder: stages.recorder,
        clock: stages.recorder.clock(),
        target,
        requests,
        seed,
        poll,
        schedule,
        timeout_ns: nanoseconds(timeout),
        tick: (timeout / 20).clamp(Duration::from_millis(5), Duration::from_millis(50)),
        scratch: vec![0; 64 << 10],
        rows: Vec::with_capacity(ROWS),
        planned: 0,
    };
    let mut failed = Ok(());
    for index in 0.. {
        let Some((stage, start_ns)) = stages.begin(index) else {
            break;
        };
        let before = worker.planned;
        if failed.is_ok() {
            failed = worker.stage(index, stage, start_ns);
        }
        // A worker that failed still comes to every border: the others wait for it there.
        stages.end(index, worker.planned - before);
    }
    failed
}

struct Worker<'a> {
    number: usize,
    stages: &'a Stages<'a>,
    recorder: &'a Recorder,
    clock: Clock,
    target: &'a Target,
    requests: Requests,
    seed: u64,
    poll: Poll,
    schedule: Schedule,
    timeout_ns: u64,
    tick: Duration,
    scratch: Vec<u8>,
    rows: Vec<Exchange>,
    /// Requests planned by this worker in the whole run.
    planned: u64,
}

impl Worker<'_> {
    fn stage(&mut self, index: u16, stage: &Stage, start_ns: u64) -> Result<()> {
        let (planned, cpu_ns) = (self.planned, Clock::thread_cpu_ns());
        let pace = Pace::new(
            stage.load,
            self.number,
            self.stages.workers,
            start_ns,
            stage.duration,
            self.seed ^ u64::from(index),
        );
        let head_only = self.requests.head_only;
        let connections = (0..pace.connections())
            .map(|_| Connection::new(head_only))
            .collect();
        let mut run = StageRun {
            worker: self,
            index,
            pace,
            connections,
            free: VecDeque::new(),
            in_flight: 0,
            opened: 0,
            most_opened: 0,
            lag: Sketch::default(),
            longest_lag_ns: 0,
            stopped_ns: None,
        };
        let result = run.run();
        let observation = Observation::Worker {
            stage: index,
            worker: u16::try_from(run.worker.number).unwrap_or(u16::MAX),
            connections: u32::try_from(run.connections.len()).unwrap_or(u32::MAX),
            opened: run.most_opened,
            planned: run.worker.planned - planned,
            wall_ns: run.worker.clock.now_ns() - start_ns,
            cpu_ns: Clock::thread_cpu_ns() - cpu_ns,
            lag_p50_ns: run.lag.quantile(0.50),
            lag_p99_ns: run.lag.quantile(0.99),
            lag_max_ns: run.longest_lag_ns,
        };
        drop(run);
        self.hand_over();
        self.schedule.clear();
        self.recorder.observe(observation);
        result
    }

    fn hand_over(&mut self) {
        let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(ROWS));
        self.recorder.exchanges(rows);
    }

    /// The number of the next request: unique in the run without asking the other workers.
    fn next_seq(&mut self) -> u64 {
        let seq = self.planned * self.stages.workers as u64 + self.number as u64;
        self.planned += 1;
        seq
    }
}

/// One worker in one stage.
struct StageRun<'a, 'b> {
    worker: &'a mut Worker<'b>,
    index: u16,
    pace: Pace,
    connections: Vec<Connection>,
    /// Open loop: connections without a request. May name some that have closed since.
    free: VecDeque<usize>,
    in_flight: usize,
    opened: u32,
    most_opened: u32,
    lag: Sketch,
    longest_lag_ns: u64,
    stopped_ns: Option<u64>,
}

impl StageRun<'_, '_> {
    fn run(&mut self) -> Result<()> {
        self.open();
        let mut events = Events::with_capacity(1024);
        let mut next_tick_ns = 0;
        loop {
            let now = self.now();
            if now >= next_tick_ns {
                next_tick_ns = now + nanoseconds(self.worker.tick);
                self.tick(now);
            }
            self.start_due(now);
            if self.over(now) {
                return Ok(());
            }
            self.sleep(&mut events, now)?;
            for event in &events {
                if event.token() != ALARM {
                    let closing = event.is_read_closed() || event.is_error();
                    self.event(
                        event.token().0,
                        event.is_readable() || closing,
                        event.is_writable() || closing,
                        closing,
                    );
                }
            }
        }
    }

    fn now(&self) -> u64 {
        self.worker.clock.now_ns()
    }

    fn open(&mut self) {
        for number in 0..self.connections.len() {
            if self.pace.is_open() {
                self.connect(number);
            } else {
                self.worker.schedule.at(self.pace.first_ns(number), number);
            }
        }
    }

    fn sleep(&mut self, events: &mut Events, now: u64) -> Result<()> {
        // An open loop wakes for its next arrival only when somebody could carry it.
        let arrival = self
            .pace
            .arrival_ns()
            .filter(|at| *at > now || !self.free.is_empty());
        let next = [self.worker.schedule.next_ns(), arrival]
            .into_iter()
            .flatten()
            .min();
        if let Some(due) = next {
            self.worker.schedule.wake_at(due, now)?;
        }
        match self.worker.poll.poll(events, Some(self.worker.tick)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(error).context("the event queue failed")
            }
            _ => Ok(()),
        }
    }

    /// What is looked at every few milliseconds: deadlines, somebody's wish to stop, rows to hand over.
    fn tick(&mut self, now: u64) {
        if self.stopped_ns.is_none() && self.worker.stages.stopped() {
            self.stopped_ns = Some(now);
            self.pace.stop(now);
        }
        let grace = self.worker.timeout_ns.min(STOP_GRACE_NS);
        let stopping = self.stopped_ns.is_some_and(|at| now >= at + grace);
        for number in 0..self.connections.len() {
            let connection = &self.connections[number];
            let expired = connection.deadline_ns != 0 && now >= connection.deadline_ns;
            if expired || stopping && connection.pending.is_some() {
                self.give_up(number, now, stopping);
            }
        }
        let late = now
            >= self.pace.end_ns()
                + if self.stopped_ns.is_some() {
                    grace
                } else {
                    self.worker.timeout_ns
                };
        while late && let Some(intended_ns) = self.pace.arrival_ns() {
            self.pace.take_arrival();
            let pending = Pending::new(self.worker.next_seq(), intended_ns, now);
            self.record(pending.row(Outcome::Unsent, 0, 0, 0, self.index, now));
        }
        if !self.worker.rows.is_empty() {
            self.worker.hand_over();
        }
    }

    fn over(&self, now: u64) -> bool {
        now >= self.pace.end_ns() && self.in_flight == 0 && self.pace.arrival_ns().is_none()
    }

    /// Starts what is due: closed-loop requests whose wait is over, open-loop arrivals while a connection is free.
    fn start_due(&mut self, now: u64) {
        while let Some((due_ns, number)) = self.worker.schedule.due(now) {
            if self.pace.is_open() {
                if matches!(self.connections[number].state, State::Closed)
                    && now < self.pace.end_ns()
                {
                    self.connect(number);
                }
            } else if due_ns < self.pace.end_ns() && self.connections[number].pending.is_none() {
                self.begin(number, due_ns, due_ns);
            }
        }
        self.start_arrivals(now);
    }

    fn start_arrivals(&mut self, now: u64) {
        while let Some(intended_ns) = self.pace.arrival_ns().filter(|at| *at <= now) {
            let Some(number) = self.free.pop_front() else {
                return;
            };
            if self.connections[number].is_free() {
                self.pace.take_arrival();
                let free_since_ns = self.connections[number].free_since_ns;
                self.begin(number, intended_ns, intended_ns.max(free_since_ns));
            }
        }
    }

    fn begin(&mut self, number: usize, intended_ns: u64, ready_ns: u64) {
        let seq = self.worker.next_seq();
        self.connections[number].pending = Some(Pending::new(seq, intended_ns, ready_ns));
        self.in_flight += 1;
        if self.connections[number].is_free() {
            self.send(number);
        } else {
            self.connect(number);
        }
    }

    fn connect(&mut self, number: usize) {
        let addresses = &self.worker.target.addresses;
        let address =
            addresses[(number * self.worker.stages.workers + self.worker.number) % addresses.len()];
        let connecting = TcpStream::connect(address).and_then(|mut stream| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.worker
                .poll
                .registry()
                .register(&mut stream, Token(number), interest)?;
            Ok(stream)
        });
        let now = self.now();
        match connecting {
            Ok(stream) => {
                let connection = &mut self.connections[number];
                connection.state = State::Connecting(stream);
                connection.deadline_ns = now + self.worker.timeout_ns;
            }
            Err(error) => self.connect_failed(number, now, &error),
        }
    }

    fn connected(&mut self, number: usize) {
        let now = self.now();
        let State::Connecting(stream) = std::mem::take(&mut self.connections[number].state) else {
            return;
        };
        match stream.take_error() {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => return self.connect_failed(number, now, &error),
        }
        if stream.peer_addr().is_err() {
            self.connections[number].state = State::Connecting(stream); // not yet
            return;
        }
        // Only latency is lost without it.
        let _ = stream.set_nodelay(true);
        self.worker.stages.connected();
        self.opened += 1;
        self.most_opened = self.most_opened.max(self.opened);
        let connection = &mut self.connections[number];
        connection.state = State::Free(stream);
        connection.parser.reset();
        match &mut connection.pending {
            Some(pending) => {
                pending.connected_ns = now;
                pending.ready_ns = now;
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
        let request = self
            .worker
            .requests
            .bytes(self.worker.recorder.key(), pending.seq);
        let now = self.worker.clock.now_ns();
        pending.sent_ns = now;
        let lag_ns = now.saturating_sub(pending.ready_ns);
        connection.deadline_ns = now + self.worker.timeout_ns;
        let written = connection.write(request);
        self.lag.record(lag_ns);
        self.longest_lag_ns = self.longest_lag_ns.max(lag_ns);
        if written.is_err() {
            self.opened -= 1;
            self.fail(number, Outcome::Reset, now);
        }
    }

    fn event(&mut self, number: usize, readable: bool, writable: bool, closing: bool) {
        let connection = &mut self.connections[number];
        match connection.state {
            State::Closed => {}
            State::Connecting(_) if writable => self.connected(number),
            State::Connecting(_) => {}
            // Whatever comes unasked on a free connection, its end included, makes it unfit for a request.
            State::Free(_) if readable => self.close_free(number),
            State::Free(_) => {}
            State::Busy(_) => {
                if writable && connection.write_rest().is_err() {
                    let now = self.now();
                    self.close(number);
                    self.fail(number, Outcome::Reset, now);
                } else if readable {
                    self.read(number, closing);
                }
            }
        }
    }

    /// Reads what is there. `closing`: the peer has closed its side, so read on to the end.
    fn read(&mut self, number: usize, closing: bool) {
        loop {
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
                        Answer::More if read < self.worker.scratch.len() && !closing => return,
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
        let intended_ns = self.end_exchange(number, outcome, status, now);
        if keep_alive {
            let connection = &mut self.connections[number];
            if let State::Busy(stream) = std::mem::take(&mut connection.state) {
                connection.state = State::Free(stream);
            }
            connection.parser.reset();
        } else {
            self.close(number);
        }
        self.go_on(number, intended_ns, now);
    }

    /// What a connection does after its request: the next one at once, after a wait, or when one arrives.
    fn go_on(&mut self, number: usize, intended_ns: u64, now: u64) {
        if self.pace.is_open() {
            if self.connections[number].is_free() {
                self.free_up(number, now);
            } else if now < self.pace.end_ns() || self.pace.arrival_ns().is_some() {
                self.connect(number);
            }
            return;
        }
        let next_ns = self.pace.next_ns(intended_ns, now);
        if next_ns >= self.pace.end_ns() {
            return;
        }
        if next_ns <= now {
            self.begin(number, next_ns, next_ns);
        } else {
            self.worker.schedule.at(next_ns, number);
        }
    }

    /// Open loop: the connection waits for an arrival.
    fn free_up(&mut self, number: usize, now: u64) {
        self.connections[number].deadline_ns = 0;
        self.connections[number].free_since_ns = now;
        self.free.push_back(number);
        self.start_arrivals(now);
    }

    /// Closes a connection without a request; an open loop opens it again.
    fn close_free(&mut self, number: usize) {
        self.close(number);
        if self.pace.is_open() && self.now() < self.pace.end_ns() {
            self.pause(number, 0);
        }
    }

    fn close(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        if connection.is_open() {
            self.opened -= 1;
        }
        // Dropping the stream closes it and takes it out of the event queue.
        connection.state = State::Closed;
    }

    fn connect_failed(&mut self, number: usize, now: u64, error: &std::io::Error) {
        self.worker.stages.connect_failed(now, &error.to_string());
        self.connections[number].state = State::Closed;
        if self.connections[number].pending.is_none()
            && let Some(intended_ns) = self.pace.arrival_ns().filter(|at| *at <= now)
        {
            // An open loop's oldest waiting request is the one that this connection would have carried.
            self.pace.take_arrival();
            let seq = self.worker.next_seq();
            self.connections[number].pending = Some(Pending::new(seq, intended_ns, now));
            self.in_flight += 1;
        }
        self.fail(number, Outcome::ConnectError, now);
    }

    /// The exchange, if there is one, ends as a failure; the connection, closed by now, comes back after a pause.
    fn fail(&mut self, number: usize, outcome: Outcome, now: u64) {
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
        let pause_ns = if failures <= 1 {
            0
        } else {
            (FIRST_PAUSE_NS << (failures - 2).min(10)).min(LONGEST_PAUSE_NS)
        };
        let jitter_ns = if pause_ns == 0 {
            0
        } else {
            self.pace.random() % (pause_ns / 4)
        };
        let due_ns = self.now() + pause_ns + jitter_ns;
        self.worker.schedule.at(due_ns.max(next_ns), number);
    }

    /// A deadline has passed, or the run is being stopped.
    fn give_up(&mut self, number: usize, now: u64, stopping: bool) {
        let connection = &self.connections[number];
        let sent = connection.pending.is_some_and(|p| p.sent_ns != 0);
        if !sent && !stopping {
            return self.connect_failed(number, now, &ErrorKind::TimedOut.into());
        }
        self.close(number);
        self.fail(
            number,
            if sent {
                Outcome::Timeout
            } else {
                Outcome::Unsent
            },
            now,
        );
    }

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
        let id = u32::try_from(number * self.worker.stages.workers + self.worker.number)
            .unwrap_or(u32::MAX);
        let row = pending.row(outcome, status, bytes, id, self.index, now);
        self.in_flight -= 1;
        self.record(row);
        pending.intended_ns
    }

    fn record(&mut self, row: Exchange) {
        self.worker.rows.push(row);
        if self.worker.rows.len() >= ROWS {
            self.worker.hand_over();
        }
    }
}
