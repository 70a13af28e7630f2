//! Running figures of a run, for the drain and for whoever watches; verdicts never use them.

use super::Second;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicU64};
use std::sync::{Mutex, PoisonError};

/// Sources of traces in one run.
pub const MOST_SOURCES: usize = 8;

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

/// The stage whose load began last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageNow {
    /// Index in the plan.
    pub stage: u16,
    /// When its load began, on the run's clock.
    pub since_ns: u64,
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
    stage: Mutex<Option<StageNow>>,
    second: Mutex<Second>,
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
            stage: Mutex::default(),
            second: Mutex::default(),
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
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_stage(&self, stage: StageNow) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
    }

    /// Figures of the last whole second in which an exchange ended.
    pub fn second(&self) -> Second {
        self.second
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_second(&self, second: Second) {
        *self.second.lock().unwrap_or_else(PoisonError::into_inner) = second;
    }

    /// Why recording failed, if it did: the run must then stop.
    pub fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Says that recording has failed; the first reason stays.
    pub fn fail(&self, error: &anyhow::Error) {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| format!("{error:#}"));
    }
}

/// A histogram of nanoseconds with buckets 1/32 of their power of two wide (error below 3.2 %).
#[derive(Debug)]
pub struct Sketch {
    counts: Box<[u32; 64 * 32]>,
    total: u64,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            counts: Box::new([0; 64 * 32]),
            total: 0,
        }
    }
}

impl Sketch {
    /// Adds one value.
    pub fn record(&mut self, ns: u64) {
        let power = 63 - (ns | 1).leading_zeros();
        let index = if power < 5 {
            u64::from(32 * power)
        } else {
            u64::from(32 * power) + ((ns >> (power - 5)) & 31)
        };
        self.counts[usize::try_from(index).unwrap_or(0)] += 1;
        self.total += 1;
    }

    /// Lower edge of the bucket that holds the quantile; 0 when empty.
    pub fn quantile(&self, q: f64) -> u64 {
        let mut left = (q * self.total as f64).ceil() as u64;
        for (index, count) in self.counts.iter().enumerate() {
            if u64::from(*count) >= left && left > 0 {
                let (power, step) = (index / 32, index as u64 % 32);
                return if power < 5 {
                    1 << power
                } else {
                    (32 + step) << (power - 5)
                };
            }
            left = left.saturating_sub(u64::from(*count));
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketch_is_within_its_error() {
        let mut sketch = Sketch::default();
        for ns in 1..=100_000_u64 {
            sketch.record(ns);
        }
        for (q, truth) in [(0.5, 50_000.0), (0.99, 99_000.0)] {
            let error = (sketch.quantile(q) as f64 - truth).abs() / truth;
            assert!(error < 0.032, "{q}: {error}");
        }
    }
}
