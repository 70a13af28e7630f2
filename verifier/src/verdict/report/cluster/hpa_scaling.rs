//! `hpa_scaling_report.txt`: the autoscaler, the scale over time, and how long each scale-up took to reach a user.

use super::words::{effect, events, head, known, moment, pods, seconds, section, table};
use crate::verdict::cluster::{Cluster, ScalePoint, ScaleUp, Why};
use crate::verdict::outcome::Verdict;
use std::fmt::Write;

/// The report.
pub(super) fn text(verdict: &Verdict, cluster: &Cluster) -> String {
    let mut out = String::new();
    head(&mut out, "HPA scaling report", verdict, cluster);
    autoscaler(&mut out, cluster);
    section(&mut out, "Scale-ups");
    if cluster.scale_ups.is_empty() {
        let _ = writeln!(out, "The scale was not raised.");
    }
    for up in &cluster.scale_ups {
        waterfall(&mut out, up);
    }
    section(&mut out, "Load");
    load(&mut out, verdict);
    section(&mut out, "Scale over time");
    scale(&mut out, &cluster.scale);
    section(&mut out, "Pods");
    pods(&mut out, cluster.pods.iter());
    section(&mut out, "Share of the load per pod");
    shares(&mut out, verdict);
    section(&mut out, "Nodes");
    let nodes = cluster.nodes.iter().map(|node| {
        let state = match (node.ready, node.unschedulable) {
            (true, false) => "ready",
            (true, true) => "ready, cordoned",
            (false, _) => "not ready",
        };
        vec![
            node.name.clone(),
            state.to_owned(),
            node.allocatable_cpu_milli.to_string(),
            node.version.clone(),
        ]
    });
    table(
        &mut out,
        &["node", "state", "CPU for pods (m)", "kubelet"],
        nodes.collect(),
        "not seen",
    );
    section(&mut out, "Events of the autoscaler and the Deployment");
    events(&mut out, cluster, |event| {
        ["HorizontalPodAutoscaler", "Deployment", "ReplicaSet"]
            .iter()
            .any(|kind| event.object.starts_with(kind))
    });
    out
}

fn autoscaler(out: &mut String, cluster: &Cluster) {
    section(out, "Autoscaler");
    match &cluster.hpa {
        None => {
            let _ = writeln!(out, "No HPA was seen: the scale is what somebody set.");
        }
        Some(hpa) => {
            let percent = |value: Option<i64>| {
                value.map_or_else(|| "unknown".to_owned(), |value| format!("{value} %"))
            };
            let _ = writeln!(out, "Name:             {}", hpa.name);
            let _ = writeln!(out, "Replicas:         min {}, max {}", hpa.min, hpa.max);
            let _ = writeln!(
                out,
                "CPU target:       {} of the requests",
                percent(hpa.target_cpu_percent)
            );
            let _ = writeln!(out, "CPU most seen:    {}", percent(hpa.cpu_percent_most));
            let _ = writeln!(
                out,
                "Desired:          {} to {}",
                hpa.desired_least, hpa.desired_most
            );
            let _ = writeln!(out, "Rescales:         {}", hpa.rescales);
            let _ = writeln!(out, "At its maximum:   {}", seconds(hpa.at_maximum_seconds));
            for condition in &hpa.conditions {
                let _ = writeln!(out, "Condition:        {condition}");
            }
        }
    }
    if let Some(deployment) = &cluster.deployment {
        let milli = |value: Option<u64>| {
            value.map_or_else(|| "none".to_owned(), |value| format!("{value}m"))
        };
        let _ = writeln!(out, "Deployment:       {}", deployment.name);
        let _ = writeln!(out, "Images:           {}", deployment.images.join(", "));
        let _ = writeln!(
            out,
            "CPU:              request {}, limit {}",
            milli(deployment.cpu_request_milli),
            milli(deployment.cpu_limit_milli)
        );
        let _ = writeln!(
            out,
            "Replicas asked:   {} at first, {} at last; ready under load: {} to {}",
            deployment.replicas_first,
            deployment.replicas_last,
            deployment.ready_least,
            deployment.ready_most
        );
    }
}

