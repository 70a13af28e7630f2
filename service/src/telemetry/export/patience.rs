//! How long requests yield to the spans of a collector that takes none: the counts of each moment
//! in, whether it is over out.

use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::flow::Flow;

/// A collector that never took anything is most likely not there at all.
const FOR_A_STRANGER: Duration = Duration::from_secs(5);

/// Measures the time since the collector last took spans.
pub(super) struct Patience {
    limit: Duration,
    settled: u64,
    since: Instant,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Patience {
        Patience {
            limit,
            settled: 0,
            since: now(),
        }
    }

    /// Whether it is over; to be asked every now and then.
    pub(super) fn is_over(&mut self, flow: &Flow) -> bool {
        let counts = flow.counts();
        let settled = counts.acknowledged;
        let idle = counts.queued + counts.in_flight == 0;
        drop(counts);
        // Having nothing to take is no fault of the collector's.
        if settled > self.settled || idle {
            (self.settled, self.since) = (settled, now());
        }
        let limit = if self.settled == 0 {
            self.limit.min(FOR_A_STRANGER)
        } else {
            self.limit
        };
        self.since.elapsed() > limit
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "tokio's clock, which a test can pause"
)]
fn now() -> Instant {
    Instant::now()
}
