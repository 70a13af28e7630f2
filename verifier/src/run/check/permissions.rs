//! What the account may do in the cluster: what watching needs, and what faults need.

use super::report::Report;
use crate::plan::{Action, Fault};
use crate::run::faults::permissions::{Need, Role, missing, needs_of};
use kube::Client;

/// Asks for each.
pub(super) async fn check(client: &Client, namespace: &str, faults: &[Fault], report: &mut Report) {
    match missing(client, namespace, &watching()).await {
        Err(error) => return report.not_checked("permissions", &format!("{error:#}")),
        Ok(missing) => report.hold(
            missing.is_empty(),
            "this account may read what a run watches",
            &may_not(&missing, "what it can not read is missing in the report"),
        ),
    }
    let planned: Vec<Action> = faults.iter().map(|fault| fault.action).collect();
    let asked = !planned.is_empty();
    let actions = if asked { planned } else { ALL.to_vec() };
    let faults = needs_of(&actions);
    match missing(client, namespace, &faults).await {
        Err(error) => report.not_checked("permissions of faults", &format!("{error:#}")),
        Ok(missing) if missing.is_empty() && asked => {
            report.ok("this account may do the plan's faults");
        }
        Ok(missing) if missing.is_empty() => report.ok("this account may do every fault"),
        Ok(missing) if asked => report.failed(
            "this account may not do all of the plan's faults",
            &may_not(&missing, "or run with --no-faults"),
        ),
        Ok(missing) => report.not_checked(
            "faults: this account may not do all of them",
            &may_not(&missing, "only plans with such faults need it"),
        ),
    }
}

/// Every fault of a cluster.
const ALL: [Action; 8] = [
    Action::DeletePod,
    Action::ForceDeletePod,
    Action::DeleteAllPods,
    Action::EvictPod,
    Action::Scale,
    Action::RolloutRestart,
    Action::RestartCollector,
    Action::Cordon,
];

/// As run/cluster asks for them; nodes, which belong to no namespace, are no loss without a role.
fn watching() -> Vec<Need> {
    let read = |verb, group, resource| Need {
        role: Role::Read,
        verb,
        group,
        resource,
    };
    let watched = [
        ("", "pods"),
        ("", "events"),
        ("apps", "deployments"),
        ("apps", "replicasets"),
        ("autoscaling", "horizontalpodautoscalers"),
        ("discovery.k8s.io", "endpointslices"),
    ];
    let listed = watched.map(|(group, resource)| read("list", group, resource));
    let followed = watched.map(|(group, resource)| read("watch", group, resource));
    let mut needs: Vec<Need> = listed.into_iter().chain(followed).collect();
    needs.push(read("get", "", "pods/log"));
    needs.push(read("list", "metrics.k8s.io", "pods"));
    needs
}

fn may_not(missing: &[Need], else_: &str) -> String {
    let listed: Vec<String> = missing.iter().map(Need::to_string).collect();
    let mut roles: Vec<Role> = missing.iter().map(|need| need.role).collect();
    roles.sort_unstable();
    roles.dedup();
    let roles: Vec<&str> = roles.into_iter().map(Role::words).collect();
    format!(
        "it may not {}: bind {} to it; {else_}",
        listed.join(", "),
        roles.join(" and ")
    )
}