fn waterfall(out: &mut String, up: &ScaleUp) {
    let stage = up.stage.as_deref().map_or_else(
        || "outside the load".to_owned(),
        |stage| format!("stage {stage}"),
    );
    let _ = writeln!(
        out,
        "\nReplicas {} -> {} by {}, {stage}",
        up.from, up.to, up.cause
    );
    let steps = up.steps.iter().map(|step| {
        vec![
            step.name.replace('_', " "),
            known(step.at.as_ref()),
            step.evidence.clone(),
        ]
    });
    table(
        out,
        &["step", "at", "seen"],
        steps.collect(),
        "no step was seen",
    );
    match &up.seconds {
        Some(length) => {
            let _ = writeln!(
                out,
                "From the load's step until the last of its pods served: {}",
                moment(length)
            );
        }
        None => {
            let _ = writeln!(
                out,
                "From the load's step until the last of its pods served: cannot tell, not each of them did"
            );
        }
    }
    let _ = writeln!(out, "{}", effect(&up.effect));
}

fn load(out: &mut String, verdict: &Verdict) {
    let rows = verdict.stages.iter().map(|stage| {
        let ms = |value: Option<f64>| {
            value.map_or_else(|| "n/a".to_owned(), |value| format!("{value:.3}"))
        };
        vec![
            stage.name.clone(),
            format!("{} {}", stage.size, stage.kind),
            format!("{:.3}", stage.duration_seconds),
            ms(stage.requests_per_second),
            ms(stage.latency_ms.p50),
            ms(stage.latency_ms.p99),
            (stage.exchanges.planned - stage.exchanges.ok).to_string(),
        ]
    });
    let head = [
        "stage", "load", "seconds", "req/s", "p50 (ms)", "p99 (ms)", "failed",
    ];
    table(out, &head, rows.collect(), "no stage");
}

/// At most so many points, the extremes of what lies between them being in `verdict.json`.
const POINTS: usize = 400;

fn scale(out: &mut String, points: &[ScalePoint]) {
    let count =
        |value: Option<u32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let rows = points.iter().take(POINTS).map(|point| {
        vec![
            seconds(point.at_seconds),
            count(point.hpa_desired),
            count(point.desired),
            point.ready.to_string(),
            point.endpoints.to_string(),
            point
                .cpu_percent
                .map_or_else(|| "-".to_owned(), |percent| percent.to_string()),
        ]
    });
    let head = [
        "at",
        "HPA wants",
        "asked for",
        "ready",
        "endpoints",
        "CPU (%)",
    ];
    table(out, &head, rows.collect(), "not seen");
    if points.len() > POINTS {
        let _ = writeln!(out, "... further changes are in verdict.json");
    }
}

fn shares(out: &mut String, verdict: &Verdict) {
    let mut rows = Vec::new();
    for stage in &verdict.stages {
        for replica in &stage.replicas {
            let share = replica
                .share
                .map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0));
            let starved = if replica.starved { "starved" } else { "" };
            rows.push(vec![
                stage.name.clone(),
                replica.source.clone(),
                replica.requests.to_string(),
                share,
                starved.to_owned(),
            ]);
        }
    }
    table(
        out,
        &["stage", "pod", "requests", "share", ""],
        rows,
        "no root span named its pod",
    );
    let up = cluster_pods_that_served_nothing(verdict);
    if !up.is_empty() {
        let _ = writeln!(out, "Ready, and served nothing: {}", up.join(", "));
    }
}

fn cluster_pods_that_served_nothing(verdict: &Verdict) -> Vec<String> {
    let pods = verdict.cluster.iter().flat_map(|cluster| &cluster.pods);
    let idle =
        pods.filter(|pod| pod.ready.is_some() && pod.requests == 0 && pod.why != Why::AtStart);
    idle.map(|pod| pod.name.clone()).collect()
}
