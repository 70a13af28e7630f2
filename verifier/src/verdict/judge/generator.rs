//! The load generator's own health: a starved generator makes a stage invalid, not slow.

use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Generator, LoadWorker};

/// Each of the stage's workers, and the worst of them.
pub(super) fn health(timeline: &Timeline<'_>, index: usize) -> Generator {
    let mut health = Generator::default();
    for observation in timeline.observations() {
        let Observation::Worker {
            stage,
            worker,
            planned,
            opened,
            wall_ns,
            cpu_ns,
            lag_p50_ns,
            lag_p99_ns,
            lag_max_ns,
            turn_ns,
            ..
        } = observation
        else {
            continue;
        };
        if usize::from(*stage) != index {
            continue;
        }
        let worker = LoadWorker {
            worker: *worker,
            planned: *planned,
            opened: u64::from(*opened),
            lag_p50_ms: *lag_p50_ns as f64 / 1e6,
            lag_p99_ms: *lag_p99_ns as f64 / 1e6,
            lag_max_ms: *lag_max_ns as f64 / 1e6,
            turn_ms: *turn_ns as f64 / 1e6,
            cpu: *cpu_ns as f64 / (*wall_ns).max(1) as f64,
        };
        let worst = |so_far: Option<f64>, value: f64| Some(so_far.unwrap_or(0.0).max(value));
        health.opened = Some(health.opened.unwrap_or(0) + worker.opened);
        health.lag_p99_ms = worst(health.lag_p99_ms, worker.lag_p99_ms);
        health.lag_max_ms = worst(health.lag_max_ms, worker.lag_max_ms);
        health.turn_ms = worst(health.turn_ms, worker.turn_ms);
        health.cpu = worst(health.cpu, worker.cpu);
        health.workers.push(worker);
    }
    // Workers finish in any order.
    health.workers.sort_by_key(|worker| worker.worker);
    if let (Some(lag_p99_ms), Some(cpu)) = (health.lag_p99_ms, health.cpu) {
        let bounds = &timeline.plan.generator;
        health.healthy =
            Some(lag_p99_ms <= bounds.max_lag_p99.as_secs_f64() * 1e3 && cpu <= bounds.max_cpu);
    }
    health
}
