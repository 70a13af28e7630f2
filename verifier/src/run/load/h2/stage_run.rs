//! One worker in one stage over HTTP/2: the event loop that starts what is due, sleeps, and gives up what is overdue.

use super::bells::Bells;
use super::connection::{Connection, State};
use super::request::Requests;
use super::streams::Streams;
use crate::plan::Reuse;
use crate::record::Outcome;
use crate::run::load::ending::Ending;
use crate::run::load::pace::{Pace, nanoseconds};
use crate::run::load::schedule::ALARM;
use crate::run::load::stage_run::Health;
use crate::run::load::worker::Worker;
use anyhow::Result;
use mio::{Events, Token};
use std::collections::VecDeque;
use std::io::ErrorKind;

/// One worker in one stage.
pub(in crate::run::load) struct StageRun<'a, 'b> {
    pub(super) worker: &'a mut Worker<'b>,
    pub(super) index: u16,
    pub(super) pace: Pace,
    pub(super) reuse: Reuse,
    pub(super) requests: Requests,
    pub(super) connections: Vec<Connection>,
    pub(super) streams: Streams,
    pub(super) connection_bells: Bells,
    pub(super) stream_bells: Bells,
    /// Connections that had more to read than one turn allows.
    pub(super) unread: Vec<usize>,
    /// Open loop: connections that can take requests. May name some that no longer can.
    pub(super) free: VecDeque<usize>,
    /// Requests planned that have not ended.
    pub(super) in_flight: usize,
    pub(super) opened: u32,
    pub(super) health: Health,
    /// When the events being handled were fetched: what they tell of had happened by then.
    pub(super) woken_ns: u64,
    pub(super) ending: Ending,
    /// How many users there are, once a person has said so.
    pub(super) users: Option<u32>,
}

impl<'a, 'b> StageRun<'a, 'b> {
    pub(in crate::run::load) fn new(
        worker: &'a mut Worker<'b>,
        index: u16,
        pace: Pace,
        reuse: Reuse,
        requests: Requests,
    ) -> StageRun<'a, 'b> {
        let connection = |_| Connection::default();
        StageRun {
            index,
            connections: (0..pace.connections()).map(connection).collect(),
            pace,
            reuse,
            requests,
            streams: Streams::default(),
            connection_bells: Bells::default(),
            stream_bells: Bells::default(),
            unread: Vec::new(),
            free: VecDeque::new(),
            in_flight: 0,
            opened: 0,
            health: Health::default(),
            woken_ns: worker.clock.now_ns(),
            ending: Ending::new(worker.timeout_ns),
            users: None,
            worker,
        }
    }

    /// Runs the stage to its end; the rows of all its requests are then recorded.
    pub(in crate::run::load) fn run(mut self) -> (Health, Result<()>) {
        let result = self.event_loop();
        self.health.held = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        (self.health, result)
    }

    fn event_loop(&mut self) -> Result<()> {
        for number in 0..self.connections.len() {
            self.worker.schedule.at(self.pace.first_ns(number), number);
        }
        let mut events = Events::with_capacity(1024);
        let mut next_tick_ns = 0;
        while !self.connections.is_empty() || self.may_grow() {
            let now = self.now();
            if now >= next_tick_ns {
                next_tick_ns = now + nanoseconds(self.worker.tick);
                self.tick(now);
            }
            self.start_due(now);
            self.answer_bells();
            if self.over(now) {
                break;
            }
            self.sleep(&mut events)?;
            self.woken_ns = self.now();
            for number in std::mem::take(&mut self.unread) {
                self.connection_bells.ring(number);
            }
            for event in events.iter().filter(|event| event.token() != ALARM) {
                let Token(number) = event.token();
                self.event(number);
            }
            self.answer_bells();
        }
        Ok(())
    }

    pub(super) fn now(&self) -> u64 {
        self.worker.clock.now_ns()
    }

