//! The borders of stages, where all workers meet: a common start, a common end, a common decision to go on.

use super::Hand;
use super::probes::Probes;
use crate::plan::{Plan, Stage};
use crate::record::{Observation, Recorder};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// A target to which no connection could be made for this long, since the run's first stage began, is given up.
const GIVEN_UP_AFTER_NS: u64 = 3_000_000_000;

/// What the workers of a run share.
pub(super) struct Stages<'a> {
    pub(super) plan: &'a Plan,
    pub(super) workers: usize,
    pub(super) recorder: &'a Recorder,
    cancel: &'a CancellationToken,
    pub(super) hand: &'a Hand,
    border: Barrier,
    start_ns: AtomicU64,
    first_start_ns: AtomicU64,
    planned: AtomicU64,
    ever_connected: AtomicBool,
    given_up: AtomicBool,
    last_error: Mutex<String>,
    /// The stage that runs.
    current: Mutex<Option<Stage>>,
    /// Who decides on the next stage, where the plan does not.
    probes: Mutex<Option<Probes>>,
}

impl<'a> Stages<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        workers: usize,
        recorder: &'a Recorder,
        cancel: &'a CancellationToken,
        hand: &'a Hand,
    ) -> Stages<'a> {
        Stages {
            plan,
            workers,
            recorder,
            cancel,
            hand,
            border: Barrier::new(workers),
            start_ns: AtomicU64::new(0),
            first_start_ns: AtomicU64::new(0),
            planned: AtomicU64::new(0),
            ever_connected: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            last_error: Mutex::default(),
            current: Mutex::default(),
            probes: Mutex::new(Probes::new(plan, recorder)),
        }
    }

    /// Waits for all workers; then the stage and its start on the run's clock, or `None` when the load is over.
    pub(super) fn begin(&self, index: u16) -> Option<(Stage, u64)> {
        if self.border.wait().is_leader() {
            let stage = self.next(index).filter(|_| !self.stopped());
            if let Some(stage) = &stage {
                self.recorder
                    .observe(Observation::StageStarted { stage: index });
                let now = self.recorder.clock().now_ns();
                self.start_ns.store(now, SeqCst);
                self.hand.begin(index, stage, now);
                let _ = self.first_start_ns.compare_exchange(0, now, SeqCst, SeqCst);
            }
            *lock(&self.current) = stage;
        }
        self.border.wait();
        let stage = lock(&self.current).clone();
        stage.map(|stage| (stage, self.start_ns.load(SeqCst)))
    }

    fn next(&self, index: u16) -> Option<Stage> {
        match lock(&self.probes).as_mut() {
            Some(probes) if !self.stopped() => probes.next(&|| self.stopped()),
            Some(_) => None,
            None => self.plan.stages.get(usize::from(index)).cloned(),
        }
    }

    /// Waits until every worker has handed over its rows of the stage.
    pub(super) fn end(&self, index: u16, planned: u64) {
        self.planned.fetch_add(planned, SeqCst);
        if self.border.wait().is_leader() {
            self.hand.end();
            let planned = self.planned.swap(0, SeqCst);
            self.recorder.observe(Observation::StageEnded {
                stage: index,
                planned,
            });
        }
    }

    /// Nothing more is to be started: somebody asked, the disk failed, or nobody is there.
    pub(super) fn stopped(&self) -> bool {
        self.cancel.is_cancelled()
            || self.given_up.load(SeqCst)
            || self.recorder.live().failure().is_some()
    }

    pub(super) fn connected(&self) {
        if !self.ever_connected.load(SeqCst) {
            self.ever_connected.store(true, SeqCst);
        }
    }

    /// A stage went by in which nothing was tried: the target has not been absent for so long.
    pub(super) fn sat_out(&self) {
        self.first_start_ns.store(0, SeqCst);
    }

    /// A connection attempt failed. A target that speaks something else will go on doing so: it is given up at once.
    pub(super) fn connect_failed(&self, error: &std::io::Error) {
        if self.ever_connected.load(SeqCst) {
            return;
        }
        *lock(&self.last_error) = error.to_string();
        if error.kind() == std::io::ErrorKind::Unsupported && !self.given_up.swap(true, SeqCst) {
            self.recorder.observe(Observation::TargetFailed {
                error: error.to_string(),
            });
        }
    }

    /// Gives the target up when it has let nobody in for too long.
    pub(super) fn give_up_if_nobody_is_there(&self, now_ns: u64) {
        let tried = now_ns.saturating_sub(self.first_start_ns.load(SeqCst));
        if tried >= GIVEN_UP_AFTER_NS
            && !self.ever_connected.load(SeqCst)
            && !self.given_up.swap(true, SeqCst)
        {
            let seconds = tried / 1_000_000_000;
            let error = match lock(&self.last_error).as_str() {
                "" => format!("no connection could be made within {seconds} s: nobody answers"),
                error => format!("no connection could be made within {seconds} s: {error}"),
            };
            self.recorder.observe(Observation::TargetFailed { error });
        }
    }

    /// Says why, when the load has ended and there never was a connection.
    pub(super) fn ended(&self) {
        let error = lock(&self.last_error).clone();
        let connected = self.ever_connected.load(SeqCst);
        if !connected && !error.is_empty() && !self.given_up.swap(true, SeqCst) {
            let error = format!("no connection could be made: {error}");
            self.recorder.observe(Observation::TargetFailed { error });
        }
    }

    /// The target was given up.
    pub(super) fn nobody_was_there(&self) -> bool {
        self.given_up.load(SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
