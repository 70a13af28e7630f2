//! Running figures of a run, for the drain and for whoever watches; verdicts never use them.

use super::scene::{Scene, StageNow};
use super::{Figures, Observation, Second};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sources of traces in one run.
pub const MOST_SOURCES: usize = 8;

/// Seconds that are kept for whoever looks.
const SECONDS: usize = 600;

/// A count that is not known.
pub const UNKNOWN: u64 = u64::MAX;

/// What has come from one source.
#[derive(Debug, Default)]
pub struct SourceLive {
    /// Spans of this run.
    pub spans: AtomicU64,
    /// Traces that are due and whole.
    pub complete: AtomicU64,
}

/// Counters that the recorder keeps up to date.
#[derive(Debug)]
pub struct Live {
    /// Exchanges whose trace is due.
    pub traces_expected: AtomicU64,
    /// By source.
    pub of_source: [SourceLive; MOST_SOURCES],
    /// How many sources there are.
    pub sources: AtomicU8,
    /// Replicas that the HPA, or else the Deployment, wants; [`UNKNOWN`] where no cluster is watched.
    pub replicas_desired: AtomicU64,
    /// Ready pods of the Deployment; [`UNKNOWN`] likewise.
    pub replicas_ready: AtomicU64,
    scene: Mutex<Scene>,
    second: Mutex<Second>,
    seconds: Mutex<VecDeque<Second>>,
    figures: Mutex<Figures>,
    workers_cpu_ns: Mutex<Vec<u64>>,
    failure: Mutex<Option<String>>,
}

impl Default for Live {
    fn default() -> Live {
        Live {
            traces_expected: AtomicU64::default(),
            of_source: Default::default(),
            sources: AtomicU8::new(1),
            replicas_desired: AtomicU64::new(UNKNOWN),
            replicas_ready: AtomicU64::new(UNKNOWN),
            scene: Mutex::default(),
            second: Mutex::default(),
            seconds: Mutex::default(),
            figures: Mutex::default(),
            workers_cpu_ns: Mutex::default(),
            failure: Mutex::default(),
        }
    }
}

impl Live {
    /// Traces that are due and whole in every source: in the one that has the fewest.
    pub fn traces_complete(&self) -> u64 {
        let sources = usize::from(self.sources.load(Relaxed)).min(MOST_SOURCES);
        let complete = self.of_source[..sources].iter();
        complete
            .map(|source| source.complete.load(Relaxed))
            .min()
            .unwrap_or(0)
    }

    /// Replicas as they are wanted and ready, as far as a cluster is watched.
    pub fn replicas(&self) -> (Option<u64>, Option<u64>) {
        let known = |count: &AtomicU64| Some(count.load(Relaxed)).filter(|n| *n != UNKNOWN);
        (known(&self.replicas_desired), known(&self.replicas_ready))
    }

    /// The stage whose load began last; `None` before any load.
    pub fn stage(&self) -> Option<StageNow> {
        lock(&self.scene).stage
    }

    /// Everything that changes slowly.
    pub fn scene(&self) -> Scene {
        lock(&self.scene).clone()
    }

    pub(super) fn see(&self, at_ns: u64, observation: &Observation) {
        lock(&self.scene).see(at_ns, observation);
    }

    /// Figures of the last whole second in which an exchange ended.
    pub fn second(&self) -> Second {
        lock(&self.second).clone()
    }

    /// Figures of the last whole seconds, the newest last, those included in which nothing ended.
    pub fn seconds(&self) -> VecDeque<Second> {
        lock(&self.seconds).clone()
    }

    pub(super) fn end_second(&self, second: &Second) {
        let mut seconds = lock(&self.seconds);
        if seconds.len() == SECONDS {
            seconds.pop_front();
        }
        seconds.push_back(second.clone());
        if second.done > 0 {
            lock(&self.second).clone_from(second);
        }
    }

    /// Figures of the stage in which an exchange ended last, as of the last whole second.
    pub fn figures(&self) -> Figures {
        lock(&self.figures).clone()
    }

    pub(super) fn add_figures(&self, more: &Figures) {
        let mut figures = lock(&self.figures);
        if figures.stage != more.stage {
            figures.clear(more.stage);
        }
        figures.add(more);
    }

    /// A load worker says how much CPU time its thread has had.
    pub fn set_worker_cpu(&self, worker: usize, cpu_ns: u64) {
        let mut workers = lock(&self.workers_cpu_ns);
        if workers.len() <= worker {
            workers.resize(worker + 1, 0);
        }
        workers[worker] = cpu_ns;
    }

    /// CPU time of each load worker's thread so far.
    pub fn workers_cpu_ns(&self) -> Vec<u64> {
        lock(&self.workers_cpu_ns).clone()
    }

    /// Why recording failed, if it did: the run must then stop.
    pub fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }

    /// Says that recording has failed; the first reason stays.
    pub fn fail(&self, error: &anyhow::Error) {
        lock(&self.failure).get_or_insert_with(|| format!("{error:#}"));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
