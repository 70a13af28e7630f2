//! What the account may do: the plan's faults in, asked of the API one by one, what is missing out.

use super::answer::answered;
use crate::plan::{Action, Fault};
use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use std::collections::BTreeSet;
use std::fmt;

/// One thing that the account must be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Whose role it stands in, as the project's manifests name it.
    pub role: Role,
    /// `get`, `delete`.
    pub verb: &'static str,
    /// API group; empty for the core.
    pub group: &'static str,
    /// `pods`, `deployments/scale`.
    pub resource: &'static str,
}

/// Roles in the project's manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To look on.
    Read,
    /// To break things.
    Faults,
    /// To cordon nodes, which belong to no namespace.
    Cordon,
}

impl Role {
    /// Kind, name and place of it.
    pub fn words(self) -> &'static str {
        match self {
            Role::Read => "the Role verifier-read (k8s/components/verifier-access/read.yaml)",
            Role::Faults => "the Role verifier-faults (k8s/components/verifier-access/faults.yaml)",
            Role::Cordon => {
                "the ClusterRole iris-verifier-cordon (k8s/components/cordon/cordon.yaml)"
            }
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

const fn need(role: Role, verb: &'static str, group: &'static str, resource: &'static str) -> Need {
    Need {
        role,
        verb,
        group,
        resource,
    }
}

/// For every fault: the guards look, and the lease is taken.
const ALWAYS: [Need; 6] = [
    need(Role::Read, "get", "apps", "deployments"),
    need(Role::Read, "list", "apps", "replicasets"),
    need(Role::Read, "list", "", "pods"),
    need(Role::Faults, "get", "coordination.k8s.io", "leases"),
    need(Role::Faults, "create", "coordination.k8s.io", "leases"),
    need(Role::Faults, "update", "coordination.k8s.io", "leases"),
];

fn of_action(action: Action) -> &'static [Need] {
    const DELETE: &[Need] = &[need(Role::Faults, "delete", "", "pods")];
    const EVICT: &[Need] = &[need(Role::Faults, "create", "", "pods/eviction")];
    const SCALE: &[Need] = &[
        need(
            Role::Read,
            "list",
            "autoscaling",
            "horizontalpodautoscalers",
        ),
        need(Role::Faults, "get", "apps", "deployments/scale"),
        need(Role::Faults, "patch", "apps", "deployments/scale"),
    ];
    const ROLLOUT: &[Need] = &[need(Role::Faults, "patch", "apps", "deployments")];
    const CORDON: &[Need] = &[
        need(Role::Cordon, "get", "", "nodes"),
        need(Role::Cordon, "patch", "", "nodes"),
    ];
    match action {
        Action::DeletePod
        | Action::ForceDeletePod
        | Action::DeleteAllPods
        | Action::RestartCollector => DELETE,
        Action::EvictPod => EVICT,
        Action::Scale => SCALE,
        Action::RolloutRestart => ROLLOUT,
        Action::Cordon => CORDON,
        Action::Sigterm | Action::Sigkill | Action::Sigstop => &[],
    }
}

/// What these faults need, each once.
pub fn needs(faults: &[Fault]) -> Vec<Need> {
    let actions: Vec<Action> = faults.iter().map(|fault| fault.action).collect();
    needs_of(&actions)
}

/// What these actions need, each once; nothing, where all of them are of processes.
pub fn needs_of(actions: &[Action]) -> Vec<Need> {
    if actions.iter().all(|action| action.of_processes()) {
        return Vec::new();
    }
    let of_actions = actions.iter().flat_map(|action| of_action(*action));
    let all: BTreeSet<Need> = ALWAYS.iter().chain(of_actions).copied().collect();
    all.into_iter().collect()
}

/// Those of them that the account may not do.
///
/// # Errors
/// When the API does not tell.
pub async fn missing(client: &Client, namespace: &str, needs: &[Need]) -> Result<Vec<Need>> {
    let allowed = needs.iter().map(|need| allowed(client, namespace, *need));
    let allowed = try_join_all(allowed).await?;
    let missing = needs.iter().zip(allowed).filter(|(_, allowed)| !allowed);
    Ok(missing.map(|(need, _)| *need).collect())
}

/// Holds that nothing is missing.
///
/// # Errors
/// Naming each verb and resource, and the role that has them.
pub(super) async fn hold(client: &Client, namespace: &str, needs: &[Need]) -> Result<()> {
    let missing = missing(client, namespace, needs).await?;
    let listed: Vec<String> = missing.iter().map(Need::to_string).collect();
    let roles: BTreeSet<Role> = missing.iter().map(|need| need.role).collect();
    let roles: Vec<&str> = roles.into_iter().map(Role::words).collect();
    ensure!(
        missing.is_empty(),
        "the plan's faults need what this account may not do in namespace {namespace:?}: {}; bind {} to it, or run with --no-faults",
        listed.join(", "),
        roles.join(" and ")
    );
    Ok(())
}

async fn allowed(client: &Client, namespace: &str, need: Need) -> Result<bool> {
    let (resource, subresource) = match need.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (need.resource, None),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: (need.role != Role::Cordon).then(|| namespace.to_owned()),
                verb: Some(need.verb.to_owned()),
                group: Some(need.group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = { answered(api.create(&PostParams::default(), &review)).await }
        .with_context(|| format!("cannot ask whether this account may {need}"))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    fn listed(actions: &str) -> Vec<String> {
        let text = format!(
            "name = 'x'\n[cluster]\n[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nduration = '9s'\n{actions}"
        );
        let faults = Plan::parse(&text, "x").unwrap().faults;
        needs(&faults).iter().map(Need::to_string).collect()
    }

    #[test]
    fn exactly_what_the_plans_faults_need() {
        let always = [
            "get deployments.apps",
            "list replicasets.apps",
            "create leases.coordination.k8s.io",
            "get leases.coordination.k8s.io",
            "update leases.coordination.k8s.io",
        ];
        let delete = listed(
            "[[fault]]\nname='a'\naction='delete_pod'\n[[fault]]\nname='b'\naction='force_delete_pod'",
        );
        for need in always.iter().chain(&["list pods", "delete pods"]) {
            assert!(delete.iter().any(|n| n == need), "{need}: {delete:?}");
        }
        assert_eq!(delete.len(), 7, "each once: {delete:?}");
        let evict = listed("[[fault]]\nname='a'\naction='evict_pod'");
        assert!(evict.contains(&"create pods/eviction".to_owned()));
        assert!(!evict.contains(&"delete pods".to_owned()));
        assert!(listed("[[fault]]\nname='a'\naction='sigkill'").is_empty());
        assert!(listed("").is_empty());
    }
}
