//! One fault done, and undone: the plan's action in, what came of it out.

use super::answer::Refusal;
use super::deed::{Deed, Undo};
use super::lease::Lease;
use super::pods::{self, How, Victim};
use super::processes::Processes;
use super::reach::Reach;
use super::turn::Turn;
use super::{collector, cordon, rollout, scale};
use crate::plan::{Action, Fault};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is not undone by then is left, and said.
const UNDONE_WITHIN: Duration = Duration::from_secs(45);
const TRIED_EVERY: Duration = Duration::from_secs(1);

/// What it takes to do faults.
pub(super) struct Hands {
    /// Of the cluster, if the plan touches one.
    pub(super) reach: Option<Reach>,
    /// Held as long as the cluster is touched.
    pub(super) lease: Option<Lease>,
    /// Of the replicas that the verifier started, if it did.
    pub(super) processes: Option<Processes>,
    past: Mutex<Past>,
}

/// What faults have done so far.
#[derive(Default)]
struct Past {
    /// Replicas that faults have set.
    scales: Vec<i32>,
    /// Processes that stand still.
    stopped: BTreeSet<u32>,
    /// By fault, what a person would have to do if it were never undone.
    left: BTreeMap<String, String>,
}

impl Hands {
    pub(super) fn new(
        reach: Option<Reach>,
        lease: Option<Lease>,
        processes: Option<Processes>,
    ) -> Hands {
        Hands {
            reach,
            lease,
            processes,
            past: Mutex::default(),
        }
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a person would have to do by hand, if the process ended now.
    pub(super) fn left(&self) -> Vec<String> {
        self.past().left.values().cloned().collect()
    }

    /// Does it, or only tries to.
    pub(super) async fn act(&self, fault: &Fault, turn: &Turn<'_>) -> Deed {
        let deed = if fault.action.of_processes() {
            self.to_processes(fault, turn).await
        } else if self.lease.as_ref().is_some_and(Lease::is_lost) {
            let why = "not done: the lease that keeps other runs away is lost";
            Deed::failed(turn.now_ns(), why)
        } else if let Some(reach) = &self.reach {
            match to_cluster(reach, fault, turn).await {
                Ok(deed) => deed,
                Err(error) => Deed::failed(turn.now_ns(), error),
            }
        } else {
            Deed::failed(turn.now_ns(), "not done: no cluster is within reach")
        };
        if let Some(undo) = deed.undo.as_ref().filter(|_| !turn.dry) {
            self.remember(&fault.name, undo);
        }
        deed
    }

    async fn to_processes(&self, fault: &Fault, turn: &Turn<'_>) -> Deed {
        let stopped = self.past().stopped.clone();
        match &self.processes {
            Some(processes) => {
                processes
                    .hit(fault.action, fault.count, &stopped, turn)
                    .await
            }
            None => Deed::failed(turn.now_ns(), "not done: no replica was started here"),
        }
    }

    fn remember(&self, fault: &str, undo: &Undo) {
        let mut past = self.past();
        let by_hand = match (undo, &self.reach) {
            (Undo::Scale { found, set }, Some(reach)) => {
                past.scales.push(*set);
                scale::by_hand(reach, *found)
            }
            (Undo::Cordon(nodes), _) => format!("kubectl uncordon {}", nodes.join(" ")),
            (Undo::Stop(pids), _) => {
                past.stopped.extend(pids);
                // The kernel sends SIGHUP and SIGCONT to stopped processes whose parent ends.
                return;
            }
            (Undo::Scale { .. }, None) => return,
        };
        past.left.insert(fault.to_owned(), by_hand);
    }

    /// Undoes it, and tries that for a while; what could not be undone is an error of what it gives. `last`: the load
    /// has ended, and all goes back to what was found before it.
    pub(super) async fn undo(&self, undo: &Undo, last: bool, turn: &Turn<'_>) -> Deed {
        let began_ns = turn.now_ns();
        let most_ns = u64::try_from(UNDONE_WITHIN.as_nanos()).unwrap_or(u64::MAX);
        loop {
            let refusal = match self.try_to_undo(undo, last, turn).await {
                Ok(deed) => {
                    self.past().left.remove(turn.fault);
                    return deed;
                }
                Err(refusal) => refusal,
            };
            if turn.now_ns().saturating_sub(began_ns) >= most_ns {
                let by_hand = self.past().left.get(turn.fault).cloned();
                let by_hand = by_hand.unwrap_or_default();
                let error = format!("could not be undone: {refusal}; by hand: {by_hand}");
                turn.tell(&error);
                return Deed::failed(began_ns, error);
            }
            tokio::time::sleep(TRIED_EVERY).await;
        }
    }

    async fn try_to_undo(&self, undo: &Undo, last: bool, turn: &Turn<'_>) -> Result<Deed, Refusal> {
        match (undo, &self.reach, &self.processes) {
            (Undo::Scale { found, set }, Some(reach), _) => {
                let scales = self.past().scales.clone();
                let (to, ours) = if last {
                    (reach.replicas, scales)
                } else {
                    (*found, vec![*set])
                };
                scale::put_back(reach, to, &ours, turn).await
            }
            (Undo::Cordon(nodes), Some(reach), _) => cordon::uncordon(reach, nodes, turn).await,
            (Undo::Stop(pids), _, Some(processes)) => {
                let deed = processes.go_on(pids, turn).await;
                self.past().stopped.retain(|pid| !pids.contains(pid));
                Ok(deed)
            }
            _ => Ok(Deed::failed(turn.now_ns(), "nothing is within reach")),
        }
    }
}

async fn to_cluster(reach: &Reach, fault: &Fault, turn: &Turn<'_>) -> Result<Deed, String> {
    let some = || pods::ready(reach, fault.count, turn.seed);
    Ok(match fault.action {
        Action::DeletePod => end(reach, some().await?, How::Delete, turn).await,
        Action::ForceDeletePod => end(reach, some().await?, How::Force, turn).await,
        Action::EvictPod => end(reach, some().await?, How::Evict, turn).await,
        Action::DeleteAllPods => pods::end(reach, pods::all(reach).await?, How::Delete, turn).await,
        Action::RestartCollector => {
            pods::end(reach, collector::pods(reach).await?, How::Delete, turn).await
        }
        Action::Scale => {
            let replicas = i32::from(fault.replicas.unwrap_or_default());
            scale::set(reach, replicas, turn).await
        }
        Action::RolloutRestart => rollout::restart(reach, turn).await,
        Action::Cordon => {
            let (victims, fewer) = some().await?;
            let mut deed = cordon::cordon(reach, &victims, turn).await;
            deed.errors.extend(fewer);
            deed
        }
        Action::Sigterm | Action::Sigkill | Action::Sigstop => {
            return Err("not done: this is for processes, not for a cluster".to_owned());
        }
    })
}

async fn end(
    reach: &Reach,
    (victims, fewer): (Vec<Victim>, Option<String>),
    how: How,
    turn: &Turn<'_>,
) -> Deed {
    let mut deed = pods::end(reach, victims, how, turn).await;
    deed.errors.extend(fewer);
    deed
}
