//! `pod_failure_report.txt`: what was broken or broke, what it cost, and when all was well again.

use super::words::{
    effect, events, head, known, known_seconds, moment, pods, seconds, section, table,
};
use crate::verdict::cluster::{Cluster, Incident};
use crate::verdict::outcome::Verdict;
use std::fmt::Write;

/// The report.
pub(super) fn text(verdict: &Verdict, cluster: &Cluster) -> String {
    let mut out = String::new();
    head(&mut out, "Pod failure report", verdict, cluster);
    section(&mut out, "Incidents");
    if cluster.incidents.is_empty() {
        let _ = writeln!(
            out,
            "No replica ended while the load ran, but by the scale."
        );
    }
    for incident in &cluster.incidents {
        one(&mut out, incident);
    }
    section(&mut out, "Other faults of the plan");
    let faults = cluster.faults.iter().map(|fault| {
        vec![
            fault.name.clone(),
            fault.action.clone(),
            known_seconds(fault.at_seconds),
            known_seconds(fault.undone_seconds),
            fault.hit.join(", "),
            fault.errors.join("; "),
        ]
    });
    let columns = ["fault", "action", "at", "undone", "hit", "not done"];
    table(&mut out, &columns, faults.collect(), "none");
    section(&mut out, "Troubles");
    if cluster.troubles.is_empty() {
        let _ = writeln!(out, "none");
    }
    for trouble in &cluster.troubles {
        let _ = writeln!(
            out,
            "{} ({} to {}): {}\n  {}",
            trouble.reason,
            seconds(trouble.first_seconds),
            seconds(trouble.last_seconds),
            trouble.pods.join(", "),
            trouble.message.replace('\n', " ")
        );
        if !trouble.meaning.is_empty() {
            let _ = writeln!(out, "  {}", trouble.meaning);
        }
    }
    failures(&mut out, verdict);
    section(&mut out, "Pods");
    pods(&mut out, cluster.pods.iter());
    section(&mut out, "Warnings of the cluster");
    events(&mut out, cluster, |event| {
        event.level == "Warning" || event.reason == "Killing"
    });
    section(&mut out, "Last words");
    if cluster.logs.is_empty() {
        let _ = writeln!(out, "none");
    }
    for log in &cluster.logs {
        let _ = writeln!(out, "{}:", log.pod);
        for line in &log.lines {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

fn one(out: &mut String, incident: &Incident) {
    let what = incident.action.as_deref().unwrap_or("not planned");
    let stage = incident.stage.as_deref().unwrap_or("outside the load");
    let _ = writeln!(
        out,
        "\n{} ({what}), {stage}, at {}",
        incident.name,
        moment(&incident.at)
    );
    let victims = incident.victims.iter().map(|victim| {
        vec![
            victim.name.clone(),
            known_seconds(victim.last_ok_seconds),
            known(victim.endpoint_removed.as_ref()),
            known(victim.gone.as_ref()),
            victim.ended.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    });
    let columns = [
        "ended",
        "last good answer",
        "out of the endpoints",
        "gone",
        "container",
    ];
    table(out, &columns, victims.collect(), "  who ended is not known");
    let replacements = incident.replacements.iter().map(|replacement| {
        let doubt = if replacement.ambiguous {
            " (or of a scale-up that came with it)"
        } else {
            ""
        };
        vec![
            replacement.name.clone(),
            format!("{}{doubt}", replacement.of),
            known(replacement.created.as_ref()),
            known(replacement.ready.as_ref()),
            known(replacement.endpoint.as_ref()),
            known(replacement.first_served.as_ref()),
        ]
    });
    let columns = [
        "came",
        "in place of",
        "created",
        "ready",
        "endpoint",
        "first request served",
    ];
    table(
        out,
        &columns,
        replacements.collect(),
        "  nobody came in its place",
    );
    let errors = incident
        .errors
        .iter()
        .map(|(outcome, count)| format!("{count} {outcome}"));
    let errors: Vec<String> = errors.collect();
    let _ = writeln!(
        out,
        "Requests lost: {} ({}), the first at {}; just before as long: {}",
        incident.requests_lost,
        if errors.is_empty() {
            "none".to_owned()
        } else {
            errors.join(", ")
        },
        known_seconds(incident.first_error_seconds),
        incident.errors_before
    );
    let _ = writeln!(out, "Spans lost: {}", incident.spans_lost);
    let _ = writeln!(
        out,
        "Replaced (ready, by the cluster's objects) after: {}",
        known(incident.replaced_seconds.as_ref())
    );
    let _ = writeln!(
        out,
        "Recovered (serving, thresholds met) after: {}",
        known(incident.recovery_seconds.as_ref())
    );
    let _ = writeln!(out, "{}", effect(&incident.effect));
    for note in &incident.notes {
        let _ = writeln!(out, "Note: {note}");
    }
}

/// Failed requests and error spans with trace ids to look up.
fn failures(out: &mut String, verdict: &Verdict) {
    section(out, "Failed requests, with trace ids");
    let mut rows = Vec::new();
    for stage in &verdict.stages {
        for (outcome, cells) in &stage.error_spans.matrix {
            if outcome.starts_with('2') || outcome.starts_with('3') {
                continue;
            }
            for (status, cell) in cells.iter().filter(|(_, cell)| cell.count > 0) {
                rows.push(vec![
                    stage.name.clone(),
                    outcome.clone(),
                    status.replace('_', " "),
                    cell.count.to_string(),
                    cell.examples.join(" "),
                ]);
            }
        }
    }
    table(
        out,
        &["stage", "outcome", "root span", "count", "trace ids"],
        rows,
        "none",
    );
}
