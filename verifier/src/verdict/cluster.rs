//! What the verdict says of the cluster: pods, scale-ups, incidents, troubles; every moment in seconds on the run's clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The cluster during the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cluster {
    /// Address of the API server.
    pub server: String,
    /// Its version.
    pub version: String,
    /// The namespace that was watched.
    pub namespace: String,
    /// By how much the API server's clock is ahead of the run's, at least; negative: behind. 0 where nothing says so.
    pub clock_ahead_seconds: f64,
    /// The Deployment under load.
    pub deployment: Option<Deployment>,
    /// Its autoscaler.
    pub hpa: Option<Hpa>,
    /// Every change of the scale.
    pub scale: Vec<ScalePoint>,
    /// Every pod of the Deployment that was seen, oldest first.
    pub pods: Vec<Pod>,
    /// Each time that replicas were added.
    pub scale_ups: Vec<ScaleUp>,
    /// Each time that replicas ended unasked by the scale: by a fault, or by themselves.
    pub incidents: Vec<Incident>,
    /// Faults of the plan that end no replica (scale, cordon, the collector), and those that were not done.
    pub faults: Vec<Fault>,
    /// What went well, counted.
    pub operations: Operations,
    /// What was wrong with pods, most frequent first.
    pub troubles: Vec<Trouble>,
    /// Events of the namespace by reason: how often.
    pub events: BTreeMap<String, u64>,
    /// The events themselves, oldest first; of very many, the first and the last.
    pub event_lines: Vec<EventLine>,
    /// Nodes, as they were last seen.
    pub nodes: Vec<Node>,
    /// Last words of pods that failed or ended.
    pub logs: Vec<PodLog>,
    /// When a kind of objects could not be seen.
    pub gaps: Vec<Gap>,
}

/// A moment that is known by two bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// Not before.
    pub earliest_seconds: f64,
    /// Not after.
    pub latest_seconds: f64,
}

/// The Deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Name.
    pub name: String,
    /// Images of its template, at the end.
    pub images: Vec<String>,
    /// CPU that a pod asks for, thousandths.
    pub cpu_request_milli: Option<u64>,
    /// Its CPU limit, if it has one.
    pub cpu_limit_milli: Option<u64>,
    /// Replicas asked for when the run began.
    pub replicas_first: u32,
    /// When it ended.
    pub replicas_last: u32,
    /// Fewest ready pods while the load ran.
    pub ready_least: u32,
    /// Most ready pods.
    pub ready_most: u32,
    /// Rollouts that began during the run.
    pub rollouts: u64,
}

/// The autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hpa {
    /// Name.
    pub name: String,
    /// Least replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// Percent of the pods' CPU requests that it aims at.
    pub target_cpu_percent: Option<i64>,
    /// The highest that it saw.
    pub cpu_percent_most: Option<i64>,
    /// Fewest replicas that it wanted.
    pub desired_least: u32,
    /// Most.
    pub desired_most: u32,
    /// How often it changed the scale: its `SuccessfulRescale` events.
    pub rescales: u64,
    /// How long it wanted its maximum.
    pub at_maximum_seconds: f64,
    /// Its conditions at the end, and those that were wrong at any time: `ScalingActive=False (FailedGetResourceMetric): ...`.
    pub conditions: Vec<String>,
}

/// The scale from this moment on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalePoint {
    /// When it was seen.
    pub at_seconds: f64,
    /// As the HPA wants it.
    pub hpa_desired: Option<u32>,
    /// As the Deployment asks for.
    pub desired: Option<u32>,
    /// Ready pods.
    pub ready: u32,
    /// Pods that get requests.
    pub endpoints: u32,
    /// Average CPU that the HPA saw, percent of the requests.
    pub cpu_percent: Option<i64>,
}

/// Why there is a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was there when the run began.
    #[default]
    AtStart,
    /// The scale was raised.
    ScaleUp,
    /// It replaces the pod of that name.
    Replaces(String),
    /// A rollout.
    Rollout,
    /// Cannot tell.
    Unknown,
}

