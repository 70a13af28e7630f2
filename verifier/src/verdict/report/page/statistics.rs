//! The tab Statistics: the verdict's figures by stage and task, and what it does not have (sizes, failures per second, the
//! sum over the run) from the same rows.

use super::names::{Names, SUM};
use crate::record::{Exchange, Outcome};
use crate::verdict::align::Timeline;
use crate::verdict::judge::{InTime, distribution};
use crate::verdict::outcome::{Distribution, Exchanges, Stage, Verdict};
use crate::verdict::page::{Statistics, Times};

/// Counts of one task in one stage, or of several.
#[derive(Clone, Copy, Default)]
struct Counts {
    answers: u64,
    bytes: u64,
    /// Answers within the stage's duration.
    answered_in_time: u64,
    /// Of all that ended within it, not ok.
    failed_in_time: u64,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.answers += other.answers;
        self.bytes += other.bytes;
        self.answered_in_time += other.answered_in_time;
        self.failed_in_time += other.failed_in_time;
    }
}

/// A row a task and stage, after them the stage's own where it has several tasks; the sum over the run last.
pub(super) fn rows(timeline: &Timeline<'_>, verdict: &Verdict) -> Vec<Statistics> {
    let names = Names::of(timeline.plan);
    let mut rows = Vec::new();
    let (mut sum, mut seconds) = (Counts::default(), 0.0);
    let mut exchanges = Exchanges::default();
    for (index, stage) in verdict.stages.iter().enumerate() {
        let counts = counts(timeline, index, stage, &names);
        let mut of_stage = Counts::default();
        counts.iter().for_each(|counts| of_stage.add(*counts));
        for (task, figures) in stage.tasks.iter().enumerate() {
            let (method, name) = names.task(task);
            let row = row(&figures.exchanges, counts[task], stage.duration_seconds);
            rows.push(Statistics {
                stage: stage.name.clone(),
                method,
                name,
                latency_ms: times(&figures.latency_ms),
                service_time_ms: times(&figures.service_time_ms),
                requests_per_second: figures.requests_per_second,
                ..row
            });
        }
        let (method, name) = match stage.tasks.is_empty() {
            true => names.task(0),
            false => (String::new(), SUM.to_owned()),
        };
        rows.push(Statistics {
            stage: stage.name.clone(),
            method,
            name,
            latency_ms: times(&stage.latency_ms),
            service_time_ms: times(&stage.service_time_ms),
            requests_per_second: stage.requests_per_second,
            ..row(&stage.exchanges, of_stage, stage.duration_seconds)
        });
        sum.add(of_stage);
        seconds += stage.duration_seconds;
        exchanges.planned += stage.exchanges.planned;
        exchanges.ok += stage.exchanges.ok;
    }
    let (latency, service_time) = of_run(timeline, verdict);
    rows.push(Statistics {
        name: SUM.to_owned(),
        latency_ms: times(&latency),
        service_time_ms: times(&service_time),
        ..row(&exchanges, sum, seconds)
    });
    rows
}

/// By task.
fn counts(timeline: &Timeline<'_>, index: usize, stage: &Stage, names: &Names) -> Vec<Counts> {
    let mut counts = vec![Counts::default(); names.len()];
    let in_time = InTime::of(timeline, index, stage.duration_seconds);
    for exchange in timeline.exchanges(index, None) {
        let counts = &mut counts[names.place(usize::from(exchange.task))];
        let answered = exchange.outcome.answered();
        let in_time = in_time.holds(exchange);
        if answered {
            counts.answers += 1;
            counts.bytes += u64::from(exchange.bytes);
        }
        counts.answered_in_time += u64::from(answered && in_time);
        counts.failed_in_time += u64::from(exchange.outcome != Outcome::Ok && in_time);
    }
    counts
}

fn row(exchanges: &Exchanges, counts: Counts, seconds: f64) -> Statistics {
    let known = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
    Statistics {
        requests: exchanges.planned,
        failures: exchanges.planned - exchanges.ok,
        average_bytes: (counts.answers > 0).then(|| counts.bytes as f64 / counts.answers as f64),
        // None came: as in the verdict, unknown.
        requests_per_second: known(counts.answered_in_time).filter(|rate| *rate > 0.0),
        failures_per_second: known(counts.failed_in_time),
        ..Statistics::default()
    }
}

fn times(d: &Distribution) -> Times {
    Times {
        p50: d.p50,
        p95: d.p95,
        p99: d.p99,
        mean: d.mean,
        min: d.min,
        max: d.max,
    }
}

/// Latency and service time over all stages, in that order. Percentiles do not add up: they are those of all rows.
fn of_run(timeline: &Timeline<'_>, verdict: &Verdict) -> (Distribution, Distribution) {
    let mut with_samples = verdict.stages.iter().filter(|s| s.latency_ms.n > 0);
    if let (Some(only), None) = (with_samples.next(), with_samples.next()) {
        return (only.latency_ms, only.service_time_ms);
    }
    let sent = || {
        let stages = 0..verdict.stages.len();
        let exchanges = stages.flat_map(|stage| timeline.exchanges(stage, None));
        exchanges.filter(|exchange| exchange.outcome.sent())
    };
    let mut ns: Vec<u64> = sent().map(Exchange::latency_ns).collect();
    let latency = distribution(&mut ns);
    ns.clear();
    ns.extend(sent().map(Exchange::service_time_ns));
    (latency, distribution(&mut ns))
}
