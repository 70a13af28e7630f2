//! Moments that deserve a line on the time axis: from the journal and from the verdict's cluster.

use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::cluster::{Cluster, Gap, Incident, ScalePoint};
use crate::verdict::outcome::Verdict;
use crate::verdict::page::Marker;

/// Lines on one axis; a picture of more is a grey area.
const MOST: usize = 500;

/// In the order of time.
pub(super) fn of(timeline: &Timeline<'_>, verdict: &Verdict) -> Vec<Marker> {
    let mut markers = Vec::new();
    for (index, stage) in verdict.stages.iter().enumerate() {
        if let Some(start_ns) = timeline.stage_start_ns(index) {
            markers.push(marker(start_ns as f64 / 1e9, "stage", stage.name.clone()));
        }
    }
    for entry in &timeline.recorded.journal {
        let at = entry.at_ns as f64 / 1e9;
        match &entry.observation {
            Observation::Interrupted { signal } => {
                markers.push(marker(at, "stop", format!("stopped by {signal}")));
            }
            Observation::RunError { error } => {
                markers.push(marker(at, "stop", format!("the run went wrong: {error}")));
            }
            Observation::TargetExited {
                pid,
                status,
                expected: false,
            } => {
                let label = format!("replica {pid} ended unasked ({status})");
                markers.push(marker(at, "exit", label));
            }
            _ => {}
        }
    }
    if let Some(cluster) = &verdict.cluster {
        of_cluster(cluster, &mut markers);
    }
    markers.sort_by(|a, b| a.at_seconds.total_cmp(&b.at_seconds));
    markers.truncate(MOST);
    markers
}

fn marker(at_seconds: f64, kind: &str, label: String) -> Marker {
    Marker {
        at_seconds,
        kind: kind.to_owned(),
        label,
    }
}

fn of_cluster(cluster: &Cluster, markers: &mut Vec<Marker>) {
    for incident in &cluster.incidents {
        markers.extend(ended(incident));
    }
    for fault in &cluster.faults {
        let label = match fault.hit.as_slice() {
            [] => format!("{} ({})", fault.name, fault.action),
            hit => format!("{} ({}): {}", fault.name, fault.action, hit.join(", ")),
        };
        let done = fault.at_seconds.map(|at| marker(at, "fault", label));
        let undone = fault.undone_seconds;
        let undone = undone.map(|at| marker(at, "fault", format!("{} undone", fault.name)));
        markers.extend(done.into_iter().chain(undone));
    }
    markers.extend(scale(&cluster.scale));
    markers.extend(cluster.gaps.iter().map(|gap: &Gap| {
        let until = gap.to_seconds.map_or_else(
            || "to the end".to_owned(),
            |to| format!("for {:.1} s", to - gap.from_seconds),
        );
        let label = format!("{} not seen {until}: {}", gap.of, gap.error);
        marker(gap.from_seconds, "gap", label)
    }));
}

/// What was broken, or broke by itself, and the end of each replica by it.
fn ended(incident: &Incident) -> impl Iterator<Item = Marker> {
    let kind = match &incident.action {
        Some(_) => "fault",
        None => "exit",
    };
    let what = match &incident.action {
        Some(action) => format!("{} ({action})", incident.name),
        None => incident.name.clone(),
    };
    let victims: Vec<&str> = incident.victims.iter().map(|v| v.name.as_str()).collect();
    let label = match victims.as_slice() {
        [] => what,
        victims => format!("{what}: {}", victims.join(", ")),
    };
    let begun = marker(incident.at.earliest_seconds, kind, label);
    let gone = incident.victims.iter().filter_map(|victim| {
        let gone = victim.gone.as_ref().filter(|_| incident.action.is_some())?;
        let label = format!("{} has ended", victim.name);
        Some(marker(gone.latest_seconds, "exit", label))
    });
    std::iter::once(begun).chain(gone)
}

/// Each change of the replicas that are asked for.
fn scale(points: &[ScalePoint]) -> Vec<Marker> {
    let asked = points
        .iter()
        .filter_map(|point| Some((point.at_seconds, point.desired?)));
    let asked: Vec<(f64, u32)> = asked.collect();
    let changes = asked.windows(2).filter(|pair| pair[0].1 != pair[1].1);
    let markers = changes.map(|pair| {
        let label = format!("replicas {} → {}", pair[0].1, pair[1].1);
        marker(pair[1].0, "scale", label)
    });
    markers.collect()
}
