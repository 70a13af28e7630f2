//! Checks on the cluster's part: thresholds on scale-ups and recoveries, faults that were planned and not done.

use crate::plan::{Metric, Plan, Threshold};
use crate::verdict::cluster::{Cluster, Incident};
use crate::verdict::outcome::{Check, Judgement};
use std::collections::BTreeMap;

/// Every planned fault was done.
pub(crate) fn checks(plan: &Plan, cluster: Option<&Cluster>) -> Vec<Check> {
    let thresholds = plan.thresholds.iter().filter(|t| t.metric.is_of_cluster());
    let mut checks: Vec<Check> = thresholds.map(|t| threshold(t, cluster)).collect();
    if plan.faults.is_empty() {
        return checks;
    }
    let not_done: Vec<String> = cluster.map_or_else(Vec::new, |cluster| {
        let idle = cluster
            .faults
            .iter()
            .filter(|fault| fault.at_seconds.is_none());
        idle.map(|fault| format!("{} was not done: {}", fault.name, fault.errors.join("; ")))
            .collect()
    });
    let done = plan.faults.len() - not_done.len().min(plan.faults.len());
    let mut evidence = vec![format!(
        "{done} of {} planned faults were done",
        plan.faults.len()
    )];
    evidence.extend(not_done);
    checks.push(Check {
        name: "faults_done".to_owned(),
        stage: None,
        outcome: match done == plan.faults.len() {
            true => Judgement::Pass,
            false => Judgement::Unknown,
        },
        value: Some(done as f64),
        limit: Some(plan.faults.len().to_string()),
        evidence,
    });
    checks
}

/// `scale_up<90s`, `recovery<60s`: held against the longest; one that never ended fails, none at all is no evidence.
pub(crate) fn threshold(threshold: &Threshold, cluster: Option<&Cluster>) -> Check {
    let figures = cluster.map_or_else(Vec::new, |cluster| figures(threshold, cluster));
    let longest = figures
        .iter()
        .filter_map(|(_, seconds)| *seconds)
        .max_by(f64::total_cmp);
    let unended = figures.iter().any(|(_, seconds)| seconds.is_none());
    let value = longest.map(|seconds| seconds * 1e3);
    let outcome = match value {
        _ if figures.is_empty() => Judgement::Unknown,
        Some(value) if !threshold.operator.holds(value, threshold.limit) => Judgement::Fail,
        _ if unended => Judgement::Fail,
        Some(_) => Judgement::Pass,
        None => Judgement::Unknown,
    };
    let evidence = figures.iter().map(|(what, seconds)| match seconds {
        Some(seconds) => format!("{what}: {seconds:.1} s"),
        None => format!("{what}: it did not come to its end"),
    });
    let mut evidence: Vec<String> = evidence.collect();
    if evidence.is_empty() {
        evidence.push("there was none".to_owned());
    }
    Check {
        name: threshold.text.clone(),
        stage: threshold.stage.clone(),
        outcome,
        value,
        limit: Some(threshold.limit_text()),
        evidence,
    }
}

/// What the threshold speaks of, and the upper bound of its length in seconds.
fn figures(threshold: &Threshold, cluster: &Cluster) -> Vec<(String, Option<f64>)> {
    let here = |stage: &Option<String>| threshold.stage.is_none() || *stage == threshold.stage;
    match threshold.metric {
        Metric::ScaleUp => {
            let ups = cluster
                .scale_ups
                .iter()
                .filter(|up| up.stage.is_some() && here(&up.stage));
            let ups = ups.map(|up| {
                (
                    format!("{} -> {} by {}", up.from, up.to, up.cause),
                    up.seconds,
                )
            });
            ups.map(|(what, seconds)| (what, seconds.map(|s| s.latest_seconds)))
                .collect()
        }
        _ => {
            let incidents = cluster
                .incidents
                .iter()
                .filter(|incident| here(&incident.stage));
            let of = |incident: &Incident| incident.recovery_seconds.map(|s| s.latest_seconds);
            incidents
                .map(|incident| (incident.name.clone(), of(incident)))
                .collect()
        }
    }
}

/// What of the cluster deserves a look, in sentences.
pub(crate) fn warnings(cluster: &Cluster) -> Vec<String> {
    let mut warnings = Vec::new();
    for ((from, to, error), of) in gaps(cluster) {
        warnings.push(format!(
            "{} could not be seen from {from} s to {to}: {error}",
            of.join(", ")
        ));
    }
    for trouble in &cluster.troubles {
        let whom = match trouble.pods.as_slice() {
            [] => String::new(),
            [one] => format!(", {one}"),
            [one, more @ ..] => format!(", {one} and {} more", more.len()),
        };
        let meaning = if trouble.meaning.is_empty() {
            &trouble.message
        } else {
            &trouble.meaning
        };
        warnings.push(format!("{}{whom}: {meaning}", trouble.reason));
    }
    for incident in cluster
        .incidents
        .iter()
        .filter(|incident| incident.action.is_none())
    {
        let whom = incident
            .victims
            .first()
            .map_or("", |victim| victim.name.as_str());
        warnings.push(format!(
            "unplanned at {:.1} s: {whom} ended ({}), {} requests lost",
            incident.at.earliest_seconds, incident.name, incident.requests_lost
        ));
    }
    if let Some(hpa) = cluster
        .hpa
        .as_ref()
        .filter(|hpa| hpa.at_maximum_seconds > 0.0)
    {
        warnings.push(format!(
            "{} wanted its maximum of {} replicas for {:.0} s: what was measured then is the capacity of those",
            hpa.name, hpa.max, hpa.at_maximum_seconds
        ));
    }
    warnings
}

/// Gaps that are one: kinds by from when, to when and why.
fn gaps(cluster: &Cluster) -> BTreeMap<(u64, String, &str), Vec<&str>> {
    let mut gaps: BTreeMap<(u64, String, &str), Vec<&str>> = BTreeMap::new();
    for gap in &cluster.gaps {
        let to = gap.to_seconds;
        let to = to.map_or_else(|| "the end".to_owned(), |to| format!("{to:.0} s"));
        let key = (gap.from_seconds.round() as u64, to, gap.error.as_str());
        gaps.entry(key).or_default().push(&gap.of);
    }
    gaps
}
