//! One worker in one stage: the event loop that starts what is due, sleeps, and gives up what is overdue.

use super::connection::{Connection, State};
use super::ending::Ending;
use super::pace::{Pace, nanoseconds};
use super::schedule::ALARM;
use super::worker::Worker;
use crate::plan::Reuse;
use crate::record::{Exchange, Outcome, Sketch};
use anyhow::Result;
use mio::event::Event;
use mio::{Events, Token};
use std::collections::VecDeque;
use std::io::ErrorKind;

/// How the worker itself did.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Connections (or users) that it held; the most, where a person has changed their number.
    pub(super) held: u32,
    /// Most connections open at once.
    pub(super) most_opened: u32,
    /// Delays from the moment a request could have been sent to its send.
    pub(super) lag: Sketch,
    pub(super) longest_lag_ns: u64,
    /// The longest turn in which answers waited to be looked at together; 0 for none.
    pub(super) longest_turn_ns: u64,
}

/// One worker in one stage.
pub(super) struct StageRun<'a, 'b> {
    pub(super) worker: &'a mut Worker<'b>,
    pub(super) index: u16,
    pub(super) pace: Pace,
    pub(super) reuse: Reuse,
    pub(super) connections: Vec<Connection>,
    /// Open loop: connections without a request. May name some that have closed since.
    pub(super) free: VecDeque<usize>,
    /// Connections that had more to read than one turn allows, and whether its end was seen.
    pub(super) unread: Vec<(usize, bool)>,
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
    pub(super) fn new(
        worker: &'a mut Worker<'b>,
        index: u16,
        pace: Pace,
        reuse: Reuse,
    ) -> StageRun<'a, 'b> {
        let connection = |_| Connection::default();
        StageRun {
            index,
            connections: (0..pace.connections()).map(connection).collect(),
            pace,
            reuse,
            free: VecDeque::new(),
            unread: Vec::new(),
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
    pub(super) fn run(mut self) -> (Health, Result<()>) {
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
            if self.over(now) {
                break;
            }
            self.sleep(&mut events)?;
            self.woken_ns = self.now();
            for event in &events {
                self.event(event);
            }
            for (number, closing) in std::mem::take(&mut self.unread) {
                self.read(number, closing);
            }
        }
        Ok(())
    }

    pub(super) fn now(&self) -> u64 {
        self.worker.clock.now_ns()
    }

    fn sleep(&mut self, events: &mut Events) -> Result<()> {
        // An open loop wakes for its next arrival only when somebody could carry it.
        let now = self.now();
        let (gap_ns, in_turns) = self.pace.wake_gap_ns();
        let arrival = self.pace.arrival_ns().filter(|_| !self.free.is_empty());
        // A turn counts from its beginning: from its end, busy turns would grow one another.
        let from_ns = if in_turns { self.woken_ns } else { now };
        let arrival = arrival.map(|at| at.max(from_ns + gap_ns));
        let mut due = [self.worker.schedule.next_ns(), arrival]
            .into_iter()
            .flatten()
            .min();
        if !self.unread.is_empty() {
            due = Some(now);
        } else if in_turns
            && let Some(at) = due.filter(|at| due == arrival && *at > now)
            && self.worker.sleep_through(at, now)?
        {
            // Answers that came meanwhile are looked at together with the next requests.
            self.health.longest_turn_ns = self.health.longest_turn_ns.max(gap_ns);
            due = Some(now);
        }
        self.worker.sleep(events, due, now)
    }

    fn event(&mut self, event: &Event) {
        let Token(number) = event.token();
        if event.token() == ALARM {
            return;
        }
        let closing = event.is_read_closed() || event.is_error();
        let readable = event.is_readable() || closing;
        let writable = event.is_writable() || closing;
        match self.connections[number].state {
            State::Connecting(_) if writable || readable => {
                self.connected(number);
                // What came together with the handshake's end, an end included, gives no event of its own.
                self.readable(number, readable, closing);
            }
            State::Busy(_) => {
                // A server may answer before it has the whole request, and then close.
                let refused = writable && self.connections[number].write_rest().is_err();
                self.readable(number, readable || refused, closing || refused);
                if refused && matches!(self.connections[number].state, State::Busy(_)) {
                    self.close(number);
                    self.fail(number, Outcome::Reset, self.now());
                }
            }
            _ => self.readable(number, readable, closing),
        }
    }

    fn readable(&mut self, number: usize, readable: bool, closing: bool) {
        match self.connections[number].state {
            // Whatever comes unasked on a free connection, its end included, makes it unfit for a request.
            State::Free(_) if readable => self.unasked(number),
            State::Busy(_) if readable => self.read(number, closing),
            _ => {}
        }
    }

    /// Starts what is due: closed-loop requests whose wait is over, open-loop connections and arrivals.
    fn start_due(&mut self, now: u64) {
        while let Some((due_ns, number)) = self.worker.schedule.due(now) {
            if self.pace.is_open() {
                if matches!(self.connections[number].state, State::Closed) && self.wanted(now) {
                    self.stand_by(number, now);
                }
            } else if self.connections[number].pending.is_none() {
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
        self.worker.stages.give_up_if_nobody_is_there(now);
        self.look_at_users(now);
        self.worker.say_cpu();
        let stages = self.worker.stages;
        if self.ending.begins(now, &mut self.pace, stages) {
            self.leave_unsent(now);
        }
        let give_up_all = self.ending.gives_up_all(now);
        for number in 0..self.connections.len() {
            let connection = &self.connections[number];
            if connection.deadline_ns != 0 && (give_up_all || now >= connection.deadline_ns) {
                self.give_up(number, now);
            }
        }
        self.worker.hand_over();
    }

    /// No more is sent: what is still waiting for a connection never was.
    fn leave_unsent(&mut self, now: u64) {
        while let Some(intended_ns) = self.pace.arrival_ns() {
            self.pace.take_arrival();
            let pending = self.worker.plan(intended_ns, now);
            self.record(pending.row(Outcome::Unsent, 0, 0, 0, self.index, now));
        }
        for number in 0..self.connections.len() {
            if let State::Connecting(_) = self.connections[number].state {
                self.give_up(number, now);
            }
        }
    }

    fn over(&self, now: u64) -> bool {
        now >= self.pace.end_ns() && self.in_flight == 0 && self.pace.arrival_ns().is_none()
    }

    /// A deadline has passed, or the stage or the run is ending.
    fn give_up(&mut self, number: usize, now: u64) {
        if let State::Connecting(_) = self.connections[number].state {
            if self.ending.stopped() && !self.worker.stages.nobody_was_there() {
                self.close(number);
                return self.fail(number, Outcome::Unsent, now);
            }
            self.connections[number].dial.failed();
            return self.connect_failed(number, now, &ErrorKind::TimedOut.into());
        }
        self.close(number);
        self.fail(number, Outcome::Timeout, now);
    }

    pub(super) fn record(&mut self, row: Exchange) {
        self.worker.record(row);
    }
}
