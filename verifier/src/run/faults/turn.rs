//! One fault's turn: under which name it is done, on which clock, whether only to try.

use crate::record::Clock;
use crate::run::terminal::say;

/// One fault's turn.
pub(super) struct Turn<'a> {
    /// Its name in the plan.
    pub(super) fault: &'a str,
    /// Chooses among those that it could hit.
    pub(super) seed: u64,
    /// Everything is asked of the API, and nothing changed.
    pub(super) dry: bool,
    pub(super) clock: Clock,
}

impl Turn<'_> {
    /// Says what is about to be touched.
    pub(super) fn tell(&self, what: &str) {
        if !self.dry {
            say(&format!("fault {}: {what}", self.fault));
        }
    }

    /// On the run's clock.
    pub(super) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }
}
