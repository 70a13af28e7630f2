//! The cluster on the run's clock: each pod's life, the scale over time, what was done to it. The API's times have a grain
//! of one second and another clock; an arrival is later than what it tells of. Together they bound each moment.

use super::Timeline;
use crate::record::cluster::{self as seen, Hit};
use crate::record::{Entry, Observation};
use std::collections::BTreeMap;

/// The API's times are whole seconds, rounded down.
const GRAIN_NS: u64 = 1_000_000_000;

/// A moment between two bounds, nanoseconds on the run's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Not before.
    pub earliest_ns: u64,
    /// Not after.
    pub latest_ns: u64,
}

impl Bounds {
    /// A moment that is known.
    pub fn exactly(ns: u64) -> Bounds {
        Bounds {
            earliest_ns: ns,
            latest_ns: ns,
        }
    }
}

/// One pod, from its first line in the journal to its last.
#[derive(Clone, Debug, Default)]
pub struct PodLife {
    /// As it was last seen.
    pub last: seen::Pod,
    /// When it was first seen.
    pub seen_ns: u64,
    /// It is older than the run.
    pub at_start: bool,
    /// Made.
    pub created: Option<Bounds>,
    /// Bound to a node.
    pub scheduled: Option<Bounds>,
    /// First start of its container.
    pub started: Option<Bounds>,
    /// First ready.
    pub ready: Option<Bounds>,
    /// First a ready endpoint.
    pub endpoint: Option<Bounds>,
    /// Last change from a ready endpoint to none.
    pub endpoint_removed: Option<Bounds>,
    /// Its deletion was asked for: the deadline less the grace.
    pub deletion: Option<Bounds>,
    /// Gone from the API.
    pub gone: Option<Bounds>,
    /// When it was first seen being deleted, gone or failed: from then on its ReplicaSet does not count it.
    pub ended_ns: Option<u64>,
    /// Ends of its container during the run.
    pub ends: Vec<End>,
    /// Reasons for which it waited or was not scheduled: word, message, first and last seen.
    pub waits: Vec<(seen::Why, u64, u64)>,
}

/// An end of a container, and what followed.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// How.
    pub how: seen::Terminated,
    /// When.
    pub at: Bounds,
    /// Started again.
    pub started: Option<Bounds>,
    /// Ready again.
    pub ready: Option<Bounds>,
}

/// A fault of the plan, as it was done.
#[derive(Clone, Debug, Default)]
pub struct FaultSeen {
    /// Its name in the plan.
    pub name: String,
    /// When it was asked for.
    pub asked_ns: u64,
    /// When that was answered.
    pub answered_ns: u64,
    /// When it was undone.
    pub undone_ns: Option<u64>,
    /// What it hit.
    pub hits: Vec<Hit>,
    /// What could not be done.
    pub errors: Vec<String>,
}

/// Everything of the cluster that the journal holds.
#[derive(Clone, Debug, Default)]
pub struct ClusterSeen {
    /// Which cluster; `None`: none was watched.
    pub cluster: Option<seen::ClusterSeen>,
    /// The API server's clock against the run's.
    pub clock: ApiClock,
    /// The Deployment's pods, by first sight.
    pub pods: Vec<PodLife>,
    /// The HPA's states.
    pub hpa: Vec<(u64, seen::Hpa)>,
    /// The Deployment's states.
    pub deployment: Vec<(u64, seen::Deployment)>,
    /// States of its ReplicaSets.
    pub replica_sets: Vec<(u64, seen::ReplicaSet)>,
    /// Faults, in the order in which they were asked for.
    pub faults: Vec<FaultSeen>,
}

impl ClusterSeen {
    /// Reads the journal.
    pub fn of(timeline: &Timeline<'_>) -> ClusterSeen {
        let journal = &timeline.recorded.journal;
        let origin = journal.iter().find_map(|entry| match entry.observation {
            Observation::RunStarted { origin_unix_ns, .. } => Some(origin_unix_ns),
            _ => None,
        });
        let mut seen = ClusterSeen {
            faults: faults(journal),
            ..ClusterSeen::default()
        };
        let mut clock = ApiClock {
            origin_unix_ns: origin.unwrap_or_default(),
            ahead_ns: 0,
        };
        clock.ahead_ns = clock.ahead(journal, &seen.faults);
        seen.clock = clock;
        let mut lives = Lives::default();
        for entry in journal {
            match &entry.observation {
                Observation::ClusterWatched(cluster) => seen.cluster = Some(cluster.clone()),
                Observation::Hpa(hpa) => seen.hpa.push((entry.at_ns, hpa.clone())),
                Observation::Deployment(state) => {
                    seen.deployment.push((entry.at_ns, state.clone()));
                }
                Observation::ReplicaSet(set) => seen.replica_sets.push((entry.at_ns, set.clone())),
                Observation::Pod(pod) if !pod.collector => lives.pod(&clock, entry.at_ns, pod),
                Observation::Endpoints(slice) => lives.endpoints(entry.at_ns, slice),
                _ => {}
            }
        }
        seen.pods = lives.pods;
        seen.not_before_it_was_asked_for();
        seen
    }

