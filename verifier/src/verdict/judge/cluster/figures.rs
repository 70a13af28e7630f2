//! The plain figures: Deployment, HPA, scale over time, pods.

use super::{Seen, moment};
use crate::record::Observation;
use crate::record::cluster::{Condition, Terminated};
use crate::verdict::cluster::{Deployment, Hpa, Node, Pod, ScalePoint, Usage};
use std::collections::{BTreeMap, BTreeSet};

/// How a container ended, in words.
pub(super) fn ended(how: &Terminated) -> String {
    format!("{}, exit code {}", how.reason, how.exit_code)
}

pub(super) fn deployment(seen: &Seen<'_>) -> Option<Deployment> {
    let states = &seen.cluster.deployment;
    let ((_, first), (_, last)) = (states.first()?, states.last()?);
    let (from_ns, to_ns) = seen.load();
    let points = scale(seen);
    let at = |at_ns: u64| at_ns as f64 / 1e9;
    let begin = points
        .iter()
        .rposition(|point| point.at_seconds <= at(from_ns))
        .unwrap_or(0);
    let under_load = points[begin.min(points.len())..]
        .iter()
        .filter(|point| point.at_seconds <= at(to_ns));
    let ready: Vec<u32> = under_load.map(|point| point.ready).collect();
    let revisions: BTreeSet<&str> = states
        .iter()
        .map(|(_, state)| state.revision.as_str())
        .collect();
    Some(Deployment {
        name: last.name.clone(),
        images: last.images.clone(),
        cpu_request_milli: last.cpu_request_milli,
        cpu_limit_milli: last.cpu_limit_milli,
        replicas_first: first.desired,
        replicas_last: last.desired,
        ready_least: ready.iter().min().copied().unwrap_or(0),
        ready_most: ready.iter().max().copied().unwrap_or(0),
        rollouts: revisions.len().saturating_sub(1) as u64,
    })
}

pub(super) fn hpa(seen: &Seen<'_>) -> Option<Hpa> {
    let states = &seen.cluster.hpa;
    let (_, last) = states.last()?;
    let desired = || states.iter().map(|(_, hpa)| hpa.desired);
    let mut conditions: Vec<String> = Vec::new();
    let wrong = states
        .iter()
        .flat_map(|(_, hpa)| &hpa.conditions)
        .filter(|condition| is_wrong(condition));
    for text in wrong.chain(&last.conditions).map(words) {
        if !conditions.contains(&text) {
            conditions.push(text);
        }
    }
    let end_ns = seen
        .timeline
        .recorded
        .journal
        .last()
        .map_or(0, |entry| entry.at_ns);
    let until = states
        .iter()
        .skip(1)
        .map(|(at_ns, _)| *at_ns)
        .chain([end_ns]);
    let at_maximum = states
        .iter()
        .zip(until)
        .filter(|((_, hpa), _)| hpa.max > 0 && hpa.desired >= hpa.max);
    let at_maximum_ns: u64 = at_maximum
        .map(|((at_ns, _), until)| until.saturating_sub(*at_ns))
        .sum();
    Some(Hpa {
        name: last.name.clone(),
        min: last.min,
        max: last.max,
        target_cpu_percent: last.target_cpu_percent,
        cpu_percent_most: states.iter().filter_map(|(_, hpa)| hpa.cpu_percent).max(),
        desired_least: desired().min().unwrap_or(0),
        desired_most: desired().max().unwrap_or(0),
        rescales: super::troubles::rescales(seen),
        at_maximum_seconds: at_maximum_ns as f64 / 1e9,
        conditions,
    })
}

fn is_wrong(condition: &Condition) -> bool {
    match condition.name.as_str() {
        "ScalingLimited" => condition.status == "True" && condition.reason == "TooManyReplicas",
        _ => condition.status == "False",
    }
}

fn words(condition: &Condition) -> String {
    let Condition {
        name,
        status,
        reason,
        message,
        ..
    } = condition;
    format!("{name}={status} ({reason}): {message}")
}