    fn sleep(&mut self, events: &mut Events) -> Result<()> {
        // An open loop wakes for its next arrival only when somebody could carry it.
        let now = self.now();
        let (gap_ns, _) = self.pace.wake_gap_ns();
        let arrival = self.pace.arrival_ns().filter(|_| !self.free.is_empty());
        let arrival = arrival.map(|at| at.max(now + gap_ns));
        let unread = (!self.unread.is_empty()).then_some(now);
        let due = [self.worker.schedule.next_ns(), arrival, unread];
        let due = due.into_iter().flatten().min();
        self.worker.sleep(events, due, now)
    }

    fn event(&mut self, number: usize) {
        match self.connections[number].state {
            State::Closed => {}
            State::Connecting(_) => self.connected(number),
            State::Greeting(_) | State::Open(_) => self.connection_bells.ring(number),
        }
    }

    /// Looks at every connection and stream of which there is news, until there is none.
    fn answer_bells(&mut self) {
        loop {
            let (connections, streams) = (self.connection_bells.rung(), self.stream_bells.rung());
            if connections.is_empty() && streams.is_empty() {
                return;
            }
            for number in connections {
                self.poll_connection(number);
            }
            for number in streams {
                self.poll_stream(number);
            }
        }
    }

    /// Starts what is due: closed-loop requests whose wait is over, open-loop connections and arrivals.
    fn start_due(&mut self, now: u64) {
        while let Some((due_ns, number)) = self.worker.schedule.due(now) {
            let connection = &self.connections[number];
            if self.pace.is_open() {
                if connection.is_closed() && self.wanted(now) {
                    self.stand_by(number, now);
                }
            } else if connection.pending.is_none() && connection.in_flight == 0 {
                if due_ns < self.pace.last_ns(number) {
                    self.begin(number, due_ns, due_ns);
                } else {
                    self.retire(number);
                }
            }
        }
        self.start_arrivals(now);
    }

    /// Open loop: there are requests to come that need connections.
    pub(super) fn wanted(&self, now: u64) -> bool {
        !self.ending.closing && (now < self.pace.end_ns() || self.pace.arrival_ns().is_some())
    }

    /// What is looked at every few milliseconds: deadlines, somebody's wish to stop, rows to hand over.
    fn tick(&mut self, now: u64) {
        let stages = self.worker.stages;
        stages.give_up_if_nobody_is_there(now);
        self.look_at_users(now);
        self.worker.say_cpu();
        if self.ending.begins(now, &mut self.pace, stages) {
            self.leave_unsent(now);
        }
        let all = self.ending.gives_up_all(now);
        for number in 0..self.connections.len() {
            let deadline_ns = self.connections[number].deadline_ns;
            if deadline_ns != 0 && (all || now >= deadline_ns) {
                self.give_up(number, now);
            }
        }
        for number in self
            .streams
            .those(|stream| all || now >= stream.deadline_ns)
        {
            self.time_out(number, now);
        }
        self.worker.hand_over();
    }

    /// No more is sent: what is still waiting for a connection never was.
    fn leave_unsent(&mut self, now: u64) {
        while let Some(intended_ns) = self.pace.arrival_ns() {
            self.pace.take_arrival();
            let pending = self.worker.plan(intended_ns, now);
            let row = pending.row(Outcome::Unsent, 0, 0, 0, self.index, now);
            self.worker.record(row);
        }
        for number in 0..self.connections.len() {
            if self.connections[number].deadline_ns != 0 {
                self.give_up(number, now);
            }
        }
    }

    fn over(&self, now: u64) -> bool {
        now >= self.pace.end_ns() && self.in_flight == 0 && self.pace.arrival_ns().is_none()
    }

    /// What a connection waits for has not come in time, or the stage or the run is ending.
    fn give_up(&mut self, number: usize, now: u64) {
        let open = matches!(self.connections[number].state, State::Open(_));
        let stopped = self.ending.stopped() && !self.worker.stages.nobody_was_there();
        if open || stopped {
            self.close(number);
            return self.fail(number, Outcome::Unsent, now);
        }
        let why = match self.connections[number].state {
            State::Greeting(_) => std::io::Error::new(
                ErrorKind::TimedOut,
                "HTTP/2's greeting did not come in time, as with a target that speaks only HTTP/1.1",
            ),
            _ => ErrorKind::TimedOut.into(),
        };
        self.connections[number].dial.failed();
        self.connect_failed(number, now, &why);
    }
}
