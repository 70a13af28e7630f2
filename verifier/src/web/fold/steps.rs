//! What changes by steps, as the journal tells it: the scale of the cluster, and how many traces are whole.

use crate::record::{Observation, Second};
use std::collections::{BTreeSet, VecDeque};

/// How things stand from a moment on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Standing {
    pub(super) hpa_desired: Option<u32>,
    pub(super) desired: Option<u32>,
    pub(super) ready: Option<u32>,
    pub(super) cpu_percent: Option<i64>,
    pub(super) traces_due: Option<u64>,
    pub(super) traces_complete: Option<u64>,
}

/// The steps that rows still ask for, and what they are made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    now: Standing,
    steps: VecDeque<(u64, Standing)>,
    ready: BTreeSet<String>,
}

impl Steps {
    /// Takes in a line of the journal; whether something of the cluster's scale was in it.
    pub(super) fn take(&mut self, at_ns: u64, observation: &Observation) -> bool {
        let before = self.now;
        let mut scale = true;
        match observation {
            Observation::Hpa(hpa) => {
                self.now.hpa_desired = Some(hpa.desired);
                self.now.cpu_percent = hpa.cpu_percent;
            }
            Observation::Deployment(deployment) => {
                self.now.desired = Some(deployment.desired);
                // Where no pod is ready, no pod says so.
                self.now.ready.get_or_insert(0);
            }
            Observation::Pod(pod) if !pod.collector => {
                match pod.ready && !pod.deleted {
                    true => drop(self.ready.insert(pod.uid.clone())),
                    false => drop(self.ready.remove(&pod.uid)),
                }
                self.now.ready = u32::try_from(self.ready.len()).ok();
            }
            Observation::Second(Second {
                traces_expected,
                traces_complete,
                ..
            }) => {
                scale = false;
                self.traces(*traces_expected, *traces_complete);
            }
            Observation::DrainStarted { expected, complete }
            | Observation::DrainEnded { expected, complete } => {
                scale = false;
                self.traces(*expected, *complete);
            }
            _ => return false,
        }
        if self.now != before {
            // The figures of a second are written when it is over: they belong to it.
            let at_ns = if scale {
                at_ns
            } else {
                at_ns.saturating_sub(1)
            };
            self.steps.push_back((at_ns, self.now));
        }
        scale
    }

    fn traces(&mut self, due: u64, complete: u64) {
        self.now.traces_due = Some(due);
        self.now.traces_complete = Some(complete);
    }

    /// How things stood just before that moment.
    pub(super) fn before(&self, ns: u64) -> Standing {
        let last = self.steps.iter().rfind(|(at_ns, _)| *at_ns < ns);
        last.map(|(_, standing)| *standing).unwrap_or_default()
    }

    /// Nobody asks any more for what was before that moment.
    pub(super) fn forget_before(&mut self, ns: u64) {
        while self.steps.get(1).is_some_and(|(at_ns, _)| *at_ns < ns) {
            self.steps.pop_front();
        }
    }
}
