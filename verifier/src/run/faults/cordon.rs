//! Nodes of the Deployment's pods: made unschedulable, and schedulable again if it was a fault that made them so.

use super::answer::{Refusal, answered};
use super::deed::{Deed, Undo};
use super::pods::Victim;
use super::reach::Reach;
use super::turn::Turn;
use crate::record::cluster::Hit;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use std::collections::BTreeSet;

/// Cordons the nodes that the pods run on.
pub(super) async fn cordon(reach: &Reach, victims: &[Victim], turn: &Turn<'_>) -> Deed {
    let names: BTreeSet<&String> = { victims.iter() }
        .filter_map(|victim| victim.pod.spec.as_ref()?.node_name.as_ref())
        .collect();
    let api: Api<Node> = Api::all(reach.client());
    let mut deed = Deed {
        asked_ns: turn.now_ns(),
        ..Deed::default()
    };
    let mut cordoned = Vec::new();
    for name in names {
        match one(&api, name, turn).await {
            Ok(Some(node)) => {
                cordoned.push(name.clone());
                deed.hits.push(node);
            }
            Ok(None) => deed
                .errors
                .push(format!("node {name} was cordoned already, and stays so")),
            Err(refusal) => deed.errors.push(format!("node {name}: {refusal}")),
        }
    }
    deed.undo = (!cordoned.is_empty()).then_some(Undo::Cordon(cordoned));
    deed
}

/// `None`: it was cordoned already.
async fn one(api: &Api<Node>, name: &str, turn: &Turn<'_>) -> Result<Option<Hit>, Refusal> {
    let node = answered(api.get(name)).await?;
    if node.spec.as_ref().and_then(|s| s.unschedulable) == Some(true) {
        return Ok(None);
    }
    turn.tell(&format!("cordoning node {name}"));
    set(api, name, true, turn.dry).await?;
    let what = if turn.dry {
        "would be cordoned"
    } else {
        "cordoned"
    };
    Ok(Some(Hit {
        name: name.to_owned(),
        uid: node.uid().unwrap_or_default(),
        what: what.to_owned(),
    }))
}

/// Uncordons what a fault has cordoned.
///
/// # Errors
/// When the API can not be asked; it may be tried again.
pub(super) async fn uncordon(
    reach: &Reach,
    nodes: &[String],
    turn: &Turn<'_>,
) -> Result<Deed, Refusal> {
    let api: Api<Node> = Api::all(reach.client());
    let mut deed = Deed {
        asked_ns: turn.now_ns(),
        ..Deed::default()
    };
    for name in nodes {
        turn.tell(&format!("uncordoning node {name}"));
        let node = set(&api, name, false, turn.dry).await?;
        deed.hits.push(Hit {
            name: name.clone(),
            uid: node.uid().unwrap_or_default(),
            what: "uncordoned".to_owned(),
        });
    }
    Ok(deed)
}

async fn set(api: &Api<Node>, name: &str, unschedulable: bool, dry: bool) -> Result<Node, Refusal> {
    let params = PatchParams {
        dry_run: dry,
        ..PatchParams::default()
    };
    let change = json!({ "spec": { "unschedulable": unschedulable } });
    answered(api.patch(name, &params, &Patch::Strategic(&change))).await
}
