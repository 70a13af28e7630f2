//! The run second by second: of the last seconds everything, of those before only what the page draws.

use super::cells::Timed;
use super::histogram::{Histogram, ms};
use super::stages::Stages;
use super::steps::{Standing, Steps};
use super::{SECOND_NS, history::History};
use crate::plan::Plan;
use crate::record::{Exchange, Outcome};
use crate::verdict::page::Series;
use std::collections::VecDeque;

/// Rows that may still change. Even, so that pairs can be made of them.
pub(in super::super) const OPEN: usize = 12;
/// Rows that are kept; when there are more, each two become one.
const MOST_ROWS: usize = 7200;

/// A row that may still change.
#[derive(Clone, Debug, Default)]
pub(super) struct Open {
    answered: u64,
    failed: u64,
    /// Requests that Locust counts, and of those the failed.
    pub(super) tried: u64,
    pub(super) tried_failed: u64,
    pub(super) bytes: u64,
    latency: Histogram,
    pub(super) service: Timed,
}

/// A finished row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Row {
    at: u64,
    answered: u64,
    failed: u64,
    latency_ms: [Option<f64>; 3],
    service_ms: [Option<f64>; 3],
    users: Option<f64>,
    requested: Option<f64>,
    standing: Standing,
}

/// The seconds from the first in which something was seen.
#[derive(Clone, Debug)]
pub(in super::super) struct Seconds {
    first: Option<u64>,
    /// Seconds of a row.
    width: u64,
    rows: Vec<Row>,
    open: VecDeque<Open>,
    pub(super) most_rows: usize,
}

impl Default for Seconds {
    fn default() -> Seconds {
        Seconds {
            first: None,
            width: 1,
            rows: Vec::new(),
            open: VecDeque::new(),
            most_rows: MOST_ROWS,
        }
    }
}

/// What a row is made of, beside its exchanges.
pub(super) struct Beside<'a> {
    pub(super) plan: &'a Plan,
    pub(super) stages: &'a Stages,
    pub(super) steps: &'a mut Steps,
    pub(super) history: &'a mut History,
}

impl Seconds {
    /// Something was seen in that second: there are rows from it on.
    pub(super) fn begin(&mut self, second: u64) {
        self.first.get_or_insert(second);
    }

    /// There are rows up to that second, whether or not anything happens in it.
    pub(super) fn reach(&mut self, second: u64, beside: &mut Beside<'_>) {
        let Some(first) = self.first else { return };
        // A damaged row that lies far ahead must not take a row for each second.
        let second = second.min(first + super::LONGEST_SECONDS);
        loop {
            let place = second.saturating_sub(first) / self.width;
            if ((self.rows.len() + self.open.len()) as u64) > place {
                return;
            }
            self.open.push_back(Open::default());
            if self.open.len() > OPEN {
                self.finish_one(beside);
            }
            if self.rows.len() >= self.most_rows {
                self.make_pairs();
                beside.history.make_pairs();
            }
        }
    }

    /// Takes in an exchange; there are rows up to its end already.
    pub(super) fn take(&mut self, exchange: &Exchange) {
        let Some(first) = self.first else { return };
        let second = exchange.done_ns / SECOND_NS;
        let place = second.saturating_sub(first) / self.width;
        // One that comes so late that its row is finished counts in the oldest that is not.
        let place = (place as usize).saturating_sub(self.rows.len());
        let Some(open) = self.open.get_mut(place) else {
            return;
        };
        let failed = exchange.outcome != Outcome::Ok;
        let tried = exchange.outcome != Outcome::Unsent;
        open.answered += u64::from(exchange.outcome.answered());
        open.failed += u64::from(failed);
        open.tried += u64::from(tried);
        open.tried_failed += u64::from(tried && failed);
        open.bytes += u64::from(exchange.bytes);
        if exchange.outcome.sent() {
            open.latency.record(exchange.latency_ns());
            open.service.record(exchange.service_time_ns());
        }
    }

    fn finish_one(&mut self, beside: &mut Beside<'_>) {
        let Some(open) = self.open.pop_front() else {
            return;
        };
        let row = self.row(
            self.rows.len(),
            &open,
            beside.plan,
            beside.stages,
            beside.steps,
        );
        beside
            .history
            .take(row.at + self.width, self.width, row.users, &open);
        beside.steps.forget_before(row.at * SECOND_NS);
        self.rows.push(row);
    }

