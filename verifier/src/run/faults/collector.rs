//! The collector's pods: those with the plan's label for them, if somebody brings them back and they are not the
//! service's.

use super::answer::answered;
use super::pods::{Victim, chosen};
use super::reach::{Reach, controller};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;

/// Every pod of the collector that nobody has deleted yet.
///
/// # Errors
/// In words, when there is none, or one that nobody would bring back.
pub(super) async fn pods(reach: &Reach) -> Result<Vec<Victim>, String> {
    let names = reach.names();
    let labelled = ListParams::default().labels(&names.collector_label);
    let api = reach.api::<Pod>();
    let pods = { answered(api.list(&labelled)).await }
        .map_err(|refusal| format!("cannot list the collector's pods: {refusal}"))?;
    let mut pods = pods.items;
    pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    let label = names.label.split_once('=').unwrap_or_default();
    for pod in &pods {
        let shown = format!("{}/{}", names.namespace, pod.name_any());
        if pod.labels().get(label.0).is_some_and(|v| v == label.1) {
            return Err(format!(
                "pod {shown} carries {} and {}: it is the service's as well as the collector's, and is not touched",
                names.collector_label, names.label
            ));
        }
        if controller(pod).is_none() {
            return Err(format!(
                "pod {shown} carries {} and nobody would bring it back: it is not touched",
                names.collector_label
            ));
        }
    }
    if pods.is_empty() {
        return Err(format!(
            "no pod in namespace {} carries {}: see cluster.collector_label in the plan",
            names.namespace, names.collector_label
        ));
    }
    Ok(chosen(pods))
}
