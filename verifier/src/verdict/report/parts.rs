//! The parts of a stage (tasks, replicas, load workers) as tables of text, for any report to set.

use super::{duration, grouped, known, percent};
use crate::verdict::cluster::{Cluster, Incident, Moment, ScaleUp};
use crate::verdict::outcome::{
    Collector, Generator, Probe, Replica, Saturation, ShardFigures, Stage, TaskFigures,
    TraceSource, Verdict,
};

/// A table; its first column holds names, all others figures.
pub(super) struct Table {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// The tables that the stage has something for.
pub(super) fn tables(stage: &Stage) -> Vec<Table> {
    let mut tables = Vec::new();
    if !stage.tasks.is_empty() {
        tables.push(tasks(&stage.tasks));
    }
    // One replica serves everything; that needs no table.
    if stage.replicas.len() > 1 {
        tables.push(replicas(&stage.replicas));
    }
    if !stage.generator.workers.is_empty() {
        tables.push(workers(&stage.generator));
    }
    tables
}

fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn tasks(tasks: &[TaskFigures]) -> Table {
    let row = |task: &TaskFigures| {
        let latency = &task.latency_ms;
        let coverage = (task.traces_expected > 0)
            .then(|| task.traces_complete as f64 / task.traces_expected as f64);
        vec![
            task.name.clone(),
            grouped(task.exchanges.planned),
            grouped(task.exchanges.planned - task.exchanges.ok),
            per_second(task.requests_per_second),
            known(latency.p50),
            known(latency.p99),
            known(latency.max),
            percent(coverage),
        ]
    };
    Table {
        head: head(&[
            "task", "planned", "failed", "req/s", "p50", "p99", "max", "coverage",
        ]),
        rows: tasks.iter().map(row).collect(),
    }
}

fn replicas(replicas: &[Replica]) -> Table {
    let whole = |share: Option<f64>| {
        share.map_or_else(|| "–".to_owned(), |share| format!("{:.0}", share * 100.0))
    };
    let row = |replica: &Replica| {
        let note = match (replica.starved, replica.ready) {
            (true, _) => " (starved)",
            (false, true) => "",
            (false, false) => " (not ready all the second half)",
        };
        let mut row = vec![
            format!("{}{note}", replica.source),
            grouped(replica.requests),
            whole(replica.share),
        ];
        row.extend(replica.share_by_tenth.iter().map(|share| whole(*share)));
        row
    };
    let tenths = (1..=replicas[0].share_by_tenth.len()).map(|tenth| format!("{tenth}/10"));
    Table {
        head: head(&["replica", "requests", "share in %"])
            .into_iter()
            .chain(tenths)
            .collect(),
        rows: replicas.iter().map(row).collect(),
    }
}

/// The probes of a search.
pub(super) fn probes(saturation: &Saturation) -> Table {
    let row = |probe: &Probe| {
        let meets = match probe.meets {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let reason = probe.reasons.first().cloned().unwrap_or_default();
        vec![
            probe.stage.clone(),
            grouped(probe.rate as u64),
            meets.to_owned(),
            reason,
        ]
    };
    Table {
        head: head(&[
            "probe",
            "req/s asked for",
            "meets the thresholds",
            "why not",
        ]),
        rows: saturation.probes.iter().map(row).collect(),
    }
}

fn workers(generator: &Generator) -> Table {
    let rows = generator.workers.iter().map(|worker| {
        vec![
            format!("load-{}", worker.worker),
            grouped(worker.planned),
            grouped(worker.opened),
            duration(worker.lag_p50_ms),
            duration(worker.lag_p99_ms),
            duration(worker.lag_max_ms),
            format!("{:.0} %", worker.cpu * 100.0),
        ]
    });
    Table {
        head: head(&[
            "load worker",
            "planned",
            "opened",
            "lag p50",
            "lag p99",
            "lag max",
            "CPU",
        ]),
        rows: rows.collect(),
    }
}

/// The shards, where there were several; and the way of the traces: sources, where there are several, and the
/// collector's exporters.
pub(super) fn way(verdict: &Verdict) -> Vec<Table> {
    let mut tables = Vec::new();
    if !verdict.shards.is_empty() {
        tables.push(shards(&verdict.shards));
    }
    if verdict.sources.len() > 1 {
        tables.push(sources(&verdict.sources));
    }
    tables.extend(verdict.collector.as_ref().map(collector));
    tables
}

fn shards(shards: &[ShardFigures]) -> Table {
    let row = |shard: &ShardFigures| {
        let clock = match (shard.clock_least_ms, shard.clock_greatest_ms) {
            (Some(least), Some(greatest)) => format!("{least:.3} to {greatest:.3} ms"),
            _ => "n/a".to_owned(),
        };
        let last = shard.first_worker + shard.workers.saturating_sub(1);
        vec![
            format!("{} ({}, {})", shard.index, shard.run, shard.host),
            format!("load-{} to {last}", shard.first_worker),
            grouped(shard.planned),
            grouped(shard.spans),
            clock,
        ]
    };
    Table {
        head: head(&[
            "shard",
            "load workers",
            "planned",
            "spans received",
            "clock ahead of the first",
        ]),
        rows: shards.iter().map(row).collect(),
    }
}

fn sources(sources: &[TraceSource]) -> Table {
    let row = |source: &TraceSource| {
        let coverage =
            (source.expected > 0).then(|| source.complete as f64 / source.expected as f64);
        vec![
            format!("{} ({})", source.name, source.place),
            grouped(source.expected),
            grouped(source.complete),
            percent(coverage),
            grouped(source.receiver.spans),
            grouped(source.duplicate),
            grouped(source.spans_missing),
        ]
    };
    Table {
        head: head(&[
            "source of traces",
            "traces due",
            "complete",
            "coverage",
            "spans",
            "duplicate",
            "missing",
        ]),
        rows: sources.iter().map(row).collect(),
    }
}

fn collector(collector: &Collector) -> Table {
    let restarts = match collector.restarts {
        0 => String::new(),
        restarts => format!(", {restarts} restarts"),
    };
    let took = format!("collector ({}{restarts})", collector.place);
    let mut rows = vec![vec![
        took,
        grouped(collector.accepted),
        String::new(),
        grouped(collector.refused + collector.failed),
        String::new(),
    ]];
    rows.extend(collector.exporters.iter().map(|(name, exporter)| {
        vec![
            format!("  {name}"),
            String::new(),
            grouped(exporter.sent),
            grouped(exporter.send_failed + exporter.enqueue_failed),
            grouped(exporter.queue),
        ]
    }));
    Table {
        head: head(&[
            "spans in the collector",
            "accepted",
            "sent",
            "refused or given up",
            "in queue",
        ]),
        rows,
    }
}

/// Requests per second for a person.
pub(super) fn per_second(rate: Option<f64>) -> String {
    rate.map_or_else(|| "n/a".to_owned(), |rate| grouped(rate as u64))
}

/// What a stage achieved, and in an open loop what was asked of it.
pub(super) fn achieved(stage: &Stage) -> String {
    match stage.requested_per_second {
        None => per_second(stage.requests_per_second),
        Some(requested) => format!(
            "{} of {}",
            per_second(stage.requests_per_second),
            grouped(requested.round() as u64)
        ),
    }
}

/// The waterfall of each scale-up, the incidents, the pods.
pub(super) fn of_cluster(cluster: &Cluster) -> Vec<Table> {
    let mut tables: Vec<Table> = cluster.scale_ups.iter().map(scale_up).collect();
    if !cluster.incidents.is_empty() {
        tables.push(incidents(&cluster.incidents));
    }
    tables
}

/// `12.3 s`, or the two bounds of what is not known better.
fn at(moment: Option<&Moment>) -> String {
    let Some(moment) = moment else {
        return "–".to_owned();
    };
    let (from, to) = (moment.earliest_seconds, moment.latest_seconds);
    match to - from < 0.05 {
        true => format!("{to:.1} s"),
        false => format!("{from:.1} to {to:.1} s"),
    }
}

fn scale_up(up: &ScaleUp) -> Table {
    let title = format!("replicas {} → {} by {}", up.from, up.to, up.cause);
    let row = |step: &crate::verdict::cluster::Step| {
        vec![
            step.name.replace('_', " "),
            at(step.at.as_ref()),
            step.evidence.clone(),
        ]
    };
    let mut rows: Vec<Vec<String>> = up.steps.iter().map(row).collect();
    rows.push(vec![
        "load step to last pod serving".to_owned(),
        at(up.seconds.as_ref()),
        up.effect.evidence.clone(),
    ]);
    Table {
        head: head(&[&title, "when", "seen"]),
        rows,
    }
}

fn incidents(incidents: &[Incident]) -> Table {
    let row = |incident: &Incident| {
        let victims = match incident.victims.as_slice() {
            [] => "–".to_owned(),
            [one] => one.name.clone(),
            [one, more @ ..] => format!("{} and {} more", one.name, more.len()),
        };
        vec![
            incident.name.clone(),
            at(Some(&incident.at)),
            victims,
            grouped(incident.requests_lost),
            grouped(incident.spans_lost),
            at(incident.replaced_seconds.as_ref()),
            at(incident.recovery_seconds.as_ref()),
            incident.effect.seen.replace('_', " "),
        ]
    };
    Table {
        head: head(&[
            "incident",
            "at",
            "ended",
            "requests lost",
            "spans lost",
            "replaced after",
            "recovered after",
            "felt",
        ]),
        rows: incidents.iter().map(row).collect(),
    }
}
