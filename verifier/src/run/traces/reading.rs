//! What every reader of a source works with: the run's intake and its books, when the load took place, which
//! traces are still wanted, and when to stop.

use super::intake::Intake;
use crate::record::{Lacking, Observation, Recorder, Span};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// When the load took place, Unix nanoseconds by this machine's clock: spans of it begin within, other machines' clocks allowed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// A little before the first request.
    pub from_unix_ns: u64,
    /// A little after the last answer.
    pub to_unix_ns: u64,
}

/// One reader's part in the run.
pub struct Reading {
    /// Takes in OTLP messages; counts failed reads.
    pub intake: Intake,
    recorder: Recorder,
    load: watch::Receiver<Option<Window>>,
    stop: CancellationToken,
    /// Counts this reader until it has caught up.
    behind: Option<Arc<AtomicUsize>>,
    /// When its books were last journalled.
    told_ns: u64,
}

impl Reading {
    pub(super) fn new(
        recorder: Recorder,
        load: watch::Receiver<Option<Window>>,
        stop: CancellationToken,
        behind: Arc<AtomicUsize>,
    ) -> Reading {
        behind.fetch_add(1, Relaxed);
        Reading {
            intake: Intake::new(recorder.clone()).of_own_requests(),
            recorder,
            load,
            stop,
            behind: Some(behind),
            told_ns: 0,
        }
    }

    /// Waits for the end of the load; `None` when the run is stopped before.
    pub async fn load_ended(&mut self) -> Option<Window> {
        let ended = self.load.wait_for(Option::is_some);
        tokio::select! {
            () = self.stop.cancelled() => None,
            window = ended => window.ok().and_then(|window| *window),
        }
    }

    /// The run is over: finish what is under way, and return within seconds.
    pub fn stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Cancelled when the run is over.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Waits; false when the run was stopped meanwhile. The books are journalled now and then: a killed run has them.
    pub async fn pause(&mut self, pause: Duration) -> bool {
        let now_ns = self.now_ns();
        if now_ns > self.told_ns + 1_000_000_000 {
            self.told_ns = now_ns;
            self.tell();
        }
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Journals the books.
    pub(super) fn tell(&self) {
        let books = self.intake.books().clone();
        self.recorder.observe(Observation::Receiver(books));
    }

    /// Every trace that is due has come whole from this source.
    pub fn whole(&self) -> bool {
        self.recorder.flush();
        self.traces_whole() >= self.traces_due()
    }

    /// Trace ids that are due and not whole, the oldest request's first, so many at most: to be asked for by id.
    pub fn missing(&self, most: usize) -> Missing {
        self.recorder.flush();
        let lacking = self.recorder.lacking(most);
        let key = self.recorder.key();
        Missing {
            ids: lacking.iter().map(|l| key.trace_id(l.seq)).collect(),
            seen: lacking.into_iter().map(|l| (l.seq, l)).collect(),
        }
    }

    /// Exchanges whose trace is due so far.
    pub fn traces_due(&self) -> u64 {
        self.recorder.live().traces_expected.load(Relaxed)
    }

    /// Of those: whose trace has come whole from this source.
    pub fn traces_whole(&self) -> u64 {
        let of_source = &self.recorder.live().of_source[usize::from(self.recorder.source())];
        of_source.complete.load(Relaxed)
    }

    /// Nanoseconds on the run's clock.
    pub fn now_ns(&self) -> u64 {
        self.recorder.clock().now_ns()
    }

    /// What was there at the end of the load has been read: from now on it is waited for what comes late.
    pub fn caught_up(&mut self) {
        if let Some(behind) = self.behind.take() {
            behind.fetch_sub(1, Relaxed);
        }
    }
}

/// A reader that has ended is not behind.
impl Drop for Reading {
    fn drop(&mut self) {
        self.caught_up();
    }
}

/// Traces that a source has not given whole.
#[derive(Clone, Debug)]
pub struct Missing {
    /// Their ids, the oldest request's first.
    pub ids: Vec<[u8; 16]>,
    seen: HashMap<u64, Lacking>,
}

impl Missing {
    /// The span is one that was expected and had not come.
    pub(super) fn lacks(&self, span: &Span) -> bool {
        let lacking = self.seen.get(&span.seq);
        lacking.is_some_and(|l| span.name < 16 && l.seen >> span.name & 1 == 0)
    }
}