/// The scale at every change.
pub(super) fn scale(seen: &Seen<'_>) -> Vec<ScalePoint> {
    let mut points: Vec<ScalePoint> = Vec::new();
    let mut point = ScalePoint::default();
    let mut ready: BTreeSet<String> = BTreeSet::new();
    let mut slices: BTreeMap<String, u32> = BTreeMap::new();
    for entry in &seen.timeline.recorded.journal {
        match &entry.observation {
            Observation::Hpa(hpa) => {
                point.hpa_desired = Some(hpa.desired);
                point.cpu_percent = hpa.cpu_percent;
            }
            Observation::Deployment(state) => point.desired = Some(state.desired),
            Observation::Pod(pod) if !pod.collector => {
                let counts = pod.ready && !pod.deleted;
                match counts {
                    true => drop(ready.insert(pod.uid.clone())),
                    false => drop(ready.remove(&pod.uid)),
                }
                point.ready = u32::try_from(ready.len()).unwrap_or(u32::MAX);
            }
            Observation::Endpoints(slice) => {
                let count = slice
                    .endpoints
                    .iter()
                    .filter(|e| e.ready && !slice.deleted)
                    .count();
                slices.insert(
                    slice.slice.clone(),
                    u32::try_from(count).unwrap_or(u32::MAX),
                );
                point.endpoints = slices.values().sum();
            }
            _ => continue,
        }
        point.at_seconds = entry.at_ns as f64 / 1e9;
        let same = |last: &ScalePoint| {
            ScalePoint {
                at_seconds: point.at_seconds,
                ..*last
            } == point
        };
        if !points.last().is_some_and(same) {
            points.push(point);
        }
    }
    points
}

pub(super) fn pods(seen: &Seen<'_>) -> Vec<Pod> {
    let pods = seen.cluster.pods.iter().zip(&seen.lineage.why);
    let pods = pods.map(|(life, why)| {
        let served = seen.served.get(&life.last.name);
        Pod {
            name: life.last.name.clone(),
            uid: life.last.uid.clone(),
            owner: life.last.owner.clone(),
            node: life.last.node.clone(),
            why: why.clone(),
            created: life.created.map(moment),
            scheduled: life.scheduled.map(moment),
            started: life.started.map(moment),
            ready: life.ready.map(moment),
            endpoint: life.endpoint.map(moment),
            first_served: served.map(|served| moment(served.first)),
            last_ok_seconds: served
                .and_then(|served| served.last_ok_ns)
                .map(|ns| ns as f64 / 1e9),
            deletion: life.deletion.map(moment),
            endpoint_removed: life.endpoint_removed.map(moment),
            gone: life.gone.map(moment),
            restarts: life.ends.iter().filter(|end| end.started.is_some()).count() as u64,
            ended: life.ends.last().map(|end| ended(&end.how)),
            requests: served.map_or(0, |served| served.requests),
            usage: usage(seen, &life.last.name),
        }
    });
    pods.collect()
}

/// What metrics-server said of a pod.
fn usage(seen: &Seen<'_>, name: &str) -> Option<Usage> {
    let mut usage = Usage::default();
    let mut sum = 0.0;
    for entry in &seen.timeline.recorded.journal {
        let Observation::PodMetrics(metrics) = &entry.observation else {
            continue;
        };
        for pod in metrics.pods.iter().filter(|pod| pod.pod == name) {
            usage.samples += 1;
            sum += pod.cpu_milli;
            usage.cpu_milli_most = usage.cpu_milli_most.max(pod.cpu_milli);
            let memory_mib = pod.memory_bytes as f64 / f64::from(1 << 20);
            usage.memory_mib_most = usage.memory_mib_most.max(memory_mib);
        }
    }
    usage.cpu_milli_mean = sum / usage.samples.max(1) as f64;
    (usage.samples > 0).then_some(usage)
}

/// Nodes, as they were last seen.
pub(super) fn nodes(seen: &Seen<'_>) -> Vec<Node> {
    let mut nodes: BTreeMap<&str, Node> = BTreeMap::new();
    for entry in &seen.timeline.recorded.journal {
        if let Observation::Node(node) = &entry.observation {
            let shown = Node {
                name: node.name.clone(),
                ready: node.ready && !node.deleted,
                unschedulable: node.unschedulable,
                allocatable_cpu_milli: node.allocatable_cpu_milli,
                version: node.version.clone(),
            };
            nodes.insert(&node.name, shown);
        }
    }
    nodes.into_values().collect()
}
