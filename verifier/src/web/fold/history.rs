//! What Locust writes into its history each second: what had ended by then, summed from the begin.

use super::cells::Timed;
use super::histogram::ms;
use super::seconds::Open;

/// Locust's `PERCENTILES_TO_REPORT`.
pub(in super::super) const SHARES: [f64; 11] = [
    0.50, 0.66, 0.75, 0.80, 0.90, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0,
];

/// A row of it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct HistoryRow {
    /// The second at whose begin it is written, on the run's clock.
    pub(in super::super) at: u64,
    pub(in super::super) users: f64,
    /// Requests and failures in the seconds since the row before.
    pub(in super::super) tried: f64,
    pub(in super::super) tried_failed: f64,
    pub(in super::super) percentiles_ms: [Option<f64>; SHARES.len()],
    pub(in super::super) requests: u64,
    pub(in super::super) failures: u64,
    pub(in super::super) bytes: u64,
    /// Mean, least and most, milliseconds.
    pub(in super::super) times_ms: [Option<f64>; 3],
}

/// The rows so far, and the sums up to the last.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct History {
    pub(in super::super) rows: Vec<HistoryRow>,
    service: Timed,
    requests: u64,
    failures: u64,
    bytes: u64,
}

impl History {
    /// Takes in what ended in the `width` seconds before second `at`.
    pub(super) fn take(&mut self, at: u64, width: u64, users: Option<f64>, open: &Open) {
        self.service.merge(&open.service);
        self.requests += open.tried;
        self.failures += open.tried_failed;
        self.bytes += open.bytes;
        if self.requests == 0 {
            return;
        }
        self.rows.push(HistoryRow {
            at,
            users: users.unwrap_or(0.0),
            tried: open.tried as f64 / width as f64,
            tried_failed: open.tried_failed as f64 / width as f64,
            percentiles_ms: self.service.percentiles_ns(SHARES).map(|ns| ns.map(ms)),
            requests: self.requests,
            failures: self.failures,
            bytes: self.bytes,
            times_ms: [
                self.service.mean_ms(),
                self.service.least_ms(),
                self.service.most_ms(),
            ],
        });
    }

    /// Of each two rows the later.
    pub(super) fn make_pairs(&mut self) {
        let mut place = 0;
        self.rows.retain(|_| {
            place += 1;
            place % 2 == 0
        });
    }
}
