//! The Kubernetes cluster.

use crate::plan::Plan;
use crate::run::kubernetes::Access;
use clap::Args;
use std::path::PathBuf;

/// Which cluster is watched, and as whom; with any of these, or a plan with a `[cluster]`, one is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kubernetes (watched with any of these, or a plan with a [cluster])")]
pub struct ClusterArgs {
    /// The way into the cluster [default: $KUBECONFIG, ~/.kube/config, or in a pod its service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace of the service [default: the plan's, or iris]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl ClusterArgs {
    /// As the way into the cluster.
    pub fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }

    /// The plan with a `[cluster]`, where one is asked for.
    pub fn asked(&self, mut plan: Plan) -> Plan {
        if self.access() != Access::default() || self.namespace.is_some() {
            plan.cluster.get_or_insert_default();
        }
        plan
    }
}
