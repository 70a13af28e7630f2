//! One worker: a thread that goes through the stages with the others, and says how it did in each.

use super::Target;
use super::connection::Pending;
use super::h2;
use super::pace::{Pace, nanoseconds};
use super::place::Place;
use super::request::Requests;
use super::schedule::Schedule;
use super::stage_run::StageRun;
use super::stages::Stages;
use crate::plan::Stage;
use crate::record::{Clock, Exchange, Observation, Recorder};
use anyhow::{Context, Result};
use mio::{Events, Poll};
use std::io::ErrorKind;
use std::time::Duration;

/// Rows that are handed over at once.
const ROWS: usize = 1024;

/// Runs this worker's part of every stage.
pub(super) fn run(
    number: usize,
    stages: &Stages<'_>,
    target: &Target,
    requests: Requests,
    http2: Option<h2::Requests>,
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
        http2,
        seed,
        poll,
        schedule,
        timeout_ns: nanoseconds(timeout),
        tick: (timeout / 20).clamp(Duration::from_millis(5), Duration::from_millis(50)),
        scratch: vec![0; 64 << 10],
        rows: Vec::with_capacity(ROWS),
        numbers: Place::of_numbers(stages.recorder.shard(), number, stages.workers),
        planned: 0,
    };
    let mut failed = Ok(());
    for index in 0.. {
        let Some((stage, start_ns)) = stages.begin(index) else {
            break;
        };
        let before = worker.planned;
        if failed.is_ok() {
            failed = worker.stage(index, &stage, start_ns);
        }
        // A worker that failed still comes to every border: the others wait for it there.
        stages.end(index, worker.planned - before);
    }
    failed
}

/// What a worker keeps from stage to stage.
pub(super) struct Worker<'a> {
    pub(super) number: usize,
    pub(super) stages: &'a Stages<'a>,
    pub(super) recorder: &'a Recorder,
    pub(super) clock: Clock,
    pub(super) target: &'a Target,
    pub(super) requests: Requests,
    /// The same for HTTP/2, where the plan wants that.
    http2: Option<h2::Requests>,
    pub(super) seed: u64,
    pub(super) poll: Poll,
    pub(super) schedule: Schedule,
    pub(super) timeout_ns: u64,
    pub(super) tick: Duration,
    pub(super) scratch: Vec<u8>,
    pub(super) rows: Vec<Exchange>,
    /// Which numbers of requests are this worker's.
    numbers: Place,
    /// Requests planned by this worker in the whole run.
    pub(super) planned: u64,
}

impl Worker<'_> {
    fn stage(&mut self, index: u16, stage: &Stage, start_ns: u64) -> Result<()> {
        let (planned, cpu_ns) = (self.planned, Clock::thread_cpu_ns());
        let shard = self.recorder.shard();
        let pace = Pace::new(
            stage.load,
            Place::of(stage.load, shard, self.number, self.stages.workers),
            start_ns,
            stage.duration,
            self.seed ^ u64::from(index),
        );
        if self.number == 0 && pace.connections() == 0 {
            // The other workers have none either: it is the other shards' stage.
            return self.sit_out(pace.end_ns());
        }
        self.requests.say(stage.reuse);
        let (health, result) = match self.http2.clone() {
            None => StageRun::new(self, index, pace, stage.reuse).run(),
            Some(requests) => h2::StageRun::new(self, index, pace, stage.reuse, requests).run(),
        };
        self.hand_over();
        self.schedule.clear();
        if health.held > 0 {
            self.recorder.observe(Observation::Worker {
                stage: index,
                worker: u16::try_from(self.number).unwrap_or(u16::MAX),
                connections: health.held,
                opened: health.most_opened,
                planned: self.planned - planned,
                wall_ns: self.clock.now_ns() - start_ns,
                cpu_ns: Clock::thread_cpu_ns() - cpu_ns,
                lag_p50_ns: health.lag.quantile(0.50),
                lag_p99_ns: health.lag.quantile(0.99),
                lag_max_ns: health.longest_lag_ns,
                turn_ns: health.longest_turn_ns,
            });
        }
        result
    }

    /// Waits while the other shards drive a stage that this one has no part in.
    fn sit_out(&mut self, end_ns: u64) -> Result<()> {
        let mut events = Events::with_capacity(1);
        loop {
            let now = self.clock.now_ns();
            if now >= end_ns || self.stages.stopped() {
                break;
            }
            self.sleep(&mut events, Some(end_ns), now)?;
        }
        self.schedule.clear();
        self.stages.sat_out();
        Ok(())
    }

    /// Takes a row in; full or overdue, they go to the recorder.
    pub(super) fn record(&mut self, row: Exchange) {
        self.rows.push(row);
        if self.rows.len() >= ROWS {
            self.hand_over();
        }
    }

    pub(super) fn hand_over(&mut self) {
        if !self.rows.is_empty() {
            let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(ROWS));
            self.recorder.exchanges(rows);
        }
    }

    /// For whoever watches.
    pub(super) fn say_cpu(&self) {
        let live = self.recorder.live();
        live.set_worker_cpu(self.number, Clock::thread_cpu_ns());
    }

    /// Waits for events, until `due_ns` or for a tick.
    pub(super) fn sleep(&mut self, events: &mut Events, due: Option<u64>, now: u64) -> Result<()> {
        let mut longest = self.tick;
        if let Some(due) = due {
            if due <= now {
                longest = Duration::ZERO;
            } else if due < now + nanoseconds(longest) {
                self.schedule.wake_at(due, now)?;
            }
        }
        match self.poll.poll(events, Some(longest)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                Err(error).context("the event queue failed")
            }
            _ => Ok(()),
        }
    }

    /// Waits until `due_ns` whatever comes; false when that is further away than a tick.
    pub(super) fn sleep_through(&mut self, due_ns: u64, now: u64) -> Result<bool> {
        if due_ns >= now + nanoseconds(self.tick) {
            return Ok(false);
        }
        self.schedule.wake_at(due_ns, now)?;
        self.schedule.sleep(self.tick)?;
        Ok(true)
    }

    /// Plans a request, which could be sent from `ready_ns` on.
    pub(super) fn plan(&mut self, intended_ns: u64, ready_ns: u64) -> Pending {
        let seq = self.next_seq();
        Pending::new(seq, self.requests.task(seq), intended_ns, ready_ns)
    }

    /// The number of the next request: unique in the run without asking the other workers, or shards.
    fn next_seq(&mut self) -> u64 {
        let Place { at, of } = self.numbers;
        let seq = self.planned * of + at;
        self.planned += 1;
        seq
    }
}
