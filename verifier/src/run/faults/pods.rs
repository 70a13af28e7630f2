//! Pods that a fault ends: chosen among the Deployment's, deleted or evicted, each by its UID.

use super::answer::{Refusal, answered};
use super::deed::Deed;
use super::pick::pick;
use super::reach::{Reach, is_ready};
use super::turn::Turn;
use crate::record::cluster::Hit;
use futures_util::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::core::Status;
use kube::{Api, ResourceExt};

/// How pods are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// With their own grace period.
    Delete,
    /// With none.
    Force,
    /// By the eviction API, which holds the PodDisruptionBudgets.
    Evict,
}

impl How {
    fn doing(self) -> &'static str {
        match self {
            How::Delete => "deleting",
            How::Force => "deleting by force (grace period 0)",
            How::Evict => "evicting",
        }
    }

    fn done(self, dry: bool) -> &'static str {
        match (self, dry) {
            (How::Delete, false) => "deleted",
            (How::Force, false) => "deleted by force (grace period 0)",
            (How::Evict, false) => "evicted",
            (How::Delete, true) => "would be deleted",
            (How::Force, true) => "would be deleted by force (grace period 0)",
            (How::Evict, true) => "would be evicted",
        }
    }
}

/// A pod, and its place among those that it was chosen from.
pub(super) struct Victim {
    pub(super) pod: Pod,
    place: String,
}

/// `count` of the Deployment's ready pods, by the plan's seed; an error in words beside them where there were fewer.
///
/// # Errors
/// In words, when there is none, or a guard forbids.
pub(super) async fn ready(
    reach: &Reach,
    count: u16,
    seed: u64,
) -> Result<(Vec<Victim>, Option<String>), String> {
    let mut pods = reach.pods().await.map_err(|error| format!("{error:#}"))?;
    pods.retain(is_ready);
    let (of, count) = (pods.len(), usize::from(count));
    if of == 0 {
        return Err(format!("no pod of {} is ready", reach.shown()));
    }
    let picked = pick(of, count, seed);
    let fewer =
        (picked.len() < count).then(|| format!("only {of} of {count} pods: no more are ready"));
    let mut pods: Vec<Option<Pod>> = pods.into_iter().map(Some).collect();
    let victims = picked.into_iter().filter_map(|at| {
        let place = format!("number {} by age of {of} ready", at + 1);
        pods[at].take().map(|pod| Victim { pod, place })
    });
    Ok((victims.collect(), fewer))
}

/// Every pod of the Deployment that nobody has deleted yet, ready or not.
///
/// # Errors
/// In words, when there is none, or a guard forbids.
pub(super) async fn all(reach: &Reach) -> Result<Vec<Victim>, String> {
    let pods = reach.pods().await.map_err(|error| format!("{error:#}"))?;
    if pods.is_empty() {
        return Err(format!("{} has no pod", reach.shown()));
    }
    let of = pods.len();
    let victims = pods.into_iter().map(|pod| Victim {
        pod,
        place: format!("all {of}"),
    });
    Ok(victims.collect())
}

/// Pods that are not the Deployment's, as somebody else has chosen and guarded them.
pub(super) fn chosen(pods: Vec<Pod>) -> Vec<Victim> {
    let of = pods.len();
    let place = format!("all {of}");
    let victim = |pod| Victim {
        pod,
        place: place.clone(),
    };
    pods.into_iter().map(victim).collect()
}

/// Ends them, all at once.
pub(super) async fn end(reach: &Reach, victims: Vec<Victim>, how: How, turn: &Turn<'_>) -> Deed {
    let api: Api<Pod> = reach.api();
    let namespace = &reach.names().namespace;
    for Victim { pod, .. } in &victims {
        let (name, uid) = (pod.name_any(), pod.uid().unwrap_or_default());
        turn.tell(&format!(
            "{} pod {namespace}/{name} (uid {uid})",
            how.doing()
        ));
    }
    let asked_ns = turn.now_ns();
    let calls = victims
        .iter()
        .map(|victim| one(&api, &victim.pod, how, turn.dry));
    let answers = join_all(calls).await;
    let mut deed = Deed {
        asked_ns,
        ..Deed::default()
    };
    for (victim, answer) in victims.into_iter().zip(answers) {
        let name = victim.pod.name_any();
        match answer {
            Ok(()) => deed.hits.push(Hit {
                what: format!("{}, {}", how.done(turn.dry), victim.place),
                uid: victim.pod.uid().unwrap_or_default(),
                name,
            }),
            Err(refusal) => deed.errors.push(refused(&name, how, &refusal)),
        }
    }
    deed
}

async fn one(api: &Api<Pod>, pod: &Pod, how: How, dry: bool) -> Result<(), Refusal> {
    let name = pod.name_any();
    if how == How::Evict {
        return evict(api, pod, dry).await;
    }
    let params = DeleteParams {
        dry_run: dry,
        grace_period_seconds: (how == How::Force).then_some(0),
        // A pod that came again under this name is another.
        preconditions: Some(Preconditions {
            uid: pod.uid(),
            resource_version: None,
        }),
        propagation_policy: None,
    };
    answered(api.delete(&name, &params)).await.map(drop)
}

/// `Api::evict` of kube 5.0 writes `delete_options`, which the API server does not know: the UID would not hold.
async fn evict(api: &Api<Pod>, pod: &Pod, dry: bool) -> Result<(), Refusal> {
    let name = pod.name_any();
    let eviction = Eviction {
        metadata: meta::ObjectMeta {
            name: Some(name.clone()),
            ..meta::ObjectMeta::default()
        },
        delete_options: Some(meta::DeleteOptions {
            dry_run: dry.then(|| vec!["All".to_owned()]),
            preconditions: Some(meta::Preconditions {
                uid: pod.uid(),
                resource_version: None,
            }),
            ..meta::DeleteOptions::default()
        }),
    };
    let params = PostParams {
        dry_run: dry,
        ..PostParams::default()
    };
    let call = api.create_subresource::<Eviction, Status>("eviction", &name, &params, &eviction);
    answered(call).await.map(drop)
}

fn refused(name: &str, how: How, refusal: &Refusal) -> String {
    let why = if refusal.is(429) && how == How::Evict {
        "a PodDisruptionBudget refused its eviction, which is not tried again: "
    } else if refusal.is(404) || refusal.is(409) {
        "it was gone already: "
    } else {
        ""
    };
    format!("pod {name}: {why}{refusal}")
}
