//! One pod: the API's object in, what is kept of it out.

use super::super::reading::{count, owner, text, unix_ns};
use crate::record::cluster::{Pod, Terminated, Why};
use k8s_openapi::api::core::v1 as api;
use kube::ResourceExt;
use std::net::{IpAddr, SocketAddr};

/// A pod, and what is needed to ask it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Seen {
    /// As it is journalled.
    pub(in super::super) pod: Pod,
    /// Its container: the one that is named like the Deployment, or the first.
    pub(in super::super) container: String,
    /// Where its container answers, while it runs and is ready, or is asked to end.
    pub(in super::super) address: Option<SocketAddr>,
    /// How its container ended, once no more of it is to come.
    pub(in super::super) ended: Option<Ended>,
}

/// The end of a container, and where its log is.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Ended {
    pub(in super::super) how: Terminated,
    /// Another has been started since.
    pub(in super::super) previous: bool,
}

/// What is kept.
pub(in super::super) fn seen(pod: &api::Pod, deployment: &str, collector: bool) -> Seen {
    let (spec, status) = (pod.spec.as_ref(), pod.status.as_ref());
    let containers = spec.map_or(&[][..], |spec| spec.containers.as_slice());
    let named = containers.iter().find(|c| c.name == deployment);
    let container = named.or(containers.first());
    let name = container.map(|c| c.name.clone()).unwrap_or_default();
    let of_container = status.and_then(|status| {
        let all = status.container_statuses.iter().flatten();
        all.into_iter().find(|c| c.name == name)
    });
    let state = of_container.and_then(|c| c.state.as_ref());
    let running = state.and_then(|state| state.running.as_ref());
    let ready = condition(status, "Ready");
    let is_ready = ready.is_some_and(|condition| condition.status == "True");
    let deletion = pod.metadata.deletion_timestamp.as_ref();
    let scheduled = condition(status, "PodScheduled");
    let ip = status.and_then(|status| status.pod_ip.clone());
    let serving = running.is_some() && (is_ready || deletion.is_some());
    let phase = text(status.and_then(|status| status.phase.as_ref()));
    let terminated = terminated(of_container, &phase);
    let address = address(ip.as_deref(), container).filter(|_| serving);
    let pod = Pod {
        uid: pod.uid().unwrap_or_default(),
        name: pod.name_any(),
        collector,
        deleted: false,
        owner: owner(&pod.metadata),
        node: spec.and_then(|spec| spec.node_name.clone()),
        ip,
        created_unix_ns: unix_ns(pod.metadata.creation_timestamp.as_ref()),
        scheduled_unix_ns: scheduled
            .filter(|condition| condition.status == "True")
            .and_then(|condition| unix_ns(condition.last_transition_time.as_ref())),
        started_unix_ns: running.and_then(|running| unix_ns(running.started_at.as_ref())),
        ready: is_ready,
        ready_since_unix_ns: ready.and_then(|c| unix_ns(c.last_transition_time.as_ref())),
        deletion_unix_ns: unix_ns(deletion),
        grace_seconds: deletion.and(pod.metadata.deletion_grace_period_seconds),
        restarts: of_container.map_or(0, |c| count(Some(c.restart_count))),
        waiting: waiting(status, state),
        pending: scheduled.filter(|c| c.status == "False").map(why),
        disruption: disruption(status),
        terminated: terminated.as_ref().map(|(how, _)| how.clone()),
        phase,
    };
    let ended = terminated.filter(|(_, over)| *over).map(|(how, _)| Ended {
        how,
        previous: !matches!(pod.phase.as_str(), "Failed" | "Succeeded"),
    });
    Seen {
        pod,
        container: name,
        address,
        ended,
    }
}

fn condition<'s>(status: Option<&'s api::PodStatus>, name: &str) -> Option<&'s api::PodCondition> {
    let conditions = status?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == name)
}

fn why(condition: &api::PodCondition) -> Why {
    Why {
        reason: text(condition.reason.as_ref()),
        message: text(condition.message.as_ref()),
    }
}

/// How its container last ended, and whether its log is whole: another runs or waits in its place, or none ever will.
fn terminated(container: Option<&api::ContainerStatus>, phase: &str) -> Option<(Terminated, bool)> {
    let container = container?;
    let now = { container.state.as_ref() }.and_then(|state| state.terminated.as_ref());
    let before = { container.last_state.as_ref() }.and_then(|state| state.terminated.as_ref());
    let over = now.is_none() || matches!(phase, "Failed" | "Succeeded");
    let how = now.or(before)?;
    let how = Terminated {
        reason: text(how.reason.as_ref()),
        exit_code: how.exit_code,
        finished_unix_ns: unix_ns(how.finished_at.as_ref()),
    };
    Some((how, over))
}

/// Why its container waits; behind `PodInitializing` is what the init container says.
fn waiting(status: Option<&api::PodStatus>, state: Option<&api::ContainerState>) -> Option<Why> {
    let words = |waiting: &api::ContainerStateWaiting| Why {
        reason: text(waiting.reason.as_ref()),
        message: text(waiting.message.as_ref()),
    };
    let own = words(state?.waiting.as_ref()?);
    if own.reason != "PodInitializing" {
        return Some(own);
    }
    let first = status?.init_container_statuses.iter().flatten();
    let mut first = first.filter_map(|c| c.state.as_ref()?.waiting.as_ref());
    Some(first.next().map_or(own, words))
}

/// Who ends it; of a kubelet that sets no condition, what it says of the pod.
fn disruption(status: Option<&api::PodStatus>) -> Option<Why> {
    let target = condition(status, "DisruptionTarget").filter(|c| c.status == "True");
    target.map(why).or_else(|| {
        let status = status?;
        status.reason.as_ref().map(|reason| Why {
            reason: reason.clone(),
            message: text(status.message.as_ref()),
        })
    })
}

/// The port that is named `http`, or the first.
fn address(ip: Option<&str>, container: Option<&api::Container>) -> Option<SocketAddr> {
    let ip: IpAddr = ip?.parse().ok()?;
    let ports = container?.ports.as_ref()?;
    let named = ports
        .iter()
        .find(|port| port.name.as_deref() == Some("http"));
    let port = named.or(ports.first())?.container_port;
    Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
}

#[cfg(test)]
mod tests;
