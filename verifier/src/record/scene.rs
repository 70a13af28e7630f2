//! What a watcher sees of a run beside its figures: the stage, the users, the replicas, what has happened; made of the
//! observations as they are written.

use super::Observation;
use std::collections::VecDeque;

/// Things that happened and are kept for whoever looks.
const MOST_NOTES: usize = 64;

/// The stage whose load began last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageNow {
    /// Index in the plan.
    pub stage: u16,
    /// When its load began, on the run's clock.
    pub since_ns: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number, from 0: the newest has the highest.
    pub number: u64,
    /// When, on the run's clock.
    pub at_ns: u64,
    /// In words.
    pub text: String,
}

/// Everything that changes slowly.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The stage whose load began last; `None` before any load.
    pub stage: Option<StageNow>,
    /// Users, where somebody has changed them by hand.
    pub users: Option<u32>,
    /// The stages of a search so far, as TOML.
    pub planned: Vec<String>,
    /// Names of the sources of traces.
    pub sources: Vec<String>,
    /// Replicas that the verifier has started, and those of them that serve.
    pub replicas: Option<(u64, u64)>,
    /// What has happened, the newest last.
    pub notes: VecDeque<Note>,
    next_note: u64,
}

impl Scene {
    /// Takes an observation in.
    pub(super) fn see(&mut self, at_ns: u64, observation: &Observation) {
        match observation {
            Observation::StageStarted { stage } => {
                let (stage, since_ns) = (*stage, at_ns);
                self.stage = Some(StageNow { stage, since_ns });
                self.users = None;
            }
            Observation::StagePlanned { toml, .. } => self.planned.push(toml.clone()),
            Observation::UsersChanged { users, .. } => self.users = Some(*users),
            Observation::TraceSource { name, .. } => self.sources.push(name.clone()),
            Observation::TargetReady { pids, .. } if !pids.is_empty() => {
                self.replicas = Some((pids.len() as u64, pids.len() as u64));
            }
            Observation::TargetStarted { ready: true, .. } => self.serving(1),
            Observation::TargetExited { .. } => self.serving(-1),
            _ => {}
        }
        if let Some(text) = note(observation) {
            self.note(at_ns, text);
        }
    }

    fn serving(&mut self, more: i64) {
        if let Some((_, ready)) = &mut self.replicas {
            *ready = ready.saturating_add_signed(more);
        }
    }

    fn note(&mut self, at_ns: u64, text: String) {
        if self.notes.len() == MOST_NOTES {
            self.notes.pop_front();
        }
        let number = self.next_note;
        self.next_note += 1;
        self.notes.push_back(Note {
            number,
            at_ns,
            text,
        });
    }
}

/// What of the observations a person who looks on should hear of, and is not told otherwise.
fn note(observation: &Observation) -> Option<String> {
    Some(match observation {
        Observation::TargetExited {
            pid,
            status,
            expected: false,
        } => format!("a replica ended by itself: process {pid}, {status}"),
        Observation::TargetExited { pid, status, .. } => {
            format!("a replica ended: process {pid}, {status}")
        }
        Observation::TargetStarted {
            pid,
            replica,
            ready: true,
            ..
        } => format!("replica {replica} is there again: process {pid}"),
        Observation::TargetFailed { error } => format!("the target: {error}"),
        Observation::FaultDone(done) | Observation::FaultUndone(done) => return fault(done),
        Observation::RunError { error } => error.clone(),
        Observation::Pod(pod) if pod.deleted => format!("pod {} is gone", pod.name),
        _ => return None,
    })
}

fn fault(done: &super::cluster::FaultDone) -> Option<String> {
    // What was done is said by whoever did it.
    (!done.errors.is_empty()).then(|| format!("fault {}: {}", done.fault, done.errors.join("; ")))
}
