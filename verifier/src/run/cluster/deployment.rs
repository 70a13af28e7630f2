//! The Deployment and its ReplicaSets: the API's objects in, their lines in the journal out.

use super::board::Board;
use super::reading::{count, owner, whole_milli};
use super::watching::Kind;
use crate::record::Observation;
use crate::record::cluster::{self as seen, Watched};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Container;
use kube::{Api, Client, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;

const REVISION: &str = "deployment.kubernetes.io/revision";

/// The one that the plan names.
pub(super) struct Deployments(pub(super) Arc<Board>);

impl Kind for Deployments {
    type Object = Deployment;
    type Record = seen::Deployment;

    fn of(&self) -> Watched {
        Watched::Deployment
    }

    fn api(&self, client: Client) -> Api<Self::Object> {
        Api::namespaced(client, &self.0.plan.namespace)
    }

    fn selectors(&self) -> (Option<String>, Option<String>) {
        let name = &self.0.plan.deployment;
        (None, Some(format!("metadata.name={name}")))
    }

    fn record(&self, object: &Self::Object) -> Self::Record {
        deployment(object)
    }

    fn gone(&self, record: Self::Record) -> Option<Self::Record> {
        Some(seen::Deployment {
            deleted: true,
            ..record
        })
    }

    fn observation(&self, record: &Self::Record) -> Observation {
        Observation::Deployment(record.clone())
    }

    fn all(&mut self, known: &BTreeMap<String, Self::Record>) {
        let deployment = known.values().next();
        self.0.summary().deployment = deployment.map(|d| (d.desired, d.ready));
        if let Some(deployment) = deployment {
            self.0.desired(deployment.desired, false);
        }
    }

    fn absent(&self) -> Option<String> {
        let plan = &self.0.plan;
        Some(format!(
            "the namespace {} has no Deployment {}",
            plan.namespace, plan.deployment
        ))
    }
}

/// Those of the Deployment.
pub(super) struct ReplicaSets(pub(super) Arc<Board>);

impl Kind for ReplicaSets {
    type Object = ReplicaSet;
    type Record = seen::ReplicaSet;

    fn of(&self) -> Watched {
        Watched::ReplicaSets
    }

    fn api(&self, client: Client) -> Api<Self::Object> {
        Api::namespaced(client, &self.0.plan.namespace)
    }

    /// Their labels are those of their pods.
    fn selectors(&self) -> (Option<String>, Option<String>) {
        (Some(self.0.plan.label.clone()), None)
    }

    fn record(&self, object: &Self::Object) -> Self::Record {
        replica_set(object)
    }

    fn gone(&self, record: Self::Record) -> Option<Self::Record> {
        Some(seen::ReplicaSet {
            deleted: true,
            ..record
        })
    }

    fn observation(&self, record: &Self::Record) -> Observation {
        Observation::ReplicaSet(record.clone())
    }
}

fn deployment(deployment: &Deployment) -> seen::Deployment {
    let (spec, status) = (deployment.spec.as_ref(), deployment.status.as_ref());
    let pod = spec.and_then(|spec| spec.template.spec.as_ref());
    let containers = pod.map_or(&[][..], |pod| pod.containers.as_slice());
    let images = containers.iter().filter_map(|c| c.image.clone());
    seen::Deployment {
        name: deployment.name_any(),
        deleted: false,
        generation: deployment.metadata.generation.unwrap_or_default(),
        observed_generation: status
            .and_then(|s| s.observed_generation)
            .unwrap_or_default(),
        // The API's own default.
        desired: spec.map_or(0, |spec| count(spec.replicas.or(Some(1)))),
        replicas: status.map_or(0, |status| count(status.replicas)),
        updated: status.map_or(0, |status| count(status.updated_replicas)),
        ready: status.map_or(0, |status| count(status.ready_replicas)),
        revision: revision(deployment.annotations()),
        images: images.collect(),
        cpu_request_milli: cpu(containers, |resources| resources.requests.as_ref()),
        cpu_limit_milli: cpu(containers, |resources| resources.limits.as_ref()),
    }
}

fn replica_set(set: &ReplicaSet) -> seen::ReplicaSet {
    seen::ReplicaSet {
        uid: set.uid().unwrap_or_default(),
        name: set.name_any(),
        deleted: false,
        owner: owner(&set.metadata),
        revision: revision(set.annotations()),
        desired: { set.spec.as_ref() }.map_or(0, |spec| count(spec.replicas.or(Some(1)))),
        ready: { set.status.as_ref() }.map_or(0, |status| count(status.ready_replicas)),
    }
}

fn revision(annotations: &BTreeMap<String, String>) -> String {
    annotations.get(REVISION).cloned().unwrap_or_default()
}

type Quantities = BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>;

/// What all containers have of it together; `None` where none has any.
fn cpu(
    containers: &[Container],
    of: fn(&k8s_openapi::api::core::v1::ResourceRequirements) -> Option<&Quantities>,
) -> Option<u64> {
    let quantities = containers
        .iter()
        .filter_map(|container| of(container.resources.as_ref()?)?.get("cpu"));
    quantities.map(whole_milli).reduce(|sum, milli| sum + milli)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_deployment_in_the_middle_of_a_rollout() {
        let object = json!({
            "metadata": { "name": "iris-prediction-api", "generation": 5, "annotations": { REVISION: "4" } },
            "spec": {
                "replicas": 4, "selector": {},
                "template": { "spec": { "containers": [
                    { "name": "iris-prediction-api", "image": "iris-prediction-api:0.2.0",
                      "resources": { "requests": { "cpu": "250m", "memory": "512Mi" }, "limits": { "memory": "512Mi" } } },
                    { "name": "proxy", "image": "proxy:1", "resources": { "requests": { "cpu": "0.1" } } }
                ] } }
            },
            "status": { "observedGeneration": 4, "replicas": 5, "updatedReplicas": 1, "readyReplicas": 3 }
        });
        let seen = deployment(&from_value(object).unwrap());
        assert_eq!((seen.generation, seen.observed_generation), (5, 4));
        assert_eq!(
            (seen.desired, seen.replicas, seen.updated, seen.ready),
            (4, 5, 1, 3)
        );
        assert_eq!(seen.revision, "4");
        assert_eq!(seen.images, ["iris-prediction-api:0.2.0", "proxy:1"]);
        assert_eq!(
            (seen.cpu_request_milli, seen.cpu_limit_milli),
            (Some(350), None)
        );
    }

    #[test]
    fn a_replica_set_names_its_deployment() {
        let object = json!({
            "metadata": {
                "name": "iris-prediction-api-5d4", "uid": "rs-1", "annotations": { REVISION: "4" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "iris-prediction-api", "uid": "d", "controller": true }]
            },
            "spec": { "replicas": 0, "selector": {} },
            "status": { "replicas": 0 }
        });
        let set = replica_set(&from_value(object).unwrap());
        assert_eq!(
            (set.owner.as_str(), set.revision.as_str()),
            ("iris-prediction-api", "4")
        );
        assert_eq!((set.uid.as_str(), set.desired, set.ready), ("rs-1", 0, 0));
    }
}
