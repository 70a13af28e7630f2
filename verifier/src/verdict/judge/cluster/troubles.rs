//! What was wrong with pods and objects, named as the cluster names it, with what it means.

use super::Seen;
use crate::record::Observation;
use crate::record::cluster::{Event, Watched};
use crate::verdict::cluster::{EventLine, Gap, PodLog, Trouble};
use std::collections::{BTreeMap, BTreeSet};

/// Every trouble, those of most pods first.
pub(super) fn all(seen: &Seen<'_>) -> Vec<Trouble> {
    let mut troubles: BTreeMap<String, Trouble> = BTreeMap::new();
    let mut add = |reason: &str, pod: &str, first_ns: u64, last_ns: u64, message: &str| {
        let (first_seconds, last_seconds) = (first_ns as f64 / 1e9, last_ns as f64 / 1e9);
        let trouble = troubles
            .entry(reason.to_owned())
            .or_insert_with(|| Trouble {
                reason: reason.to_owned(),
                meaning: meaning(reason).to_owned(),
                first_seconds,
                last_seconds,
                message: message.to_owned(),
                pods: Vec::new(),
            });
        trouble.first_seconds = trouble.first_seconds.min(first_seconds);
        trouble.last_seconds = trouble.last_seconds.max(last_seconds);
        if !pod.is_empty() && !trouble.pods.iter().any(|known| known == pod) {
            trouble.pods.push(pod.to_owned());
        }
    };
    for pod in &seen.cluster.pods {
        let name = &pod.last.name;
        // A container that ends because its pod is deleted is in no trouble, unless it failed.
        let deletion_ns = pod
            .deletion
            .map_or(u64::MAX, |deletion| deletion.earliest_ns);
        for end in &pod.ends {
            let of_deletion = end.at.latest_ns >= deletion_ns && end.how.reason != "OOMKilled";
            if !of_deletion && end.how.reason != "Completed" {
                let words = super::figures::ended(&end.how);
                add(
                    &end.how.reason,
                    name,
                    end.at.earliest_ns,
                    end.at.latest_ns,
                    &words,
                );
            }
        }
        let waits = pod
            .waits
            .iter()
            .filter(|(why, ..)| !PASSING.contains(&why.reason.as_str()));
        for (why, first_ns, last_ns) in waits {
            add(&why.reason, name, *first_ns, *last_ns, &why.message);
        }
    }
    for (at_ns, event) in warnings(seen) {
        let known = ["FailedScheduling", "BackOff", "Failed"].contains(&event.reason.as_str());
        if !known {
            let pod = if event.object_kind == "Pod" {
                event.object.as_str()
            } else {
                ""
            };
            add(&event.reason, pod, at_ns, at_ns, &event.message);
        }
    }
    let mut troubles: Vec<Trouble> = troubles.into_values().collect();
    troubles.sort_by_key(|trouble| {
        (
            std::cmp::Reverse(trouble.pods.len()),
            trouble.reason.clone(),
        )
    });
    troubles
}

/// What every container goes through.
const PASSING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

fn meaning(reason: &str) -> &'static str {
    match reason {
        "OOMKilled" => {
            "the container used more memory than its limit, and the kernel killed it: raise the memory limit, or find the leak"
        }
        "Unschedulable" => {
            "no node has room for the pod: add nodes, lower its requests, or the HPA's maximum"
        }
        "SchedulingGated" => "somebody holds the pod back",
        "CrashLoopBackOff" => {
            "the container ends again and again soon after its start: its log says why"
        }
        "ErrImageNeverPull" => {
            "the image is not on the node, and the pod may not pull it: load the image, or change imagePullPolicy"
        }
        "ErrImagePull" | "ImagePullBackOff" => {
            "the image can not be pulled: its name, its tag or the right to read the registry is wrong"
        }
        "InvalidImageName" => "the image's name is none",
        "CreateContainerConfigError" => {
            "a ConfigMap or Secret that the pod names is missing, or the pod would break its own rules"
        }
        "Error" => {
            "the container ended with an error, or was killed: exit code 137 is SIGKILL, 143 SIGTERM"
        }
        "ContainerStatusUnknown" => "the node could not say how the container ended",
        "Unhealthy" => "a probe failed",
        "FailedGetResourceMetric" | "FailedComputeMetricsReplicas" => {
            "the HPA has no CPU figures: is metrics-server there, and does every container ask for CPU?"
        }
        "FailedCreate" => {
            "a pod could not be made: a quota, an admission rule or a missing ServiceAccount"
        }
        "FailedMount" | "FailedAttachVolume" => "a volume could not be had",
        "FailedPreStopHook" => "the container could not be asked to drain",
        "ExceededGracePeriod" => "the container did not end within its grace, and was killed",
        "Evicted" | "NodeNotReady" | "TaintManagerEviction" => "the node had to let the pod go",
        _ => "",
    }
}

