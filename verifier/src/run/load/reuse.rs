//! One worker in one stage: what becomes of its connections between exchanges, as the plan says.

use super::connection::State;
use super::pace::nanoseconds;
use super::stage_run::StageRun;
use crate::plan::Reuse;

/// When a connection made now has had its time.
pub(super) fn expires_ns(reuse: Reuse, now: u64, random: u64) -> u64 {
    match reuse {
        Reuse::Keep => u64::MAX,
        Reuse::Fresh => 0,
        Reuse::Rotate(lifetime) => {
            let lifetime_ns = nanoseconds(lifetime);
            now + lifetime_ns / 2 + random % (lifetime_ns + 1)
        }
    }
}

impl StageRun<'_, '_> {
    /// Open loop: makes a closed connection ready for an arrival. One that is for a single request is
    /// opened when that arrives, so that its latency has the time to connect in it.
    pub(super) fn stand_by(&mut self, number: usize, now: u64) {
        match self.reuse {
            Reuse::Fresh => self.free_up(number, now),
            Reuse::Keep | Reuse::Rotate(_) => self.connect(number),
        }
    }

    pub(super) fn opens_for_a_request(&self, number: usize) -> bool {
        self.reuse == Reuse::Fresh && matches!(self.connections[number].state, State::Closed)
    }

    /// Closes a connection after its exchange, because the target or the plan wants it.
    pub(super) fn leave(&mut self, number: usize) {
        if self.reuse == Reuse::Fresh {
            self.connections[number].forget_when_closed();
        }
        self.close(number);
    }

    /// Closed loop: nothing more is wanted of it. Before the stage's end, it is a user who has been stopped,
    /// and who keeps no connection.
    pub(super) fn retire(&mut self, number: usize) {
        if self.pace.last_ns(number) < self.pace.end_ns() {
            self.close(number);
        }
    }
}
