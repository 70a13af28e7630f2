//! A fault: what is broken on purpose, and when.

use super::{Plan, duration};
use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// One fault. It comes `at` so long after its stage began, or, with `when`, as soon after that as the condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name in reports; unique in the plan.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// The stage in which it is done; absent: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Counted from the beginning of the stage.
    #[serde(default, with = "duration")]
    pub at: Duration,
    /// It waits for this until its stage ends; then it is not done, and the verdict says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// How many pods or replicas it hits.
    #[serde(default = "one")]
    pub count: u16,
    /// `scale`: the number of replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u16>,
    /// `scale`, `cordon`, `sigstop`: when it is undone; absent: at the end of the load.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "duration::optional"
    )]
    pub lasts: Option<Duration>,
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Deletes pods with their own grace period.
    DeletePod,
    /// Deletes pods with a grace period of 0: the kubelet kills at once.
    ForceDeletePod,
    /// Deletes every pod of the Deployment, with grace.
    DeleteAllPods,
    /// Asks for the pods' eviction, which a PodDisruptionBudget may refuse.
    EvictPod,
    /// Sets the Deployment's replicas; an HPA fights back.
    Scale,
    /// Starts a rolling update of the Deployment, as `kubectl rollout restart` does.
    RolloutRestart,
    /// Deletes the collector's pods, with grace.
    RestartCollector,
    /// Makes the node of a pod unschedulable.
    Cordon,
    /// SIGTERM to a replica that the verifier started.
    Sigterm,
    /// SIGKILL to a replica that the verifier started.
    Sigkill,
    /// SIGSTOP to a replica that the verifier started, and SIGCONT.
    Sigstop,
}

impl Action {
    /// It is done to processes that the verifier started, not to a cluster.
    pub fn of_processes(self) -> bool {
        matches!(self, Action::Sigterm | Action::Sigkill | Action::Sigstop)
    }

    /// It ends pods or processes of the service: their replacement and recovery can be followed.
    pub fn ends_replicas(self) -> bool {
        !matches!(
            self,
            Action::Scale | Action::RestartCollector | Action::Cordon | Action::Sigstop
        )
    }

    /// It holds on until it is undone.
    fn can_last(self) -> bool {
        matches!(self, Action::Scale | Action::Cordon | Action::Sigstop)
    }

    /// As written in a plan.
    pub fn word(self) -> &'static str {
        match self {
            Action::DeletePod => "delete_pod",
            Action::ForceDeletePod => "force_delete_pod",
            Action::DeleteAllPods => "delete_all_pods",
            Action::EvictPod => "evict_pod",
            Action::Scale => "scale",
            Action::RolloutRestart => "rollout_restart",
            Action::RestartCollector => "restart_collector",
            Action::Cordon => "cordon",
            Action::Sigterm => "sigterm",
            Action::Sigkill => "sigkill",
            Action::Sigstop => "sigstop",
        }
    }
}

/// A count of replicas that a fault waits for: `ready>=3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    /// Which count.
    pub figure: Replicas,
    /// The least, or the greatest.
    pub limit: u16,
    /// `<=` in place of `>=`.
    pub at_most: bool,
}

/// Counts of replicas that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// As the HPA, or else the Deployment, wants them.
    Desired,
    /// Ready pods of the Deployment.
    Ready,
}

impl Condition {
    /// Whether it holds; a count that is not known holds nothing.
    pub fn holds(self, desired: Option<u64>, ready: Option<u64>) -> bool {
        let count = match self.figure {
            Replicas::Desired => desired,
            Replicas::Ready => ready,
        };
        let limit = u64::from(self.limit);
        count.is_some_and(|count| {
            if self.at_most {
                count <= limit
            } else {
                count >= limit
            }
        })
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let wrong = || format!("when {text:?}: write e.g. ready>=3 or desired<=2");
        let (at_most, (figure, limit)) = match (text.split_once(">="), text.split_once("<=")) {
            (Some(parts), None) => (false, parts),
            (None, Some(parts)) => (true, parts),
            _ => return Err(wrong()),
        };
        let figure = match figure.trim() {
            "desired" => Replicas::Desired,
            "ready" => Replicas::Ready,
            _ => return Err(wrong()),
        };
        let limit = limit.trim().parse().map_err(|_| wrong())?;
        Ok(Condition {
            figure,
            limit,
            at_most,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = match self.figure {
            Replicas::Desired => "desired",
            Replicas::Ready => "ready",
        };
        let operator = if self.at_most { "<=" } else { ">=" };
        write!(f, "{figure}{operator}{}", self.limit)
    }
}

impl TryFrom<String> for Condition {
    type Error = String;
    fn try_from(text: String) -> Result<Condition, String> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> String {
        condition.to_string()
    }
}

fn one() -> u16 {
    1
}

impl Fault {
    /// Makes its moment earlier (or later), as `--scale-time` does with its stage.
    pub(super) fn scale_time(&mut self, factor: f64) {
        self.at = self.at.mul_f64(factor);
        self.lasts = self.lasts.map(|lasts| lasts.mul_f64(factor));
    }

    fn check(&self, plan: &Plan) -> anyhow::Result<()> {
        ensure!((1..=100).contains(&self.count), "count is 1 to 100");
        ensure!(
            self.action.of_processes() || plan.cluster.is_some(),
            "{} needs a [cluster] section, which may be empty",
            self.action.word()
        );
        ensure!(
            !self.action.of_processes() || self.when.is_none(),
            "when is for clusters: write at"
        );
        ensure!(
            (self.action == Action::Scale) == self.replicas.is_some(),
            "replicas belongs to scale, and scale needs it"
        );
        ensure!(
            self.replicas.is_none_or(|replicas| replicas <= 200),
            "replicas is at most 200"
        );
        ensure!(
            self.lasts.is_none() || self.action.can_last(),
            "lasts is for scale, cordon and sigstop"
        );
        let stage = match &self.stage {
            None => plan.stages.first(),
            Some(name) => plan.stages.iter().find(|stage| stage.name == *name),
        };
        let stage = stage.with_context(|| match &self.stage {
            None => "a plan that searches has no stage beforehand for it".to_owned(),
            Some(name) => format!("no stage is named {name:?}"),
        })?;
        ensure!(
            self.at < stage.duration,
            "at lies behind the end of stage {:?}",
            stage.name
        );
        Ok(())
    }
}

/// Holds each fault, and that no two have one name.
pub(super) fn check(plan: &Plan) -> anyhow::Result<()> {
    let mut names = BTreeSet::new();
    for fault in &plan.faults {
        fault
            .check(plan)
            .with_context(|| format!("fault {:?}", fault.name))?;
        ensure!(
            names.insert(&fault.name),
            "two faults are named {:?}",
            fault.name
        );
    }
    Ok(())
}
