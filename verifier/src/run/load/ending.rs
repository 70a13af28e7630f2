//! How a stage comes to its end in one worker: from when on nothing is sent any more, and when what is in
//! flight is given up.

use super::pace::Pace;
use super::stages::Stages;

/// How long after a stage's end its late requests may still be sent, and how long, once the run is being
/// stopped, what is in flight may take to end by itself. The request timeout, if that is shorter.
const GRACE_NS: u64 = 1_000_000_000;

/// How far the end has come.
#[derive(Debug)]
pub(super) struct Ending {
    grace_ns: u64,
    /// Nothing planned is sent any more.
    pub(super) closing: bool,
    /// The run is being stopped, since then.
    stopped_ns: Option<u64>,
}

impl Ending {
    pub(super) fn new(timeout_ns: u64) -> Ending {
        Ending {
            grace_ns: GRACE_NS.min(timeout_ns),
            closing: false,
            stopped_ns: None,
        }
    }

    /// Looks whether it is time; true when from now on nothing is sent any more.
    pub(super) fn begins(&mut self, now: u64, pace: &mut Pace, stages: &Stages<'_>) -> bool {
        if self.stopped_ns.is_none() && stages.stopped() {
            self.stopped_ns = Some(now);
            pace.stop(now);
        }
        let grace_ns = if self.stopped() { 0 } else { self.grace_ns };
        let begins = now >= pace.end_ns() + grace_ns && !self.closing;
        self.closing |= begins;
        begins
    }

    /// The run is being stopped.
    pub(super) fn stopped(&self) -> bool {
        self.stopped_ns.is_some()
    }

    /// What is in flight has had its grace.
    pub(super) fn gives_up_all(&self, now: u64) -> bool {
        self.stopped_ns.is_some_and(|at| now >= at + self.grace_ns)
    }
}
