//! The service's objects in the cluster, as they stand: each read once, what is wrong with it said.

use super::pods;
use super::report::Report;
use crate::plan::Cluster;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// What is looked at.
pub(super) struct Objects<'a> {
    pub(super) client: Client,
    pub(super) names: &'a Cluster,
}

impl Objects<'_> {
    /// Looks at all of them.
    pub(super) async fn check(&self, report: &mut Report) {
        if !self.namespace(report).await {
            return;
        }
        self.deployment(report).await;
        pods::check(self, report, &self.names.label, "the service").await;
        self.hpa(report).await;
        self.metrics(report).await;
        self.budget(report).await;
        let collector = &self.names.collector_label;
        pods::check(self, report, collector, "the collector").await;
    }

    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.names.namespace)
    }

    /// An object, or a line that says why not.
    async fn get<K>(&self, report: &mut Report, name: &str, field: &str) -> Option<K>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let kind = K::kind(&K::DynamicType::default()).into_owned();
        let shown = format!("{kind} {}/{name}", self.names.namespace);
        match self.api::<K>().get_opt(name).await {
            Ok(Some(object)) => Some(object),
            Ok(None) => {
                let advice = format!(
                    "it does not exist: kubectl apply -k k8s/overlays/..., or name yours in the plan: cluster.{field}"
                );
                report.failed(&shown, &advice);
                None
            }
            Err(error) => {
                report.failed(&format!("{shown}: {}", words(&error)), READ);
                None
            }
        }
    }

    async fn namespace(&self, report: &mut Report) -> bool {
        let name = &self.names.namespace;
        let api: Api<Namespace> = Api::all(self.client.clone());
        match api.get_opt(name).await {
            Ok(Some(_)) => report.ok(&format!("Namespace {name}")),
            Ok(None) => {
                report.failed(
                    &format!("Namespace {name}"),
                    "it does not exist: name another with --namespace, or kubectl apply -k k8s/overlays/...",
                );
                return false;
            }
            Err(error) => report.not_checked(
                &format!("Namespace {name}: {}", words(&error)),
                "its objects tell whether it is there",
            ),
        }
        true
    }

    async fn deployment(&self, report: &mut Report) {
        let name = &self.names.deployment;
        let Some(found) = self.get::<Deployment>(report, name, "deployment").await else {
            return;
        };
        let status = found.status.clone().unwrap_or_default();
        let wanted = { found.spec.as_ref() }.and_then(|spec| spec.replicas);
        let wanted = wanted.unwrap_or(1);
        let (updated, available) = (status.updated_replicas, status.available_replicas);
        let (updated, available) = (updated.unwrap_or(0), available.unwrap_or(0));
        let current = status.observed_generation >= found.metadata.generation;
        let done = current
            && wanted > 0
            && updated == wanted
            && available == wanted
            && status.replicas == Some(wanted);
        report.hold(
            done,
            &format!(
                "Deployment {name}: {available} of {wanted} replicas available, {updated} of the newest template"
            ),
            &format!(
                "it is not rolled out: kubectl -n {0} rollout status deployment/{name}; kubectl -n {0} describe deployment/{name}",
                self.names.namespace
            ),
        );
        resources(&found, report);
    }

    async fn hpa(&self, report: &mut Report) {
        let name = &self.names.hpa;
        let Some(hpa) = { self.get::<HorizontalPodAutoscaler>(report, name, "hpa") }.await else {
            return;
        };
        let spec = hpa.spec.unwrap_or_default();
        let status = hpa.status.unwrap_or_default();
        let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
        let target = &spec.scale_target_ref;
        let mine = target.kind == "Deployment" && target.name == self.names.deployment;
        report.hold(
            mine,
            &format!(
                "HPA {name} scales {} {}, {min} to {max} replicas",
                target.kind, target.name
            ),
            &format!(
                "the plan's Deployment is {}: see cluster.hpa",
                self.names.deployment
            ),
        );
        let conditions = status.conditions.unwrap_or_default();
        let active = conditions.iter().find(|c| c.type_ == "ScalingActive");
        let said = active.map(|c| {
            let (reason, message) = (c.reason.clone(), c.message.clone());
            match c.status.as_str() {
                "True" => reason.unwrap_or_default(),
                _ => format!(
                    "{}: {}",
                    reason.unwrap_or_default(),
                    message.unwrap_or_default()
                ),
            }
        });
        let said = said.unwrap_or_else(|| "it has not looked yet".to_owned());
        report.hold(
            active.is_some_and(|c| c.status == "True"),
            &format!("HPA {name} has its metrics: {said}"),
            "it scales nothing: is metrics-server there, has every container a CPU request, have the pods run for a minute?",
        );
    }

    /// metrics-server, by what it says of the service's pods.
    async fn metrics(&self, report: &mut Report) {
        let mut last = String::new();
        for version in ["v1", "v1beta1"] {
            let uri = format!(
                "/apis/metrics.k8s.io/{version}/namespaces/{}/pods?labelSelector={}",
                self.names.namespace,
                self.names.label.replace('=', "%3D")
            );
            let Ok(request) = http::Request::get(uri).body(Vec::new()) else {
                continue;
            };
            match self.client.request::<serde_json::Value>(request).await {
                Ok(answer) => {
                    let pods = answer["items"].as_array().map_or(0, Vec::len);
                    return report.hold(
                        pods > 0,
                        &format!("metrics-server knows the CPU of {pods} pods of the service"),
                        "a new pod's first figure takes a minute; then: kubectl top pods",
                    );
                }
                Err(error) => last = words(&error),
            }
        }
        report.failed(
            &format!("metrics-server: {last}"),
            "without it the HPA scales nothing, and no report knows the pods' CPU: install it (GKE has it)",
        );
    }

    async fn budget(&self, report: &mut Report) {
        let (key, value) = self.names.label.split_once('=').unwrap_or_default();
        let budgets = match self
            .api::<PodDisruptionBudget>()
            .list(&ListParams::default())
            .await
        {
            Ok(budgets) => budgets.items,
            Err(error) => {
                let what = format!("PodDisruptionBudget: {}", words(&error));
                return report.not_checked(&what, READ);
            }
        };
        let of_service = budgets.into_iter().find(|budget| {
            let selector = budget.spec.as_ref().and_then(|s| s.selector.as_ref());
            let labels = selector.and_then(|s| s.match_labels.as_ref());
            labels.is_some_and(|labels| labels.get(key).is_some_and(|v| v == value))
        });
        let Some(budget) = of_service else {
            return report.failed(
                &format!("PodDisruptionBudget for {}", self.names.label),
                "there is none: draining a node may end every pod at once (k8s/base/api-pdb.yaml)",
            );
        };
        let allowed = budget.status.as_ref().map_or(0, |s| s.disruptions_allowed);
        report.hold(
            allowed > 0,
            &format!("PodDisruptionBudget {}: {allowed} pods may be evicted now", budget.name_any()),
            "no node can be drained, and evict_pod is refused: minAvailable must be less than the ready pods",
        );
    }
}

