//! What went wrong, by kind: how often, when, and one to look at.

use crate::plan::{Plan, Task};
use crate::record::{Exchange, Outcome};
use crate::verdict::page::Failure;
use std::collections::BTreeMap;

/// Kinds that are told apart; a target that makes up statuses gets no more.
const MOST_KINDS: usize = 1000;

/// Exchanges that failed in the same way.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Kind {
    pub(in super::super) count: u64,
    pub(in super::super) first_ns: u64,
    pub(in super::super) last_ns: u64,
    /// When the first of them that was sent was sent, and its number.
    example: Option<(u64, u64)>,
}

/// By stage, task, outcome and status.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Failures {
    pub(in super::super) kinds: BTreeMap<(u16, u8, Outcome, u16), Kind>,
}

impl Failures {
    pub(super) fn take(&mut self, exchange: &Exchange) {
        let key = (
            exchange.stage,
            exchange.task,
            exchange.outcome,
            exchange.status,
        );
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&key) {
            return;
        }
        let kind = self.kinds.entry(key).or_insert(Kind {
            count: 0,
            first_ns: u64::MAX,
            last_ns: 0,
            example: None,
        });
        kind.count += 1;
        kind.first_ns = kind.first_ns.min(exchange.done_ns);
        kind.last_ns = kind.last_ns.max(exchange.done_ns);
        if exchange.outcome.sent() {
            let sent = (exchange.sent_ns, exchange.seq);
            kind.example = Some(kind.example.map_or(sent, |known| known.min(sent)));
        }
    }

    /// As the page has them, over all stages, the most frequent first.
    pub(super) fn page(&self, plan: &Plan, trace_id: impl Fn(u64) -> String) -> Vec<Failure> {
        let mut sums: BTreeMap<(u8, Outcome, u16), Kind> = BTreeMap::new();
        for ((_, task, outcome, status), kind) in &self.kinds {
            let sum = sums.entry((*task, *outcome, *status));
            sum.and_modify(|sum| sum.merge(kind)).or_insert(*kind);
        }
        let failures = sums.into_iter().map(|((task, outcome, status), kind)| {
            let (method, name, _) = request(plan, usize::from(task));
            Failure {
                method: method.to_owned(),
                name: name.to_owned(),
                outcome: outcome.name().to_owned(),
                status: (status != 0).then_some(status),
                count: kind.count,
                first_seconds: kind.first_ns as f64 / 1e9,
                last_seconds: kind.last_ns as f64 / 1e9,
                example: kind.example.map(|(_, seq)| trace_id(seq)),
            }
        });
        let mut failures: Vec<Failure> = failures.collect();
        failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
        failures
    }
}

impl Kind {
    fn merge(&mut self, other: &Kind) {
        self.count += other.count;
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.example = [self.example, other.example].into_iter().flatten().min();
    }
}

/// Method, name and path of a task: the name is the path where the plan has no tasks.
pub(in super::super) fn request(plan: &Plan, task: usize) -> (&str, &str, &str) {
    match plan.tasks.get(task) {
        Some(Task {
            method, name, path, ..
        }) => (method, name, path),
        None => {
            let request = &plan.request;
            (&request.method, &request.path, &request.path)
        }
    }
}
