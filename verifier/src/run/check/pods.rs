//! Pods with one label, as they stand: how many are ready, and why others are not.

use super::objects::{Objects, READ, words};
use super::report::Report;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;

/// Looks at those with the label.
pub(super) async fn check(objects: &Objects<'_>, report: &mut Report, label: &str, whose: &str) {
    let namespace = &objects.names.namespace;
    let labelled = ListParams::default().labels(label);
    let pods = match objects.api::<Pod>().list(&labelled).await {
        Ok(pods) => pods.items,
        Err(error) => {
            let what = format!("pods of {whose} ({label}): {}", words(&error));
            return report.failed(&what, READ);
        }
    };
    let living = pods
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none());
    let living: Vec<&Pod> = living.collect();
    let idle: Vec<String> = { living.iter().filter(|pod| !ready(pod)) }
        .map(|pod| format!("{} ({})", pod.name_any(), why_not_ready(pod)))
        .collect();
    let what = format!(
        "pods of {whose} ({label}): {} of {} ready{}",
        living.len() - idle.len(),
        living.len(),
        restarts(&living)
    );
    let advice = match idle.as_slice() {
        [] => format!(
            "there are none: see cluster labels in the plan, and kubectl -n {} get pods --show-labels",
            namespace
        ),
        idle => format!(
            "not ready: {}; kubectl -n {} describe pod NAME",
            idle.join(", "),
            namespace
        ),
    };
    report.hold(!living.is_empty() && idle.is_empty(), &what, &advice);
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten());
    { conditions }.any(|c| c.type_ == "Ready" && c.status == "True")
}

/// In a word or two: of a container that waits, or of the condition that is not true.
fn why_not_ready(pod: &Pod) -> String {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let waiting = containers
        .into_iter()
        .find_map(|c| c.state?.waiting?.reason);
    let conditions = status.conditions.unwrap_or_default();
    let unscheduled = conditions
        .into_iter()
        .find(|c| c.type_ == "PodScheduled" && c.status != "True");
    let unscheduled = unscheduled.and_then(|c| c.message);
    { waiting.or(unscheduled).or(status.phase) }.unwrap_or_else(|| "no status".to_owned())
}

fn restarts(pods: &[&Pod]) -> String {
    let containers = pods.iter().flat_map(|pod| {
        let status = pod.status.as_ref();
        status
            .and_then(|s| s.container_statuses.clone())
            .unwrap_or_default()
    });
    match containers.map(|c| c.restart_count).sum::<i32>() {
        0 => String::new(),
        restarts => format!(", {restarts} restarts of containers so far"),
    }
}