    /// What a fault did to a pod came after it, which the run's clock knows better than the API's; and a pod is not gone
    /// before its container has ended.
    fn not_before_it_was_asked_for(&mut self) {
        for life in &mut self.pods {
            let later = |known: &mut Option<Bounds>, than_ns: u64| {
                if let Some(bounds) = known {
                    bounds.earliest_ns = bounds.earliest_ns.max(than_ns).min(bounds.latest_ns);
                }
            };
            let hits = |fault: &&FaultSeen| fault.hits.iter().any(|hit| hit.uid == life.last.uid);
            let asked = self.faults.iter().find(hits).map(|fault| fault.asked_ns);
            if let (Some(asked_ns), Some(deletion)) = (asked, life.deletion)
                && asked_ns <= deletion.latest_ns
            {
                later(&mut life.deletion, asked_ns);
                later(&mut life.endpoint_removed, asked_ns);
                later(&mut life.gone, asked_ns);
            }
            if let Some(end) = life.ends.last() {
                later(&mut life.gone, end.at.earliest_ns);
            }
        }
    }
}

fn faults(journal: &[Entry]) -> Vec<FaultSeen> {
    let mut faults: Vec<FaultSeen> = Vec::new();
    for entry in journal {
        match &entry.observation {
            Observation::FaultDone(done) => faults.push(FaultSeen {
                name: done.fault.clone(),
                asked_ns: done.asked_ns,
                answered_ns: entry.at_ns,
                undone_ns: None,
                hits: done.objects.clone(),
                errors: done.errors.clone(),
            }),
            Observation::FaultUndone(done) => {
                if let Some(fault) = faults.iter_mut().rfind(|fault| fault.name == done.fault) {
                    fault.undone_ns = Some(entry.at_ns);
                    fault.errors.extend(done.errors.iter().cloned());
                }
            }
            _ => {}
        }
    }
    faults.sort_by_key(|fault| fault.asked_ns);
    faults
}

/// The API server's clock against the run's.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApiClock {
    origin_unix_ns: u64,
    /// By how much it is ahead, at least; negative: behind; 0 where nothing says so.
    pub ahead_ns: i64,
}

impl ApiClock {
    fn to_run(self, unix_ns: u64) -> i64 {
        unix_ns.cast_signed() - self.origin_unix_ns.cast_signed() - self.ahead_ns
    }

    /// A moment that the API gives as `unix_ns`, and that was heard of at `heard_ns`.
    pub fn bounds(&self, unix_ns: u64, heard_ns: u64) -> Bounds {
        let from = u64::try_from(self.to_run(unix_ns)).unwrap_or(0);
        let earliest_ns = from.min(heard_ns);
        Bounds {
            earliest_ns,
            latest_ns: (from + GRAIN_NS).min(heard_ns).max(earliest_ns),
        }
    }

    /// How far the API's clock must be ahead (positive) or behind, so that nothing is heard of before it happened, and no
    /// pod is deleted before that was asked for.
    fn ahead(&self, journal: &[Entry], faults: &[FaultSeen]) -> i64 {
        let mut ahead = 0;
        let mut behind = 0;
        for entry in journal {
            let Observation::Pod(pod) = &entry.observation else {
                continue;
            };
            let heard = entry.at_ns.cast_signed();
            for unix_ns in [
                pod.created_unix_ns,
                pod.scheduled_unix_ns,
                pod.started_unix_ns,
            ] {
                ahead = ahead.max(unix_ns.map_or(0, |unix_ns| self.to_run(unix_ns) - heard));
            }
            let asked = faults
                .iter()
                .filter(|fault| fault.hits.iter().any(|hit| hit.uid == pod.uid));
            if let (Some(deletion), Some(asked)) =
                (deletion_unix_ns(pod), asked.map(|f| f.asked_ns).min())
            {
                let latest = self.to_run(deletion) + GRAIN_NS.cast_signed();
                behind = behind.max(asked.cast_signed() - latest);
            }
        }
        if ahead > 0 { ahead } else { -behind }
    }
}

/// When a pod's deletion was asked for.
fn deletion_unix_ns(pod: &seen::Pod) -> Option<u64> {
    let grace = u64::try_from(pod.grace_seconds.unwrap_or(0)).unwrap_or(0);
    pod.deletion_unix_ns
        .map(|deadline| deadline.saturating_sub(grace * 1_000_000_000))
}

#[derive(Default)]
struct Lives {
    pods: Vec<PodLife>,
    slices: BTreeMap<String, Vec<(String, bool)>>,
}

