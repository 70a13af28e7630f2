//! `success_operations_report.txt`: what went well, from the same books: predictions, traces, probes, rescales, rollouts.

use super::words::{events, head, pods, seconds, section, table};
use crate::verdict::cluster::Cluster;
use crate::verdict::outcome::{Judgement, Verdict};
use std::fmt::Write;

/// The report.
pub(super) fn text(verdict: &Verdict, cluster: &Cluster) -> String {
    let mut out = String::new();
    head(&mut out, "Success operations report", verdict, cluster);
    section(&mut out, "Predictions");
    let rows = verdict.stages.iter().map(|stage| {
        let e = &stage.exchanges;
        vec![
            stage.name.clone(),
            e.planned.to_string(),
            e.ok.to_string(),
            (e.planned - e.ok).to_string(),
            stage.traces.complete.to_string(),
            stage.traces.expected.to_string(),
        ]
    });
    let columns = [
        "stage",
        "planned",
        "completed",
        "failed",
        "traces complete",
        "traces due",
    ];
    table(&mut out, &columns, rows.collect(), "no stage");
    let done = &cluster.operations;
    let _ = writeln!(
        out,
        "In all: {} of {} predictions completed, {} of {} traces complete",
        done.completed, done.planned, done.traces_complete, done.traces_due
    );
    section(&mut out, "Operations of the cluster");
    operations(&mut out, cluster);
    section(&mut out, "Pods");
    let alive = cluster.pods.iter().filter(|pod| pod.gone.is_none());
    pods(&mut out, alive);
    section(&mut out, "Checks that hold");
    for check in verdict
        .checks
        .iter()
        .filter(|check| check.outcome == Judgement::Pass)
    {
        let stage = check
            .stage
            .as_deref()
            .map_or_else(String::new, |stage| format!(" ({stage})"));
        let _ = writeln!(out, "{}{stage}: {}", check.name, check.evidence.join("; "));
    }
    section(&mut out, "Events that are no warning");
    events(&mut out, cluster, |event| event.level == "Normal");
    out
}

fn operations(out: &mut String, cluster: &Cluster) {
    let done = &cluster.operations;
    let _ = writeln!(out, "Rescales by the HPA:              {}", done.rescales);
    let _ = writeln!(out, "Rollouts:                         {}", done.rollouts);
    let _ = writeln!(
        out,
        "Pods seen, and ready at any time: {}, {}",
        done.pods, done.pods_ready
    );
    let _ = writeln!(
        out,
        "Probes that failed (Unhealthy):   {}",
        done.probes_failed
    );
    let _ = writeln!(
        out,
        "Incidents, recovered, not felt:   {}, {}, {}",
        done.incidents, done.incidents_recovered, done.incidents_unfelt
    );
    for incident in &cluster.incidents {
        if let Some(recovery) = &incident.recovery_seconds {
            let _ = writeln!(
                out,
                "  {}: recovered within {}",
                incident.name,
                seconds(recovery.latest_seconds)
            );
        }
    }
    let reasons = cluster
        .events
        .iter()
        .map(|(reason, count)| vec![reason.clone(), count.to_string()]);
    table(
        out,
        &["event", "how often"],
        reasons.collect(),
        "no event was seen",
    );
}
