//! Kinds of failures: by task, outcome and status, with how many there were, since when, until when, and the first few.

use super::super::names::Names;
use super::least::Least;
use crate::record::{Exchange, Outcome};
use crate::verdict::align::Timeline;
use crate::verdict::page::Failure;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Kinds that are shown: a target may make up a status for each answer.
const MOST_KINDS: usize = 500;
/// Exchanges that each kind remembers, the first ones.
const FIRST: usize = 20;

/// Exchanges that failed in the same way.
struct Kind {
    count: u64,
    first_ns: u64,
    last_ns: u64,
    first_sent: Least,
}

/// Those of a run while its rows are looked at, by task, outcome and status.
#[derive(Default)]
pub(super) struct Counting(BTreeMap<(u8, Outcome, u16), Kind>);

impl Counting {
    /// Takes in an exchange that is not ok.
    pub(super) fn add(&mut self, exchange: &Exchange, place: usize) {
        let key = (exchange.task, exchange.outcome, exchange.status);
        let kind = self.0.entry(key).or_insert_with(|| Kind {
            count: 0,
            first_ns: u64::MAX,
            last_ns: 0,
            first_sent: Least::of(FIRST),
        });
        kind.count += 1;
        kind.first_ns = kind.first_ns.min(exchange.done_ns);
        kind.last_ns = kind.last_ns.max(exchange.done_ns);
        if exchange.outcome.sent() {
            kind.first_sent.offer(exchange.done_ns, place);
        }
    }

    /// Most frequent first.
    pub(super) fn sorted(self) -> Kinds {
        let left_out = self.0.len().saturating_sub(MOST_KINDS);
        let kinds = self.0.into_iter();
        let mut kinds: Vec<_> = kinds.map(|(key, kind)| (key, kind.count, kind)).collect();
        kinds.sort_by_key(|(key, count, kind)| (Reverse(*count), kind.first_ns, *key));
        kinds.truncate(MOST_KINDS);
        let kinds = kinds.into_iter().map(|(key, _, kind)| Shown {
            task: usize::from(key.0),
            outcome: key.1,
            status: key.2,
            count: kind.count,
            first_ns: kind.first_ns,
            last_ns: kind.last_ns,
            places: kind.first_sent.places(),
        });
        Kinds {
            shown: kinds.collect(),
            left_out,
        }
    }
}

/// A kind that is shown.
pub(super) struct Shown {
    task: usize,
    outcome: Outcome,
    status: u16,
    pub(super) count: u64,
    first_ns: u64,
    last_ns: u64,
    /// Rows of the first that were sent, in the order in which they ended.
    pub(super) places: Vec<usize>,
}

/// The kinds of a run.
pub(super) struct Kinds {
    pub(super) shown: Vec<Shown>,
    /// Kinds beyond the most.
    pub(super) left_out: usize,
}

impl Kinds {
    /// As the page has them.
    pub(super) fn failures(&self, timeline: &Timeline<'_>, names: &Names) -> Vec<Failure> {
        let failure = |kind: &Shown| {
            let (method, name) = names.task(kind.task);
            let example = kind.places.first().map(|place| timeline.row(*place).0.seq);
            Failure {
                method,
                name,
                outcome: kind.outcome.name().to_owned(),
                status: (kind.status > 0).then_some(kind.status),
                count: kind.count,
                first_seconds: kind.first_ns as f64 / 1e9,
                last_seconds: kind.last_ns as f64 / 1e9,
                example: example.map(|seq| timeline.trace_id(seq)),
            }
        };
        self.shown.iter().map(failure).collect()
    }
}
