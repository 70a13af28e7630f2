//! From the cluster's objects, the spans and the exchanges to scale-ups, incidents and troubles, on the run's clock.

mod checks;
mod effect;
mod figures;
mod incidents;
mod lineage;
mod scale_up;
mod served;
mod troubles;

pub(super) use checks::{checks, warnings};

use crate::plan::Action;
use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::align::cluster::{Bounds, ClusterSeen, PodLife};
use crate::verdict::cluster::{Cluster, Effect, Incident, Moment, Operations};
use crate::verdict::outcome::Stage;
use effect::Seconds;
use lineage::Lineage;
use served::Served;
use std::collections::BTreeMap;

/// What was seen of the cluster, joined with what was served.
pub(super) struct Seen<'t> {
    timeline: &'t Timeline<'t>,
    cluster: ClusterSeen,
    lineage: Lineage,
    served: BTreeMap<String, Served>,
    seconds: Seconds,
}

/// The cluster's part of the verdict; `None` where none was watched and no fault was planned.
pub(super) fn judge(
    timeline: &Timeline<'_>,
    cluster: ClusterSeen,
    stages: &[Stage],
) -> Option<Cluster> {
    if cluster.cluster.is_none() && timeline.plan.faults.is_empty() {
        return None;
    }
    let seen = Seen {
        timeline,
        lineage: lineage::of(&cluster),
        served: served::by_sender(timeline),
        seconds: Seconds::of(timeline),
        cluster,
    };
    let identity = seen.cluster.cluster.clone().unwrap_or_default();
    let (incidents, faults) = incidents::all(&seen);
    let mut cluster = Cluster {
        server: identity.server,
        version: identity.version,
        namespace: identity.namespace,
        clock_ahead_seconds: seen.cluster.clock.ahead_ns as f64 / 1e9,
        deployment: figures::deployment(&seen),
        hpa: figures::hpa(&seen),
        scale: figures::scale(&seen),
        pods: figures::pods(&seen),
        scale_ups: scale_up::all(&seen),
        incidents,
        faults,
        troubles: troubles::all(&seen),
        events: troubles::events(&seen),
        event_lines: troubles::event_lines(&seen),
        nodes: figures::nodes(&seen),
        logs: troubles::logs(&seen),
        gaps: troubles::gaps(&seen),
        operations: Operations::default(),
    };
    cluster.operations = operations(&cluster, stages);
    Some(cluster)
}

/// What went well, counted.
fn operations(cluster: &Cluster, stages: &[Stage]) -> Operations {
    let sum = |of: fn(&Stage) -> u64| stages.iter().map(of).sum();
    let incidents = |of: fn(&&Incident) -> bool| cluster.incidents.iter().filter(of).count() as u64;
    Operations {
        planned: sum(|stage| stage.exchanges.planned),
        completed: sum(|stage| stage.exchanges.ok),
        traces_due: sum(|stage| stage.traces.expected),
        traces_complete: sum(|stage| stage.traces.complete),
        rescales: cluster.hpa.as_ref().map_or(0, |hpa| hpa.rescales),
        rollouts: cluster
            .deployment
            .as_ref()
            .map_or(0, |deployment| deployment.rollouts),
        pods: cluster.pods.len() as u64,
        pods_ready: cluster
            .pods
            .iter()
            .filter(|pod| pod.ready.is_some())
            .count() as u64,
        probes_failed: cluster.events.get("Unhealthy").copied().unwrap_or(0),
        incidents: incidents(|_| true),
        incidents_recovered: incidents(|incident| incident.recovery_seconds.is_some()),
        incidents_unfelt: incidents(|incident| incident.effect.seen == "none_seen"),
    }
}

/// Seconds on the run's clock.
fn moment(bounds: Bounds) -> Moment {
    Moment {
        earliest_seconds: bounds.earliest_ns as f64 / 1e9,
        latest_seconds: bounds.latest_ns as f64 / 1e9,
    }
}

impl Seen<'_> {
    /// The stage under way at that moment: begun, and not ended.
    fn stage_at(&self, at_ns: u64) -> Option<usize> {
        let mut stages = 0..self.timeline.plan.stages.len();
        let begun = |stage: &usize| {
            let start_ns = self.timeline.stage_start_ns(*stage);
            start_ns.is_some_and(|from| from <= at_ns)
        };
        stages
            .rfind(begun)
            .filter(|stage| at_ns < self.stage_end_ns(*stage))
    }

    /// End of a stage's load; of one that did not end: never.
    fn stage_end_ns(&self, stage: usize) -> u64 {
        self.timeline.stage_end_ns(stage).unwrap_or(u64::MAX)
    }

    fn stage_name(&self, stage: usize) -> String {
        self.timeline.plan.stages[stage].name.clone()
    }

    /// What the plan's fault of that name does.
    fn action(&self, fault: &str) -> Option<Action> {
        let faults = self.timeline.plan.faults.iter();
        faults
            .into_iter()
            .find(|f| f.name == fault)
            .map(|f| f.action)
    }

    fn first_served(&self, pod: &PodLife) -> Option<Bounds> {
        self.served.get(&pod.last.name).map(|served| served.first)
    }

    /// What users felt of a stage between two moments.
    fn effect(&self, stage: Option<usize>, from_ns: u64, to_ns: u64) -> Effect {
        match stage {
            Some(stage) => self
                .seconds
                .effect(stage, from_ns, to_ns.min(self.stage_end_ns(stage))),
            None => Effect {
                seen: "cannot_tell".to_owned(),
                evidence: "no load was under way".to_owned(),
                ..Effect::default()
            },
        }
    }

    /// When the load began and ended.
    fn load(&self) -> (u64, u64) {
        let journal = self.timeline.recorded.journal.iter();
        let of = |entry: &crate::record::Entry| match entry.observation {
            Observation::StageStarted { .. } | Observation::StageEnded { .. } => Some(entry.at_ns),
            _ => None,
        };
        let moments: Vec<u64> = journal.filter_map(of).collect();
        let (first, last) = (moments.iter().min(), moments.iter().max());
        (
            first.copied().unwrap_or(0),
            last.copied().unwrap_or(u64::MAX),
        )
    }
}
