//! What deserves a line on the time axis.

use crate::record::Observation;
use crate::record::cluster::{FaultDone, Pod};
use crate::verdict::page::Marker;
use std::collections::HashMap;

/// More make the axis unreadable.
const MOST: usize = 500;

/// The marks so far, and what the next are held against.
#[derive(Clone, Debug, Default)]
pub(super) struct Markers {
    pub(super) marks: Vec<Marker>,
    desired: Option<u32>,
    restarts: HashMap<String, u32>,
}

impl Markers {
    /// Takes in a line of the journal; `stage` is the name of the stage that begins with it.
    pub(super) fn take(&mut self, at_ns: u64, observation: &Observation, stage: Option<&str>) {
        match observation {
            Observation::StageStarted { .. } => {
                self.mark(at_ns, "stage", stage.unwrap_or_default().to_owned());
            }
            Observation::FaultDone(done) => self.mark(done.asked_ns, "fault", words(done, "")),
            Observation::FaultUndone(done) => self.mark(at_ns, "fault", words(done, " undone")),
            Observation::TargetExited {
                pid,
                status,
                expected: false,
            } => self.mark(at_ns, "exit", format!("process {pid} ended: {status}")),
            Observation::Pod(pod) if !pod.collector => self.pod(at_ns, pod),
            Observation::Deployment(deployment) => {
                let before = self.desired.replace(deployment.desired);
                if let Some(before) = before.filter(|before| *before != deployment.desired) {
                    let label = format!("replicas {before} → {}", deployment.desired);
                    self.mark(at_ns, "scale", label);
                }
            }
            Observation::WatchState(watch) => {
                if let Some(error) = &watch.error {
                    self.mark(at_ns, "gap", format!("{:?} not seen: {error}", watch.of));
                }
            }
            Observation::Interrupted { signal } => {
                self.mark(at_ns, "stop", format!("stopped by {signal}"));
            }
            _ => {}
        }
    }

    fn pod(&mut self, at_ns: u64, pod: &Pod) {
        let before = self.restarts.insert(pod.uid.clone(), pod.restarts);
        if before.is_some_and(|before| before < pod.restarts) {
            let how = pod.terminated.as_ref();
            let how = how.map(|how| format!(": {}, exit code {}", how.reason, how.exit_code));
            let label = format!("{} ended{}", pod.name, how.unwrap_or_default());
            self.mark(at_ns, "exit", label);
        }
        if pod.deleted {
            self.restarts.remove(&pod.uid);
        }
    }

    fn mark(&mut self, at_ns: u64, kind: &str, label: String) {
        if self.marks.len() < MOST {
            self.marks.push(Marker {
                at_seconds: at_ns as f64 / 1e9,
                kind: kind.to_owned(),
                label,
            });
        }
    }
}

fn words(done: &FaultDone, what: &str) -> String {
    let hits: Vec<&str> = done.objects.iter().map(|hit| hit.name.as_str()).collect();
    match (hits.is_empty(), done.errors.first()) {
        (true, Some(error)) => format!("{}{what}: not done: {error}", done.fault),
        (true, None) => format!("{}{what}", done.fault),
        (false, _) => format!("{}{what}: {}", done.fault, hits.join(", ")),
    }
}