/// One pod's life.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pod {
    /// Name; root spans name it as their sender.
    pub name: String,
    /// UID.
    pub uid: String,
    /// The ReplicaSet that owns it.
    pub owner: String,
    /// Its node.
    pub node: Option<String>,
    /// Why there is such a pod.
    pub why: Why,
    /// Made.
    pub created: Option<Moment>,
    /// Bound to a node.
    pub scheduled: Option<Moment>,
    /// Its container started, the first time.
    pub started: Option<Moment>,
    /// Ready, the first time.
    pub ready: Option<Moment>,
    /// In the Service's EndpointSlice as ready, the first time.
    pub endpoint: Option<Moment>,
    /// The first request that it served: from its send to its answer.
    pub first_served: Option<Moment>,
    /// The last answer with success that it gave.
    pub last_ok_seconds: Option<f64>,
    /// Its deletion was asked for.
    pub deletion: Option<Moment>,
    /// Not ready in the EndpointSlice any more, for the last time.
    pub endpoint_removed: Option<Moment>,
    /// Gone from the API.
    pub gone: Option<Moment>,
    /// Restarts of its container during the run.
    pub restarts: u64,
    /// How its container last ended: `OOMKilled, exit code 137`.
    pub ended: Option<String>,
    /// Answered requests whose root span names it.
    pub requests: u64,
    /// What metrics-server said of it; `null`: nothing.
    pub usage: Option<Usage>,
}

/// What a pod used, over the windows of metrics-server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Windows.
    pub samples: u64,
    /// Mean of them, thousandths of a CPU.
    pub cpu_milli_mean: f64,
    /// The highest.
    pub cpu_milli_most: f64,
    /// Most memory (working set).
    pub memory_mib_most: f64,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventLine {
    /// When it was heard of.
    pub at_seconds: f64,
    /// `Normal`, `Warning`.
    pub level: String,
    /// In one word.
    pub reason: String,
    /// Kind and name of its object.
    pub object: String,
    /// In words.
    pub message: String,
    /// How often so far.
    pub count: u32,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Ready.
    pub ready: bool,
    /// Cordoned at the end.
    pub unschedulable: bool,
    /// CPU that pods may ask for, thousandths.
    pub allocatable_cpu_milli: u64,
    /// Version of its kubelet.
    pub version: String,
}

/// Last words of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodLog {
    /// Its name.
    pub pod: String,
    /// Its last lines.
    pub lines: Vec<String>,
}

/// One step of a waterfall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What happened: `load_step`, `metric_above_target`, `desired_raised`, `pod_created`, `pod_scheduled`, `container_started`,
    /// `pod_ready`, `endpoint_ready`, `first_request_served`, `thresholds_met_again`.
    pub name: String,
    /// When; `null`: cannot tell, or it never did.
    pub at: Option<Moment>,
    /// What was seen, or why nobody can tell.
    pub evidence: String,
}

/// Replicas were added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleUp {
    /// `hpa`, the name of a fault, `before the load`, or `somebody else`.
    pub cause: String,
    /// The stage under way.
    pub stage: Option<String>,
    /// Replicas before.
    pub from: u32,
    /// After the last step in this direction.
    pub to: u32,
    /// From the load's step to the thresholds met again; pods' steps are those of the last pod that came that far.
    pub steps: Vec<Step>,
    /// The pods that came by it.
    pub pods: Vec<String>,
    /// From the load's step to the first request that the last of its pods served; `null`: it did not come that far.
    pub seconds: Option<Moment>,
    /// Whether users felt it.
    pub effect: Effect,
}

/// What users felt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// `none_seen`, `seen`, `cannot_tell`.
    #[schemars(extend("enum" = ["none_seen", "seen", "cannot_tell"]))]
    pub seen: String,
    /// Seconds in which a threshold on latency or errors did not hold.
    pub bad_seconds: u64,
    /// End of the last such second, after which five (or all that were left) were good.
    pub met_again_seconds: Option<f64>,
    /// In words.
    pub evidence: String,
}

