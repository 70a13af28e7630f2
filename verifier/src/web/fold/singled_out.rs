//! Single requests worth a look: the slowest, and the last that failed.

use super::failures::request;
use crate::plan::Plan;
use crate::record::{Exchange, Outcome};
use crate::verdict::page::TraceLine;
use std::collections::VecDeque;

/// So many of each kind.
const MOST: usize = 50;

/// Some requests.
#[derive(Clone, Debug, Default)]
pub(super) struct SingledOut {
    /// The slowest first.
    slowest: Vec<Exchange>,
    /// Only what is slower than this is one of the slowest.
    bar_ns: u64,
    failed: VecDeque<Exchange>,
}

impl SingledOut {
    pub(super) fn take(&mut self, exchange: &Exchange) {
        if exchange.outcome != Outcome::Ok {
            // One that was never sent has no trace to look at.
            if exchange.outcome.sent() {
                self.failed.truncate(MOST - 1);
                self.failed.push_front(*exchange);
            }
        } else if exchange.latency_ns() > self.bar_ns {
            let slower = |other: &Exchange| other.latency_ns() >= exchange.latency_ns();
            let place = self.slowest.partition_point(slower);
            self.slowest.truncate(MOST - 1);
            self.slowest
                .insert(place.min(self.slowest.len()), *exchange);
            if self.slowest.len() == MOST {
                self.bar_ns = self.slowest.last().map_or(0, Exchange::latency_ns);
            }
        }
    }

    pub(super) fn page(&self, plan: &Plan, trace_id: impl Fn(u64) -> String) -> Vec<TraceLine> {
        let slowest = self.slowest.iter().map(|exchange| ("slowest", exchange));
        let failed = self.failed.iter().map(|exchange| ("failed", exchange));
        let line = |(why, exchange): (&str, &Exchange)| TraceLine {
            trace_id: trace_id(exchange.seq),
            why: why.to_owned(),
            stage: { plan.stages.get(usize::from(exchange.stage)) }
                .map_or_else(String::new, |stage| stage.name.clone()),
            name: request(plan, usize::from(exchange.task)).1.to_owned(),
            at_seconds: exchange.intended_ns as f64 / 1e9,
            latency_ms: exchange.latency_ns() as f64 / 1e6,
            outcome: exchange.outcome.name().to_owned(),
            status: (exchange.status != 0).then_some(exchange.status),
        };
        slowest.chain(failed).map(line).collect()
    }
}
