//! Which objects of a Kubernetes cluster a run watches, and which faults may touch.

use super::duration;
use anyhow::ensure;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The service's objects; a plan without this section watches no cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// Their namespace.
    pub namespace: String,
    /// The Deployment under load.
    pub deployment: String,
    /// Its HorizontalPodAutoscaler.
    pub hpa: String,
    /// The Service that requests go through.
    pub service: String,
    /// `key=value` that every pod of the Deployment carries. Faults touch no pod without it.
    pub label: String,
    /// `key=value` of the collector's pods.
    pub collector_label: String,
    /// How long the cluster is watched on after the load, e.g. to see the HPA take replicas away.
    #[serde(with = "duration")]
    pub settle: Duration,
}

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster {
            namespace: "iris".into(),
            deployment: "iris-prediction-api".into(),
            hpa: "iris-prediction-api-hpa".into(),
            service: "iris-prediction-api-service".into(),
            label: "app=iris-prediction-api".into(),
            collector_label: "app=otel-collector".into(),
            settle: Duration::ZERO,
        }
    }
}

impl Cluster {
    /// Holds that no selector is wider than one label.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for (field, label) in [
            ("label", &self.label),
            ("collector_label", &self.collector_label),
        ] {
            let parts = label.split_once('=');
            ensure!(
                parts.is_some_and(|(key, value)| !key.is_empty()
                    && !value.is_empty()
                    && !value.contains(['=', ','])),
                "cluster.{field}: {label:?} is no label like app=iris-prediction-api"
            );
        }
        for (field, name) in [
            ("namespace", &self.namespace),
            ("deployment", &self.deployment),
            ("hpa", &self.hpa),
            ("service", &self.service),
        ] {
            ensure!(!name.is_empty(), "cluster.{field} is empty");
        }
        Ok(())
    }
}
