//! Which run it is and how far it has come, from its journal.

use super::stages::Stages;
use crate::plan::Plan;
use crate::record::{Observation, RunKey};
use crate::verdict::page::{self, State};

/// Complaints that are kept.
const MOST_ERRORS: usize = 20;

/// What the journal says of the run itself.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Identity {
    pub(in super::super) id: String,
    pub(in super::super) key: Option<RunKey>,
    pub(in super::super) origin_unix_ns: u64,
    pub(in super::super) target: Option<String>,
    pub(in super::super) errors: Vec<String>,
    pub(in super::super) trace_link: Option<String>,
    host: String,
    verifier_version: String,
    draining: bool,
    judging: bool,
}

impl Identity {
    pub(super) fn take(&mut self, observation: &Observation) {
        match observation {
            Observation::RunStarted {
                run_id,
                run_key,
                origin_unix_ns,
                verifier_version,
                host,
            } => {
                self.id.clone_from(run_id);
                self.key = run_key.parse().ok();
                self.origin_unix_ns = *origin_unix_ns;
                self.verifier_version.clone_from(verifier_version);
                self.host = format!("{}, Linux {}, {} CPUs", host.name, host.kernel, host.cpus);
            }
            Observation::TargetReady { url, .. } => self.target = Some(url.clone()),
            Observation::ReportsAsked(asked) => {
                self.trace_link = asked.trace_link.as_ref().map(ToString::to_string);
            }
            Observation::TargetFailed { error } | Observation::RunError { error } => {
                self.complain(error.clone());
            }
            Observation::DrainStarted { .. } => self.draining = true,
            Observation::DrainEnded { .. } | Observation::RunEnded => self.judging = true,
            _ => {}
        }
    }

    /// Something is wrong with the run, or with what is shown of it.
    pub(super) fn complain(&mut self, error: String) {
        if self.errors.len() < MOST_ERRORS && !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// How far it is, as long as its process runs.
    pub(super) fn state(&self, stages: &Stages) -> State {
        match (self.judging, self.draining, stages.begun.is_empty()) {
            (true, ..) => State::Judging,
            (_, true, _) => State::Draining,
            (.., false) => State::Running,
            _ => State::Starting,
        }
    }

    /// As the page has it. `now_unix_ns` is the present.
    pub(super) fn page(&self, plan: &Plan, stages: &Stages, now_unix_ns: u64) -> page::Run {
        let elapsed_ns = now_unix_ns.saturating_sub(self.origin_unix_ns);
        page::Run {
            id: self.id.clone(),
            plan: plan.name.clone(),
            target: self.target.clone(),
            started_unix_ms: self.origin_unix_ns / 1_000_000,
            state: self.state(stages),
            elapsed_seconds: elapsed_ns as f64 / 1e9,
            planned_seconds: { plan.search.is_none() }.then(|| plan.duration().as_secs_f64()),
            stages: stages.page(plan),
            users_change: false,
            host: self.host.clone(),
            verifier_version: self.verifier_version.clone(),
            errors: self.errors.clone(),
        }
    }
}
