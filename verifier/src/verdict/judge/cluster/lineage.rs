//! Why each pod is there. A ReplicaSet makes pods when its scale is raised and when one of its pods ends; they are matched
//! with these causes in the order of time, so that a pod of a scale-up is not taken for a replacement.

use crate::verdict::align::cluster::{ClusterSeen, PodLife};
use crate::verdict::cluster::Why;
use std::collections::BTreeMap;

/// Two watches may tell of cause and effect in the wrong order by so much.
const SLACK_NS: u64 = 1_500_000_000;

/// What is known of the pods' causes.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineage {
    /// For each pod, by its place: why it is there.
    pub why: Vec<Why>,
    /// For each pod: a cause of another kind came so close that it might be that as well.
    pub ambiguous: Vec<bool>,
    /// For each pod: it ended because the scale was lowered, or by a rollout.
    pub let_go: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    ScaleUp,
    Rollout,
    Ended(usize),
}

/// Finds out.
pub(super) fn of(seen: &ClusterSeen) -> Lineage {
    let pods = &seen.pods;
    let mut lineage = Lineage {
        why: vec![Why::Unknown; pods.len()],
        ambiguous: vec![false; pods.len()],
        let_go: vec![false; pods.len()],
    };
    let hit: Vec<&str> = { seen.faults.iter().flat_map(|fault| &fault.hits) }
        .map(|hit| hit.uid.as_str())
        .collect();
    let mut owners: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, pod) in pods.iter().enumerate() {
        owners
            .entry(pod.last.owner.as_str())
            .or_default()
            .push(place);
    }
    for (owner, places) in owners {
        let changes = scale_of(seen, owner);
        let mut causes = ends(pods, &places, &changes, &hit, &mut lineage.let_go);
        for (at_ns, from, to, rollout) in &changes {
            let cause = if *rollout {
                Cause::Rollout
            } else {
                Cause::ScaleUp
            };
            causes.extend((*from..*to).map(|_| (*at_ns, cause)));
        }
        causes.sort_by_key(|(at_ns, _)| *at_ns);
        let mut left: Vec<(u64, Cause)> = causes.clone();
        for place in places {
            if pods[place].at_start {
                lineage.why[place] = Why::AtStart;
                continue;
            }
            let seen_ns = pods[place].seen_ns;
            let Some(first) = left
                .first()
                .copied()
                .filter(|(at_ns, _)| *at_ns <= seen_ns + SLACK_NS)
            else {
                continue;
            };
            left.remove(0);
            lineage.ambiguous[place] = causes.iter().any(|(at_ns, cause)| {
                at_ns.abs_diff(first.0) <= SLACK_NS && kind(*cause) != kind(first.1)
            });
            lineage.why[place] = match first.1 {
                Cause::ScaleUp => Why::ScaleUp,
                Cause::Rollout => Why::Rollout,
                Cause::Ended(victim) => Why::Replaces(pods[victim].last.name.clone()),
            };
        }
    }
    lineage
}

fn kind(cause: Cause) -> u8 {
    match cause {
        Cause::ScaleUp => 0,
        Cause::Rollout => 1,
        Cause::Ended(_) => 2,
    }
}

/// Changes of a ReplicaSet's scale: when, from, to, and whether a rollout did it.
type Changes = Vec<(u64, u32, u32, bool)>;

fn scale_of(seen: &ClusterSeen, owner: &str) -> Changes {
    let first_revision = seen.deployment.first().map(|(_, state)| &state.revision);
    let mut changes = Changes::new();
    let mut last: Option<u32> = None;
    let sets = seen
        .replica_sets
        .iter()
        .filter(|(_, set)| set.name == owner);
    let began_ns = seen.replica_sets.iter().map(|(at_ns, _)| *at_ns).min();
    for (at_ns, set) in sets {
        let desired = if set.deleted { 0 } else { set.desired };
        // One that was made during the run began at none.
        let made_later = began_ns.is_some_and(|began| *at_ns > began + SLACK_NS);
        let before = last.unwrap_or(if made_later { 0 } else { desired });
        if desired != before {
            let others = others_desired(seen, owner, *at_ns);
            let newer = Some(&set.revision) != first_revision;
            let rollout = if desired > before {
                newer && others > 0
            } else {
                others > 0
            };
            changes.push((*at_ns, before, desired, rollout));
        }
        last = Some(desired);
    }
    if last.is_none() {
        let states = seen.deployment.windows(2);
        changes.extend(states.map(|pair| (pair[1].0, pair[0].1.desired, pair[1].1.desired, false)));
        changes.retain(|(_, from, to, _)| from != to);
    }
    changes
}

/// Replicas that the Deployment's other ReplicaSets asked for just before.
fn others_desired(seen: &ClusterSeen, owner: &str, at_ns: u64) -> u32 {
    let mut desired: BTreeMap<&str, u32> = BTreeMap::new();
    for (_, set) in seen
        .replica_sets
        .iter()
        .filter(|(at, set)| *at <= at_ns && set.name != owner)
    {
        desired.insert(&set.name, if set.deleted { 0 } else { set.desired });
    }
    desired.values().sum()
}

/// The ends that call for a replacement. As many pods as the scale was lowered by are let go: those that no fault hit.
fn ends(
    pods: &[PodLife],
    places: &[usize],
    changes: &Changes,
    hit: &[&str],
    let_go: &mut [bool],
) -> Vec<(u64, Cause)> {
    let mut ends: Vec<(u64, usize)> = { places.iter() }
        .filter_map(|place| Some((pods[*place].ended_ns?, *place)))
        .collect();
    ends.sort_unstable();
    let mut lowered: Vec<u64> = Vec::new();
    for (at_ns, from, to, _) in changes {
        lowered.extend((*to..*from).map(|_| *at_ns));
    }
    let mut causes = Vec::new();
    for (at_ns, place) in ends {
        let by_scale = lowered
            .first()
            .is_some_and(|lowered| *lowered <= at_ns + SLACK_NS);
        if by_scale && !hit.contains(&pods[place].last.uid.as_str()) {
            lowered.remove(0);
            let_go[place] = true;
        } else {
            causes.push((at_ns, Cause::Ended(place)));
        }
    }
    causes
}
