//! The HorizontalPodAutoscaler: the API's object in, its line in the journal out.

use super::board::Board;
use super::reading::{count, text, unix_ns};
use super::watching::Kind;
use crate::record::Observation;
use crate::record::cluster::{Condition, Hpa, Watched};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::{Api, Client, ResourceExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The one that the plan names.
pub(super) struct Hpas(pub(super) Arc<Board>);

impl Kind for Hpas {
    type Object = HorizontalPodAutoscaler;
    type Record = Hpa;

    fn of(&self) -> Watched {
        Watched::Hpa
    }

    fn api(&self, client: Client) -> Api<Self::Object> {
        Api::namespaced(client, &self.0.plan.namespace)
    }

    fn selectors(&self) -> (Option<String>, Option<String>) {
        (None, Some(format!("metadata.name={}", self.0.plan.hpa)))
    }

    fn record(&self, object: &Self::Object) -> Hpa {
        record(object)
    }

    fn gone(&self, record: Hpa) -> Option<Hpa> {
        Some(Hpa {
            deleted: true,
            ..record
        })
    }

    fn observation(&self, record: &Hpa) -> Observation {
        Observation::Hpa(record.clone())
    }

    fn all(&mut self, known: &BTreeMap<String, Hpa>) {
        let hpa = known.values().next();
        self.0.summary().hpa = hpa.map(|hpa| (hpa.min, hpa.max, hpa.target_cpu_percent));
        // 0: it has not looked yet, and the Deployment's own count holds.
        if let Some(hpa) = hpa.filter(|hpa| hpa.desired > 0) {
            self.0.desired(hpa.desired, true);
        }
    }

    fn absent(&self) -> Option<String> {
        let plan = &self.0.plan;
        Some(format!(
            "the namespace {} has no HorizontalPodAutoscaler {}",
            plan.namespace, plan.hpa
        ))
    }
}

fn record(hpa: &HorizontalPodAutoscaler) -> Hpa {
    let (spec, status) = (hpa.spec.as_ref(), hpa.status.as_ref());
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let conditions = conditions.into_iter().flatten().map(|condition| Condition {
        name: condition.type_.clone(),
        status: condition.status.clone(),
        reason: text(condition.reason.as_ref()),
        message: text(condition.message.as_ref()),
        since_unix_ns: unix_ns(condition.last_transition_time.as_ref()),
    });
    Hpa {
        name: hpa.name_any(),
        deleted: false,
        // The API's own default.
        min: spec.map_or(0, |spec| count(spec.min_replicas.or(Some(1)))),
        max: spec.map_or(0, |spec| count(Some(spec.max_replicas))),
        current: status.map_or(0, |status| count(status.current_replicas)),
        desired: status.map_or(0, |status| count(Some(status.desired_replicas))),
        cpu_percent: current_cpu(hpa),
        target_cpu_percent: target_cpu(hpa),
        last_scale_unix_ns: status.and_then(|status| unix_ns(status.last_scale_time.as_ref())),
        conditions: conditions.collect(),
    }
}

/// Of the pods, or of one container in each.
fn current_cpu(hpa: &HorizontalPodAutoscaler) -> Option<i64> {
    let metrics = hpa.status.as_ref()?.current_metrics.as_ref()?;
    metrics.iter().find_map(|metric| {
        let of_pods = metric.resource.as_ref().map(|r| (&r.name, &r.current));
        let of_container = metric.container_resource.as_ref();
        let (name, current) = of_pods.or(of_container.map(|r| (&r.name, &r.current)))?;
        let percent = current.average_utilization.filter(|_| name == "cpu")?;
        Some(percent.into())
    })
}

fn target_cpu(hpa: &HorizontalPodAutoscaler) -> Option<i64> {
    let metrics = hpa.spec.as_ref()?.metrics.as_ref()?;
    metrics.iter().find_map(|metric| {
        let of_pods = metric.resource.as_ref().map(|r| (&r.name, &r.target));
        let of_container = metric.container_resource.as_ref();
        let (name, target) = of_pods.or(of_container.map(|r| (&r.name, &r.target)))?;
        let percent = target.average_utilization.filter(|_| name == "cpu")?;
        Some(percent.into())
    })
}

#[cfg(test)]
mod tests;
