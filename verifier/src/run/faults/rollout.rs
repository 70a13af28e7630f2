//! A rolling update of the Deployment, begun as `kubectl rollout restart` does: an annotation of its template changes.

use super::answer::answered;
use super::deed::Deed;
use super::reach::Reach;
use super::turn::Turn;
use crate::record::cluster::Hit;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use std::time::Duration;

/// Begins it; the Deployment's controller does the rest, and nothing is undone.
pub(super) async fn restart(reach: &Reach, turn: &Turn<'_>) -> Deed {
    turn.tell(&format!("starting a rolling update of {}", reach.shown()));
    let asked_ns = turn.now_ns();
    let unix = Duration::from_nanos(turn.clock.origin_unix_ns() + asked_ns);
    let at = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + unix).to_string();
    let change = json!({ "spec": { "template": { "metadata": { "annotations": {
        "kubectl.kubernetes.io/restartedAt": at,
    } } } } });
    let params = PatchParams {
        dry_run: turn.dry,
        ..PatchParams::default()
    };
    let name = &reach.names().deployment;
    let api = reach.api::<Deployment>();
    let patch = Patch::Strategic(&change);
    match answered(api.patch(name, &params, &patch)).await {
        Ok(deployment) => Deed {
            asked_ns,
            hits: vec![Hit {
                name: name.clone(),
                uid: reach.uid.clone(),
                what: begun(&deployment, turn.dry),
            }],
            ..Deed::default()
        },
        Err(refusal) => Deed::failed(asked_ns, refusal.to_string()),
    }
}

fn begun(deployment: &Deployment, dry: bool) -> String {
    let replicas = deployment.spec.as_ref().and_then(|s| s.replicas);
    let replicas = replicas.unwrap_or(1);
    if dry {
        format!("a rolling update of {replicas} replicas would begin")
    } else {
        format!("rolling update of {replicas} replicas begun")
    }
}
