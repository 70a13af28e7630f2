//! One pass over a stage's exchanges and spans: what every legacy format takes its figures from.

use super::locust::Seen;
use crate::record::{Exchange, Outcome, Span};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Stage;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// Longest service time that the `.hgrm` file tells from longer ones: an hour, as wrk2 has it.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Nanoseconds of a slot of `ends`: oha's interval of 10 ms.
pub(super) const SLOT_NS: u64 = 10_000_000;

/// Sum and bounds of some nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) n: u64,
    pub(super) ns: u128,
    pub(super) least_ns: u64,
    pub(super) most_ns: u64,
}

impl Sum {
    pub(super) fn add(&mut self, ns: u64) {
        self.least_ns = if self.n == 0 {
            ns
        } else {
            self.least_ns.min(ns)
        };
        self.most_ns = self.most_ns.max(ns);
        self.n += 1;
        self.ns += u128::from(ns);
    }

    /// `None` without values.
    pub(super) fn mean_ns(&self) -> Option<f64> {
        (self.n > 0).then(|| self.ns as f64 / self.n as f64)
    }
}

/// Answers that ended in one slot, and when the last of them did, from the stage's start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    pub(super) answers: u64,
    pub(super) last_ns: u64,
}

/// A stage's figures. "Answers" are those that came within the stage's duration, which is what wrk,
/// oha and perf_analyzer count.
pub(super) struct Tally {
    /// How long the stage lasted, seconds; as in the verdict.
    pub(super) seconds: f64,
    /// Service times of the answers, sorted, nanoseconds.
    pub(super) service_ns: Vec<u64>,
    /// From send to first byte, of the answers, sorted, nanoseconds.
    pub(super) first_byte_ns: Vec<u64>,
    /// From first byte to last.
    pub(super) receive: Sum,
    /// From the intended start to a new connection.
    pub(super) dialup: Sum,
    /// Bytes of the answers.
    pub(super) bytes: u64,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Answers by [`SLOT_NS`] from the stage's start.
    pub(super) ends: Vec<Slot>,
    /// Exchanges by outcome, in the order of [`Outcome::ALL`].
    pub(super) outcomes: [u64; 6],
    /// Answers that came after the stage's end.
    pub(super) late: u64,
    /// Durations of the expected spans of the answers, in the plan's order.
    pub(super) spans: Vec<Sum>,
    /// Service times of all that was sent.
    pub(super) histogram: Histogram<u64>,
}

impl Tally {
    /// Counts one stage; Locust's books, which are of the whole run, are kept in the same pass.
    pub(super) fn of(
        timeline: &Timeline<'_>,
        index: usize,
        stage: &Stage,
        seen: &mut Seen,
    ) -> Tally {
        let start_ns = timeline.stage_start_ns(index).unwrap_or(0);
        let end_ns = start_ns + (stage.duration_seconds * 1e9).round() as u64;
        let mut tally = Tally::empty(timeline, stage);
        for (exchange, spans) in timeline.stage(index) {
            tally.outcomes[exchange.outcome as usize] += 1;
            seen.exchange(index, exchange);
            if exchange.outcome.sent() {
                // Longer than an hour counts as an hour: no plan waits that long.
                tally
                    .histogram
                    .saturating_record(exchange.service_time_ns());
            }
            if exchange.outcome.answered() && exchange.done_ns <= end_ns {
                tally.answer(exchange, start_ns);
                let expected = timeline.expected(exchange);
                // A task with spans of its own has other steps than those that the file has columns for.
                if expected.spans == timeline.plan.traces.spans {
                    tally.spans(&expected.names, spans);
                }
            } else {
                tally.late += u64::from(exchange.outcome.answered());
            }
        }
        tally.service_ns.sort_unstable();
        tally.first_byte_ns.sort_unstable();
        tally
    }

    fn empty(timeline: &Timeline<'_>, stage: &Stage) -> Tally {
        let answers = usize::try_from(stage.exchanges.ok + stage.exchanges.http_error);
        let room = answers.unwrap_or(0);
        Tally {
            seconds: stage.duration_seconds,
            service_ns: Vec::with_capacity(room),
            first_byte_ns: Vec::with_capacity(room),
            receive: Sum::default(),
            dialup: Sum::default(),
            bytes: 0,
            statuses: BTreeMap::new(),
            ends: Vec::new(),
            outcomes: [0; 6],
            late: 0,
            spans: vec![Sum::default(); timeline.plan.traces.spans.len()],
            histogram: histogram(),
        }
    }

    fn answer(&mut self, exchange: &Exchange, start_ns: u64) {
        self.service_ns.push(exchange.service_time_ns());
        let first_byte_ns = exchange.first_byte_ns.saturating_sub(exchange.sent_ns);
        self.first_byte_ns.push(first_byte_ns);
        self.receive
            .add(exchange.done_ns.saturating_sub(exchange.first_byte_ns));
        if exchange.connected_ns != 0 {
            self.dialup
                .add(exchange.connected_ns.saturating_sub(exchange.intended_ns));
        }
        self.bytes += u64::from(exchange.bytes);
        *self.statuses.entry(exchange.status).or_default() += 1;
        let since_ns = exchange.done_ns.saturating_sub(start_ns);
        let slot = usize::try_from(since_ns / SLOT_NS).unwrap_or(0);
        if slot >= self.ends.len() {
            self.ends.resize(slot + 1, Slot::default());
        }
        self.ends[slot].answers += 1;
        self.ends[slot].last_ns = self.ends[slot].last_ns.max(since_ns);
    }

    /// The first span of each expected name: what came again tells nothing new.
    fn spans(&mut self, names: &[Option<u16>], spans: &[Span]) {
        for (sum, name) in self.spans.iter_mut().zip(names) {
            let first = spans.iter().find(|span| Some(span.name) == *name);
            if let Some(span) = first {
                sum.add(span.duration_ns());
            }
        }
    }

    /// Exchanges of that outcome.
    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// That much a second; `None` where the stage never began.
    pub(super) fn per_second(&self, amount: f64) -> Option<f64> {
        (self.seconds > 0.0).then(|| amount / self.seconds)
    }

    /// Answers within the stage.
    pub(super) fn answers(&self) -> u64 {
        self.service_ns.len() as u64
    }
}

/// Three significant digits from a microsecond to an hour.
fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1_000, LONGEST_NS, 3) {
        Ok(histogram) => histogram,
        Err(error) => unreachable!("the bounds are constants: {error}"),
    }
}
