//! The cluster as far as the journal tells of it: the lines that concern it, and what the verdict's own code makes of them.

use crate::plan::Plan;
use crate::record::{Dictionary, Entry, Observation, Recorded, RunKey};
use crate::verdict::align::Timeline;
use crate::verdict::cluster::Cluster;
use crate::verdict::judge::cluster_so_far;

/// Lines that are kept: further ones are not looked at while the run goes on.
const MOST_LINES: usize = 20_000;

/// What concerns the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct OfCluster {
    journal: Vec<Entry>,
    /// Something of a cluster, or a fault, is among them.
    any: bool,
    changed: bool,
    cluster: Option<Cluster>,
}

impl OfCluster {
    /// Keeps the line if it concerns the cluster; whether there was room.
    pub(super) fn take(&mut self, entry: &Entry) -> bool {
        match &entry.observation {
            Observation::RunStarted { .. }
            | Observation::StageStarted { .. }
            | Observation::StageEnded { .. }
            | Observation::TargetReady { .. } => {}
            Observation::ClusterWatched(_)
            | Observation::WatchState(_)
            | Observation::Hpa(_)
            | Observation::Deployment(_)
            | Observation::ReplicaSet(_)
            | Observation::Pod(_)
            | Observation::Endpoints(_)
            | Observation::Event(_)
            | Observation::PodMetrics(_)
            | Observation::Node(_)
            | Observation::FaultDone(_)
            | Observation::FaultUndone(_)
            | Observation::PodLog { .. }
            | Observation::TargetExited { .. }
            | Observation::TargetStarted { .. } => self.any = true,
            _ => return true,
        }
        self.changed = true;
        let room = self.journal.len() < MOST_LINES;
        if room {
            self.journal.push(entry.clone());
        }
        room
    }

    /// Looks again, if there is anything new.
    pub(super) fn look(&mut self, plan: &Plan, key: Option<RunKey>, origin_unix_ns: u64) {
        let (true, true, Some(key)) = (self.any, self.changed, key) else {
            return;
        };
        self.changed = false;
        let recorded = Recorded {
            key,
            found: None,
            origin_unix_ns,
            journal: std::mem::take(&mut self.journal),
            dictionary: Dictionary::default(),
            exchanges: Vec::new(),
            spans: Vec::new(),
        };
        let timeline = Timeline::new(plan, recorded);
        self.cluster = cluster_so_far(&timeline);
        self.journal = timeline.recorded.journal;
    }

    pub(super) fn page(&self) -> Option<Cluster> {
        self.cluster.clone()
    }
}
