//! What faults may touch: the plan's Deployment, checked, and its pods; nothing else is handed out.

use super::answer::{Refusal, answered};
use crate::plan::Cluster;
use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use std::collections::BTreeSet;

/// The Deployment under load, which was there and carries the plan's label.
#[derive(Clone)]
pub(super) struct Reach {
    client: Client,
    names: Cluster,
    /// UID of the Deployment.
    pub(super) uid: String,
    /// Replicas that its spec asked for when it was found.
    pub(super) replicas: i32,
}

impl Reach {
    /// Finds the Deployment and holds that its pods carry the plan's label.
    ///
    /// # Errors
    /// When there is no such Deployment, or what faults would hit is not surely its own.
    pub(super) async fn find(client: Client, names: &Cluster) -> Result<Reach> {
        let api: Api<Deployment> = Api::namespaced(client.clone(), &names.namespace);
        let deployment = match answered(api.get(&names.deployment)).await {
            Ok(deployment) => deployment,
            Err(refusal) => bail!(absent(&client, names, &refusal).await),
        };
        selects_the_label(&deployment, names)?;
        let reach = Reach {
            client,
            names: names.clone(),
            uid: deployment.uid().unwrap_or_default(),
            replicas: deployment.spec.and_then(|s| s.replicas).unwrap_or(1),
        };
        reach.pods().await?;
        Ok(reach)
    }

    /// Objects of one kind in the plan's namespace.
    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.names.namespace)
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(super) fn names(&self) -> &Cluster {
        &self.names
    }

    /// `namespace/name` of the Deployment.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}", self.names.namespace, self.names.deployment)
    }

    /// Its pods that nobody has deleted, the oldest first.
    ///
    /// # Errors
    /// When the API does not tell, or a pod carries the plan's label and is not the Deployment's: nothing is touched then.
    pub(super) async fn pods(&self) -> Result<Vec<Pod>> {
        let own = self.replica_sets().await?;
        let labelled = ListParams::default().labels(&self.names.label);
        let pods = { answered(self.api::<Pod>().list(&labelled)).await }
            .with_context(|| format!("cannot list the pods of {}", self.shown()))?;
        let mut pods = pods.items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        for pod in &pods {
            let owner = controller(pod);
            ensure!(
                owner.is_some_and(|owner| owner.kind == "ReplicaSet" && own.contains(&owner.uid)),
                "pod {}/{} carries {} and belongs to {}, not to the Deployment {}: no pod is touched; give cluster.label a label that only the Deployment's pods carry",
                self.names.namespace,
                pod.name_any(),
                self.names.label,
                owner.map_or_else(
                    || "nobody".to_owned(),
                    |o| format!("the {} {}", o.kind, o.name)
                ),
                self.names.deployment,
            );
        }
        pods.sort_by_key(|pod| (pod.creation_timestamp(), pod.name_any()));
        Ok(pods)
    }

    /// UIDs of the Deployment's ReplicaSets.
    async fn replica_sets(&self) -> Result<BTreeSet<String>> {
        let sets = { answered(self.api::<ReplicaSet>().list(&ListParams::default())).await }
            .with_context(|| format!("cannot list the ReplicaSets of {}", self.shown()))?;
        let own = sets.items.into_iter().filter(|set| {
            let owners = set.owner_references().iter();
            { owners }.any(|o| o.controller == Some(true) && o.uid == self.uid)
        });
        Ok(own.filter_map(|set| set.uid()).collect())
    }
}

/// Who keeps the pod.
pub(super) fn controller(pod: &Pod) -> Option<&OwnerReference> {
    let mut owners = pod.owner_references().iter();
    owners.find(|owner| owner.controller == Some(true))
}

/// It is ready to serve.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten());
    { conditions }.any(|c| c.type_ == "Ready" && c.status == "True")
}

/// Each pod of a Deployment has what its selector asks for.
fn selects_the_label(deployment: &Deployment, names: &Cluster) -> Result<()> {
    let (key, value) = names.label.split_once('=').context("cluster.label")?;
    let selector = deployment.spec.iter().map(|spec| &spec.selector);
    let labels = selector.flat_map(|s| s.match_labels.iter().flatten());
    let selected = { labels.clone() }.any(|(k, v)| k == key && v == value);
    let has: Vec<String> = labels.map(|(k, v)| format!("{k}={v}")).collect();
    ensure!(
        selected,
        "the Deployment {}/{} does not select its pods by cluster.label {}, but by {}: faults touch no pod of it",
        names.namespace,
        names.deployment,
        names.label,
        has.join(",")
    );
    Ok(())
}

/// Why the Deployment is not there, in words.
async fn absent(client: &Client, names: &Cluster, refusal: &Refusal) -> String {
    let (namespace, deployment) = (&names.namespace, &names.deployment);
    if !refusal.is(404) {
        return format!("cannot read the Deployment {namespace}/{deployment}: {refusal}");
    }
    // Who may not read namespaces is told of the Deployment alone.
    let spaces: Api<Namespace> = Api::all(client.clone());
    match answered(spaces.get_opt(namespace)).await {
        Ok(None) => format!(
            "there is no namespace {namespace:?}: see cluster.namespace in the plan, or --namespace"
        ),
        _ => format!(
            "there is no Deployment {deployment:?} in namespace {namespace:?}: see cluster.deployment in the plan"
        ),
    }
}