    fn row(&self, place: usize, open: &Open, plan: &Plan, stages: &Stages, steps: &Steps) -> Row {
        let at = self.first.unwrap_or(0) + place as u64 * self.width;
        let end_ns = (at + self.width) * SECOND_NS;
        let (users, requested) = stages.wanted(plan, (at * SECOND_NS + end_ns) / 2);
        let shares = [0.5, 0.95, 0.99];
        Row {
            at,
            answered: open.answered,
            failed: open.failed,
            latency_ms: open.latency.percentiles_ns(shares).map(|ns| ns.map(ms)),
            service_ms: open.service.percentiles_ns(shares).map(|ns| ns.map(ms)),
            users,
            requested,
            standing: steps.before(end_ns),
        }
    }

    /// Of each two rows one: counts of both, percentiles of the worse, all else of the later.
    fn make_pairs(&mut self) {
        let worse = |a: [Option<f64>; 3], b: [Option<f64>; 3]| {
            std::array::from_fn(|i| match (a[i], b[i]) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            })
        };
        let pairs = self.rows.chunks(2).map(|pair| match pair {
            [a, b] => Row {
                at: a.at,
                answered: a.answered + b.answered,
                failed: a.failed + b.failed,
                latency_ms: worse(a.latency_ms, b.latency_ms),
                service_ms: worse(a.service_ms, b.service_ms),
                ..*b
            },
            _ => pair[0],
        });
        self.rows = pairs.collect();
        let open = std::mem::take(&mut self.open);
        for (place, second) in open.into_iter().enumerate() {
            if place % 2 == 0 {
                self.open.push_back(second);
            } else if let Some(first) = self.open.back_mut() {
                first.merge(&second);
            }
        }
        self.width *= 2;
    }

    /// The second after the last row.
    pub(super) fn end(&self) -> u64 {
        let rows = (self.rows.len() + self.open.len()) as u64;
        self.first.unwrap_or(0) + rows * self.width
    }

    /// Seconds of a row.
    pub(in super::super) fn width(&self) -> u64 {
        self.width
    }

    /// The rows of seconds that are over by then.
    pub(super) fn series(&self, now: u64, plan: &Plan, stages: &Stages, steps: &Steps) -> Series {
        let mut series = Series {
            step_seconds: self.width,
            ..Series::default()
        };
        let open = self.open.iter().enumerate();
        let open = open.map(|(place, open)| {
            let place = self.rows.len() + place;
            self.row(place, open, plan, stages, steps)
        });
        for row in self.rows.iter().copied().chain(open) {
            if row.at + self.width <= now {
                push(&mut series, &row);
            }
        }
        series
    }

    /// The service times of the seconds from `from` on and before `to`, as far as they are remembered.
    pub(in super::super) fn service_between(&self, from: u64, to: u64) -> Histogram {
        let mut sum = Histogram::default();
        for (place, open) in self.open.iter().enumerate() {
            let at = self.first.unwrap_or(0) + (self.rows.len() + place) as u64 * self.width;
            if at >= from && at < to {
                sum.merge(&open.service.histogram);
            }
        }
        sum
    }

    /// Rows that may still change, with the second after each, and the users then.
    pub(super) fn unfinished(
        &self,
        plan: &Plan,
        stages: &Stages,
    ) -> Vec<(u64, Option<f64>, &Open)> {
        let open = self.open.iter().enumerate().map(|(place, open)| {
            let at = self.first.unwrap_or(0) + (self.rows.len() + place) as u64 * self.width;
            let middle_ns = at * SECOND_NS + self.width * SECOND_NS / 2;
            let (users, _) = stages.wanted(plan, middle_ns);
            (at + self.width, users, open)
        });
        open.collect()
    }
}

impl Open {
    fn merge(&mut self, other: &Open) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.tried += other.tried;
        self.tried_failed += other.tried_failed;
        self.bytes += other.bytes;
        self.latency.merge(&other.latency);
        self.service.merge(&other.service);
    }
}

fn push(series: &mut Series, row: &Row) {
    series.at_seconds.push(row.at);
    series.answered.push(row.answered);
    series.failed.push(row.failed);
    series.p50_ms.push(row.latency_ms[0]);
    series.p95_ms.push(row.latency_ms[1]);
    series.p99_ms.push(row.latency_ms[2]);
    series.service_p50_ms.push(row.service_ms[0]);
    series.service_p95_ms.push(row.service_ms[1]);
    series.service_p99_ms.push(row.service_ms[2]);
    series.users.push(row.users);
    series.requested.push(row.requested);
    series.traces_due.push(row.standing.traces_due);
    series.traces_complete.push(row.standing.traces_complete);
    series.hpa_desired.push(row.standing.hpa_desired);
    series.desired.push(row.standing.desired);
    series.ready.push(row.standing.ready);
    series.cpu_percent.push(row.standing.cpu_percent);
}
