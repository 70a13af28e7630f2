//! Everything that one frame shows: plain figures, so that drawing needs neither a clock nor a recorder.

use crate::record::Figures;
use std::time::Duration;

/// What the run is at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The load.
    #[default]
    Load,
    /// The load has ended; what faults have changed is put back.
    Faults,
    /// The load has ended; the traces are awaited.
    Drain,
    /// The cluster is watched on, for so long and until the end of these pods.
    Settle(Duration, Vec<String>),
}

/// One frame.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) phase: Phase,
    /// The plan's name.
    pub(super) plan: String,
    /// Where the load goes.
    pub(super) target: String,
    /// Since the run's beginning.
    pub(super) elapsed: Duration,
    /// `None` before any load.
    pub(super) stage: Option<StageLook>,
    /// Exchanges of each of the last seconds, the newest last.
    pub(super) past: Vec<u64>,
    /// Of the stage so far.
    pub(super) figures: Figures,
    /// Users now, in a stage of users.
    pub(super) users: Option<u32>,
    /// Share of one CPU that each load worker's thread has had lately.
    pub(super) workers: Vec<f64>,
    /// Exchanges whose trace is due.
    pub(super) due: u64,
    /// Of those, whole, by source.
    pub(super) complete: Vec<(String, u64)>,
    /// Replicas wanted, where that is known, and ready.
    pub(super) replicas: Option<(Option<u64>, u64)>,
    /// What has happened, and when since the run's beginning; the newest last.
    pub(super) notes: Vec<(Duration, String)>,
    /// Keys can be typed.
    pub(super) keys: bool,
}

/// The stage that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct StageLook {
    /// From 1.
    pub(super) number: usize,
    /// How many there are; `None` where a search decides.
    pub(super) of: Option<usize>,
    pub(super) name: String,
    /// `50 connections`, `100 users`, `200 req/s`.
    pub(super) load: String,
    /// Requests per second that the plan wants now; `None` for a closed loop.
    pub(super) wanted: Option<f64>,
    /// How long it lasts, and for how long it has.
    pub(super) lasts: Duration,
    pub(super) since: Duration,
    /// How long the stages after it last.
    pub(super) after: Duration,
}

impl StageLook {
    /// How much of it is over.
    pub(super) fn share(&self) -> f64 {
        (self.since.as_secs_f64() / self.lasts.as_secs_f64().max(1e-9)).min(1.0)
    }

    /// Until its end.
    pub(super) fn left(&self) -> Duration {
        self.lasts.saturating_sub(self.since)
    }
}

impl Look {
    /// Exchanges of the last whole second.
    pub(super) fn rate(&self) -> u64 {
        self.past.last().copied().unwrap_or(0)
    }
}