impl Lives {
    fn pod(&mut self, clock: &ApiClock, at_ns: u64, pod: &seen::Pod) {
        let place = self.pods.iter().position(|life| life.last.uid == pod.uid);
        let place = place.unwrap_or_else(|| {
            self.pods.push(PodLife {
                seen_ns: at_ns,
                at_start: { pod.created_unix_ns }
                    .is_some_and(|created| clock.to_run(created) < -(GRAIN_NS.cast_signed())),
                last: pod.clone(),
                ..PodLife::default()
            });
            self.pods.len() - 1
        });
        let life = &mut self.pods[place];
        let set = |known: &mut Option<Bounds>, unix_ns: Option<u64>| {
            if known.is_none() {
                *known = unix_ns.map(|unix_ns| clock.bounds(unix_ns, at_ns));
            }
        };
        set(&mut life.created, pod.created_unix_ns);
        set(&mut life.scheduled, pod.scheduled_unix_ns);
        set(&mut life.started, pod.started_unix_ns);
        set(&mut life.deletion, deletion_unix_ns(pod));
        if pod.ready {
            set(
                &mut life.ready,
                pod.ready_since_unix_ns.or(pod.started_unix_ns),
            );
        }
        if pod.deleted && life.gone.is_none() {
            let from = life
                .deletion
                .map_or(life.seen_ns, |asked| asked.earliest_ns);
            life.gone = Some(Bounds {
                earliest_ns: from,
                latest_ns: at_ns,
            });
        }
        if pod.deleted || pod.deletion_unix_ns.is_some() || pod.phase == "Failed" {
            life.ended_ns.get_or_insert(at_ns);
        }
        life.container(clock, at_ns, pod);
        life.last = pod.clone();
    }

    /// A pod is a ready endpoint while any slice says so: not before it was ready, not after its deletion or end.
    fn endpoints(&mut self, at_ns: u64, slice: &seen::Endpoints) {
        let before = self.ready_endpoints();
        let ready = slice.endpoints.iter().map(|e| (e.pod.clone(), e.ready));
        let ready = if slice.deleted {
            Vec::new()
        } else {
            ready.collect()
        };
        self.slices.insert(slice.slice.clone(), ready);
        let now = self.ready_endpoints();
        let since = |cause: Option<Bounds>| Bounds {
            earliest_ns: cause.map_or(at_ns, |cause| cause.earliest_ns.min(at_ns)),
            latest_ns: at_ns,
        };
        for life in &mut self.pods {
            let uid = &life.last.uid;
            match (before.contains(uid), now.contains(uid)) {
                (false, true) if life.endpoint.is_none() => {
                    life.endpoint = Some(since(life.ready));
                }
                (true, false) => {
                    let end = life.ends.last().map(|end| end.at);
                    life.endpoint_removed = Some(since(life.deletion.or(end)));
                }
                _ => {}
            }
        }
    }

    fn ready_endpoints(&self) -> Vec<String> {
        let all = self.slices.values().flatten();
        all.filter(|(_, ready)| *ready)
            .map(|(pod, _)| pod.clone())
            .collect()
    }
}

impl PodLife {
    /// Ends and waits of its container, from one state to the next.
    fn container(&mut self, clock: &ApiClock, at_ns: u64, pod: &seen::Pod) {
        let known = self.last.terminated.as_ref();
        let new_end = pod
            .terminated
            .as_ref()
            .filter(|how| known != Some(*how) || self.seen_ns == at_ns);
        if let Some(how) = new_end {
            let finished = { how.finished_unix_ns }.map(|unix_ns| clock.bounds(unix_ns, at_ns));
            // One that ended before the run is of no account.
            if { how.finished_unix_ns }.is_none_or(|unix_ns| clock.to_run(unix_ns) >= 0) {
                self.ends.push(End {
                    how: how.clone(),
                    at: finished.unwrap_or(Bounds::exactly(at_ns)),
                    ..End::default()
                });
            }
        }
        if let Some(end) = self.ends.last_mut() {
            let started = { pod.started_unix_ns }
                .filter(|unix_ns| {
                    end.how
                        .finished_unix_ns
                        .is_none_or(|ended| *unix_ns >= ended)
                })
                .map(|unix_ns| clock.bounds(unix_ns, at_ns));
            let running = pod.waiting.is_none() && !pod.deleted;
            if end.started.is_none() && running && pod.started_unix_ns != self.last.started_unix_ns
            {
                end.started = started;
            }
            if end.started.is_some() && pod.ready && end.ready.is_none() {
                end.ready = { pod.ready_since_unix_ns }.map(|unix_ns| clock.bounds(unix_ns, at_ns));
            }
        }
        for why in pod.waiting.iter().chain(&pod.pending) {
            match self
                .waits
                .iter_mut()
                .find(|(known, ..)| known.reason == why.reason)
            {
                Some((known, _, last_ns)) => (*known, *last_ns) = (why.clone(), at_ns),
                None => self.waits.push((why.clone(), at_ns, at_ns)),
            }
        }
    }
}