pub(super) const READ: &str =
    "the Role verifier-read allows it (k8s/components/verifier-access/read.yaml)";

/// Requests that the HPA needs, and no limit.
fn resources(deployment: &Deployment, report: &mut Report) {
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|s| s.template.spec.as_ref());
    let containers = pod.map(|pod| pod.containers.as_slice()).unwrap_or_default();
    let named = |take: fn(&k8s_openapi::api::core::v1::ResourceRequirements) -> bool| {
        let found = containers
            .iter()
            .filter(|c| take(&c.resources.clone().unwrap_or_default()));
        found.map(|c| c.name.clone()).collect::<Vec<_>>().join(", ")
    };
    let limited = named(|r| r.limits.as_ref().is_some_and(|l| l.contains_key("cpu")));
    report.hold(
        limited.is_empty(),
        "no container of the service has a CPU limit",
        &format!("{limited} has one: throttling is latency at p99, and caps the utilisation that the HPA sees"),
    );
    let unasked = named(|r| !r.requests.as_ref().is_some_and(|l| l.contains_key("cpu")));
    report.hold(
        unasked.is_empty(),
        "every container of the service asks for CPU",
        &format!("{unasked} does not: an HPA on CPU utilisation scales nothing then"),
    );
}

/// An error of the API, without its JSON.
pub(super) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} ({})", status.message, status.code),
        error => error.to_string(),
    }
}
