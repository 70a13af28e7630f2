//! The rows of the tab Statistics, out of the counts so far.

use super::cells::Cell;
use super::failures::request;
use super::{AGGREGATED, Fold, SECOND_NS};
use crate::verdict::page::Statistics;

impl Fold {
    /// By stage and task, the sum last; `now` is the second that is under way.
    pub(super) fn statistics(&self, now: u64) -> Vec<Statistics> {
        let mut rows = Vec::new();
        let mut sum = Cell::default();
        for begun in &self.stages.begun {
            let Some(stage) = self.plan.stages.get(begun.index) else {
                continue;
            };
            let from = begun.index * self.tasks;
            let cells = self.cells.get(from..).unwrap_or_default();
            let ended = begun.end_ns.map(|ns| {
                let lasted = ns.saturating_sub(begun.start_ns) as f64 / 1e9;
                lasted.min(stage.duration.as_secs_f64())
            });
            let since = begun.start_ns / SECOND_NS;
            let row = |cell: &Cell, method: &str, name: &str| Statistics {
                stage: stage.name.clone(),
                ..statistics(cell, method, name, ended, since, now)
            };
            let mut of_stage = Cell::default();
            for (task, cell) in cells.iter().take(self.tasks).enumerate() {
                let (method, name, _) = request(&self.plan, task);
                rows.push(row(cell, method, name));
                of_stage.merge(cell);
            }
            if self.tasks > 1 {
                rows.push(row(&of_stage, "", AGGREGATED));
            }
            sum.merge(&of_stage);
        }
        let since = self.stages.begun.first().map_or(0, |first| first.start_ns);
        let until = self.stages.begun.last().and_then(|last| last.end_ns);
        let ended = until.map(|until| until.saturating_sub(since) as f64 / 1e9);
        rows.push(statistics(
            &sum,
            "",
            AGGREGATED,
            ended,
            since / SECOND_NS,
            now,
        ));
        rows
    }
}

/// A row; of what has ended, rates are over `ended` seconds.
fn statistics(
    cell: &Cell,
    method: &str,
    name: &str,
    ended: Option<f64>,
    since: u64,
    now: u64,
) -> Statistics {
    let rates = match ended {
        Some(seconds) => (seconds > 0.0)
            .then(|| [cell.in_time, cell.failures].map(|count| count as f64 / seconds)),
        None => cell.present_rates(since, now),
    };
    Statistics {
        stage: String::new(),
        method: method.to_owned(),
        name: name.to_owned(),
        requests: cell.requests,
        failures: cell.failures,
        latency_ms: cell.latency.times(),
        service_time_ms: cell.service.times(),
        average_bytes: (cell.answered > 0).then(|| cell.bytes as f64 / cell.answered as f64),
        requests_per_second: rates.map(|[answered, _]| answered),
        failures_per_second: rates.map(|[_, failed]| failed),
    }
}
