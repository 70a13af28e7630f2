//! Nodes: the API's objects in, their lines in the journal out.

use super::board::Board;
use super::reading::whole_milli;
use super::watching::Kind;
use crate::record::Observation;
use crate::record::cluster::{Node, Watched};
use k8s_openapi::api::core::v1 as api;
use kube::{Api, Client, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All of the cluster's.
pub(super) struct Nodes(pub(super) Arc<Board>);

impl Kind for Nodes {
    type Object = api::Node;
    type Record = Node;

    fn of(&self) -> Watched {
        Watched::Nodes
    }

    fn api(&self, client: Client) -> Api<Self::Object> {
        Api::all(client)
    }

    fn selectors(&self) -> (Option<String>, Option<String>) {
        (None, None)
    }

    fn record(&self, object: &Self::Object) -> Node {
        node(object)
    }

    fn gone(&self, record: Node) -> Option<Node> {
        Some(Node {
            deleted: true,
            ..record
        })
    }

    fn observation(&self, record: &Node) -> Observation {
        Observation::Node(record.clone())
    }

    fn all(&mut self, known: &BTreeMap<String, Node>) {
        self.0.summary().nodes = known.values().filter(|node| node.ready).count();
    }
}

fn node(node: &api::Node) -> Node {
    let (spec, status) = (node.spec.as_ref(), node.status.as_ref());
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let allocatable = status.and_then(|status| status.allocatable.as_ref());
    let info = status.and_then(|status| status.node_info.as_ref());
    Node {
        name: node.name_any(),
        deleted: false,
        ready: conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True"),
        unschedulable: spec.and_then(|spec| spec.unschedulable).unwrap_or(false),
        allocatable_cpu_milli: allocatable
            .and_then(|allocatable| allocatable.get("cpu"))
            .map_or(0, whole_milli),
        version: info
            .map(|info| info.kubelet_version.clone())
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cordoned_node() {
        let object = serde_json::json!({
            "metadata": { "name": "gke-1" },
            "spec": { "unschedulable": true, "taints": [] },
            "status": {
                "allocatable": { "cpu": "1930m", "memory": "5Gi" },
                "conditions": [{ "type": "MemoryPressure", "status": "False" }, { "type": "Ready", "status": "True" }],
                "nodeInfo": {
                    "architecture": "", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "",
                    "kubeletVersion": "v1.34.1-gke.1", "machineID": "", "operatingSystem": "", "osImage": "", "systemUUID": ""
                }
            }
        });
        let expected = Node {
            name: "gke-1".to_owned(),
            deleted: false,
            ready: true,
            unschedulable: true,
            allocatable_cpu_milli: 1930,
            version: "v1.34.1-gke.1".to_owned(),
        };
        assert_eq!(node(&serde_json::from_value(object).unwrap()), expected);
    }
}
