//! EndpointSlices of the Service: the API's objects in, who gets its requests out.

use super::board::Board;
use super::watching::Kind;
use crate::record::Observation;
use crate::record::cluster::{Endpoint, Endpoints, Watched};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{Api, Client, ResourceExt};
use std::sync::Arc;

/// Those of the Service that the plan names.
pub(super) struct Slices(pub(super) Arc<Board>);

impl Kind for Slices {
    type Object = EndpointSlice;
    type Record = Endpoints;

    fn of(&self) -> Watched {
        Watched::Endpoints
    }

    fn api(&self, client: Client) -> Api<Self::Object> {
        Api::namespaced(client, &self.0.plan.namespace)
    }

    fn selectors(&self) -> (Option<String>, Option<String>) {
        let service = &self.0.plan.service;
        (Some(format!("kubernetes.io/service-name={service}")), None)
    }

    fn record(&self, object: &Self::Object) -> Endpoints {
        slice(object)
    }

    fn gone(&self, record: Endpoints) -> Option<Endpoints> {
        Some(Endpoints {
            deleted: true,
            ..record
        })
    }

    fn observation(&self, record: &Endpoints) -> Observation {
        Observation::Endpoints(record.clone())
    }

    fn absent(&self) -> Option<String> {
        let plan = &self.0.plan;
        Some(format!(
            "the namespace {} has no EndpointSlice of a Service {}",
            plan.namespace, plan.service
        ))
    }
}

/// What is not said of an endpoint is good: ready and serving, not terminating.
///
/// Source: kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1.
fn slice(slice: &EndpointSlice) -> Endpoints {
    let endpoints = slice.endpoints.iter().map(|endpoint| {
        let said = endpoint.conditions.as_ref();
        let target = endpoint.target_ref.as_ref();
        let pod = target.and_then(|target| target.uid.clone());
        Endpoint {
            // One that no pod stands behind goes by its address.
            pod: pod
                .or_else(|| endpoint.addresses.first().cloned())
                .unwrap_or_default(),
            ready: said.and_then(|said| said.ready).unwrap_or(true),
            serving: said.and_then(|said| said.serving).unwrap_or(true),
            terminating: said.and_then(|said| said.terminating).unwrap_or(false),
        }
    });
    Endpoints {
        slice: slice.name_any(),
        deleted: false,
        endpoints: endpoints.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_good() {
        let pod = |uid: &str| serde_json::json!({ "kind": "Pod", "name": uid, "uid": uid });
        let object = serde_json::json!({
            "metadata": { "name": "iris-prediction-api-service-x7" },
            "addressType": "IPv4",
            "endpoints": [
                { "addresses": ["10.0.0.1"], "targetRef": pod("a") },
                { "addresses": ["10.0.0.2"], "targetRef": pod("b"), "conditions": {} },
                { "addresses": ["10.0.0.3"], "targetRef": pod("c"), "conditions": { "ready": false, "serving": true, "terminating": true } },
                { "addresses": ["10.0.0.4"], "conditions": { "ready": false, "serving": false } }
            ]
        });
        let slice = slice(&serde_json::from_value(object).unwrap());
        let seen: Vec<_> = { slice.endpoints.iter() }
            .map(|e| (e.pod.as_str(), e.ready, e.serving, e.terminating))
            .collect();
        assert_eq!(
            seen,
            [
                ("a", true, true, false),
                ("b", true, true, false),
                ("c", false, true, true),
                ("10.0.0.4", false, false, false)
            ]
        );
        let none = serde_json::json!({ "metadata": { "name": "s" }, "addressType": "IPv4", "endpoints": null });
        assert_eq!(
            super::slice(&serde_json::from_value(none).unwrap()).endpoints,
            []
        );
    }
}