fn events_of<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = (u64, &'s Event)> {
    let journal = seen.timeline.recorded.journal.iter();
    journal.filter_map(|entry| match &entry.observation {
        Observation::Event(event) => Some((entry.at_ns, event)),
        _ => None,
    })
}

/// Probes of a pod that is being deleted are meant to fail: so it is sent nothing more.
fn warnings<'s>(seen: &'s Seen<'_>) -> impl Iterator<Item = (u64, &'s Event)> {
    let leaving = |at_ns: u64, uid: &str| {
        let pods = seen.cluster.pods.iter().filter(|pod| pod.last.uid == uid);
        let mut deletions = pods.filter_map(|pod| pod.deletion);
        deletions.any(|deletion| deletion.earliest_ns <= at_ns)
    };
    events_of(seen)
        .filter(|(_, event)| event.level == "Warning")
        .filter(move |(at_ns, event)| {
            event.reason != "Unhealthy" || !leaving(*at_ns, &event.object_uid)
        })
}

/// How often each reason was given during the run. An event that comes again tells its own count since its first.
pub(super) fn events(seen: &Seen<'_>) -> BTreeMap<String, u64> {
    let mut first_and_last: BTreeMap<&str, (&str, u32, u32)> = BTreeMap::new();
    for (_, event) in events_of(seen) {
        let known =
            first_and_last
                .entry(&event.uid)
                .or_insert((&event.reason, event.count, event.count));
        known.2 = known.2.max(event.count);
    }
    let mut counts = BTreeMap::new();
    for (reason, first, last) in first_and_last.into_values() {
        *counts.entry(reason.to_owned()).or_default() += u64::from(last - first) + 1;
    }
    counts
}

/// So many events are kept of the beginning, and of the end.
const EVENTS: usize = 100;

/// The events, as they were heard of.
pub(super) fn event_lines(seen: &Seen<'_>) -> Vec<EventLine> {
    let lines = events_of(seen).map(|(at_ns, event)| EventLine {
        at_seconds: at_ns as f64 / 1e9,
        level: event.level.clone(),
        reason: event.reason.clone(),
        object: format!("{} {}", event.object_kind, event.object),
        message: event.message.clone(),
        count: event.count,
    });
    let mut lines: Vec<EventLine> = lines.collect();
    if lines.len() > 2 * EVENTS {
        lines.drain(EVENTS..lines.len() - EVENTS);
    }
    lines
}

/// Last words, those of one pod together.
pub(super) fn logs(seen: &Seen<'_>) -> Vec<PodLog> {
    let journal = seen.timeline.recorded.journal.iter();
    let logs = journal.filter_map(|entry| match &entry.observation {
        Observation::PodLog { pod, lines } => Some(PodLog {
            pod: pod.clone(),
            lines: lines.clone(),
        }),
        _ => None,
    });
    logs.collect()
}

/// Rescales that the HPA told of.
pub(super) fn rescales(seen: &Seen<'_>) -> u64 {
    events(seen).get("SuccessfulRescale").copied().unwrap_or(0)
}

/// When kinds could not be seen.
pub(super) fn gaps(seen: &Seen<'_>) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut open: BTreeSet<Watched> = BTreeSet::new();
    for entry in &seen.timeline.recorded.journal {
        let Observation::WatchState(state) = &entry.observation else {
            continue;
        };
        let at_seconds = entry.at_ns as f64 / 1e9;
        let of = name(state.of);
        match &state.error {
            Some(error) if open.insert(state.of) => gaps.push(Gap {
                of: of.to_owned(),
                from_seconds: at_seconds,
                to_seconds: None,
                error: error.clone(),
            }),
            None if open.remove(&state.of) => {
                if let Some(gap) = gaps.iter_mut().rfind(|gap| gap.of == of) {
                    gap.to_seconds = Some(at_seconds);
                }
            }
            _ => {}
        }
    }
    gaps
}

fn name(of: Watched) -> &'static str {
    match of {
        Watched::Hpa => "HorizontalPodAutoscaler",
        Watched::Deployment => "Deployment",
        Watched::ReplicaSets => "ReplicaSets",
        Watched::Pods => "pods",
        Watched::CollectorPods => "the collector's pods",
        Watched::Endpoints => "EndpointSlices",
        Watched::Events => "events",
        Watched::PodMetrics => "PodMetrics",
        Watched::PodLogs => "logs of pods",
        Watched::Nodes => "nodes",
    }
}