/// Replicas ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// The fault's name in the plan, or what happened: `OOMKilled`.
    pub name: String,
    /// The plan's action; `null`: nobody planned it.
    pub action: Option<String>,
    /// The stage under way.
    pub stage: Option<String>,
    /// When it was asked for, or happened.
    pub at: Moment,
    /// Who ended.
    pub victims: Vec<Victim>,
    /// Who came in their place.
    pub replacements: Vec<Replacement>,
    /// The first exchange that failed after it, when it ended.
    pub first_error_seconds: Option<f64>,
    /// Exchanges that failed from then to the recovery, by outcome.
    pub errors: BTreeMap<String, u64>,
    /// The sum: requests lost.
    pub requests_lost: u64,
    /// As many as failed in a span of time as long, just before.
    pub errors_before: u64,
    /// Expected spans that did not come, of answered exchanges that were sent from 10 s before it
    /// until 10 s after the last victim was gone.
    pub spans_lost: u64,
    /// From `at` until every victim has a ready replacement, by the cluster's own objects.
    pub replaced_seconds: Option<Moment>,
    /// From `at` until the replacements serve and the thresholds hold again.
    pub recovery_seconds: Option<Moment>,
    /// Whether users felt it.
    pub effect: Effect,
    /// What could not be done, or not be told.
    pub notes: Vec<String>,
}

/// A replica that ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Victim {
    /// Pod, or process.
    pub name: String,
    /// The last answer with success that it gave.
    pub last_ok_seconds: Option<f64>,
    /// Not in the EndpointSlice as ready any more.
    pub endpoint_removed: Option<Moment>,
    /// Gone, or its container ended.
    pub gone: Option<Moment>,
    /// How its container ended.
    pub ended: Option<String>,
}

/// A replica that came in place of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Replacement {
    /// Pod, or process; the victim's own name where its container was restarted.
    pub name: String,
    /// Whom it replaces.
    pub of: String,
    /// A scale-up came so close that it might as well be its pod.
    pub ambiguous: bool,
    /// Made, or restarted.
    pub created: Option<Moment>,
    /// Ready.
    pub ready: Option<Moment>,
    /// In the EndpointSlice.
    pub endpoint: Option<Moment>,
    /// The first request that it served.
    pub first_served: Option<Moment>,
}

/// A fault with no incident of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Its name in the plan.
    pub name: String,
    /// The plan's action.
    pub action: String,
    /// When it was asked for; `null`: never.
    pub at_seconds: Option<f64>,
    /// When it was undone.
    pub undone_seconds: Option<f64>,
    /// What it hit.
    pub hit: Vec<String>,
    /// What could not be done.
    pub errors: Vec<String>,
}

/// Something wrong with pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// `OOMKilled`, `Unschedulable`, `CrashLoopBackOff`, `ErrImageNeverPull`, `Error`, an event's reason.
    pub reason: String,
    /// What it means, for a person.
    pub meaning: String,
    /// Pods that had it.
    pub pods: Vec<String>,
    /// First seen.
    pub first_seconds: f64,
    /// Last seen.
    pub last_seconds: f64,
    /// In the cluster's own words.
    pub message: String,
}

/// A kind of objects that could not be seen for a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Of what.
    pub of: String,
    /// From.
    pub from_seconds: f64,
    /// To; `null`: to the end.
    pub to_seconds: Option<f64>,
    /// Why.
    pub error: String,
}

/// What went well, over the whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operations {
    /// Requests planned.
    pub planned: u64,
    /// Of those, answered with success: predictions completed.
    pub completed: u64,
    /// Traces due.
    pub traces_due: u64,
    /// Of those, complete.
    pub traces_complete: u64,
    /// Changes of the scale by the HPA.
    pub rescales: u64,
    /// Rollouts that began.
    pub rollouts: u64,
    /// Pods of the Deployment that were seen.
    pub pods: u64,
    /// Of those, ready at any time.
    pub pods_ready: u64,
    /// Probes that failed: `Unhealthy` events.
    pub probes_failed: u64,
    /// Incidents.
    pub incidents: u64,
    /// Of those, recovered from.
    pub incidents_recovered: u64,
    /// Of those, such that users saw nothing.
    pub incidents_unfelt: u64,
}
