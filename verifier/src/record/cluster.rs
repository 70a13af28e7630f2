//! What is seen of a Kubernetes cluster and done to it: each object as it stood when the API said so. The line of the
//! journal says when that arrived, on the run's clock; the API's own times are Unix nanoseconds, of one second's grain.

use serde::{Deserialize, Serialize};

/// The cluster that is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterSeen {
    /// Address of the API server.
    pub server: String,
    /// Its version, e.g. `v1.34.2`.
    pub version: String,
    /// The namespace that is watched.
    pub namespace: String,
}

/// Kinds that are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// `autoscaling/v2` HorizontalPodAutoscaler.
    Hpa,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` ReplicaSet.
    ReplicaSets,
    /// Pods of the Deployment.
    Pods,
    /// Pods of the collector.
    CollectorPods,
    /// `discovery.k8s.io/v1` EndpointSlices of the Service.
    Endpoints,
    /// Events of the namespace.
    Events,
    /// `metrics.k8s.io` PodMetrics, polled.
    PodMetrics,
    /// Last words of pods that end; asked for when one does.
    PodLogs,
    /// Nodes.
    Nodes,
}

/// How a watch stands; a kind is blind from a `broken` line to the next `listed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchState {
    /// Of what.
    pub of: Watched,
    /// `None`: all objects have been listed, and every change will be seen from now on.
    pub error: Option<String>,
    /// The API refuses for good (forbidden, no such resource): it is not asked again for a while.
    #[serde(default)]
    pub refused: bool,
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hpa {
    /// Name.
    pub name: String,
    /// It is gone.
    pub deleted: bool,
    /// Least replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// As it last counted them.
    pub current: u32,
    /// As it wants them.
    pub desired: u32,
    /// Average CPU of the pods that it saw, percent of their requests.
    pub cpu_percent: Option<i64>,
    /// What it holds that against.
    pub target_cpu_percent: Option<i64>,
    /// When it last changed the scale.
    pub last_scale_unix_ns: Option<u64>,
    /// What it says of itself.
    pub conditions: Vec<Condition>,
}

/// A condition of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// `ScalingActive`, `ScalingLimited`, `AbleToScale`.
    pub name: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// In one word.
    pub reason: String,
    /// In words.
    pub message: String,
    /// Since when.
    pub since_unix_ns: Option<u64>,
}

/// A Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// Name.
    pub name: String,
    /// It is gone.
    pub deleted: bool,
    /// Changes with its spec.
    pub generation: i64,
    /// The generation that the controller has acted on.
    pub observed_generation: i64,
    /// Replicas that its spec asks for.
    pub desired: u32,
    /// Pods that there are.
    pub replicas: u32,
    /// Of its newest template.
    pub updated: u32,
    /// Ready.
    pub ready: u32,
    /// Revision of the rollout.
    pub revision: String,
    /// Images of its template.
    pub images: Vec<String>,
    /// CPU that a pod asks for, thousandths of a CPU.
    pub cpu_request_milli: Option<u64>,
    /// A CPU limit, if one is set.
    pub cpu_limit_milli: Option<u64>,
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplicaSet {
    /// UID.
    pub uid: String,
    /// Name.
    pub name: String,
    /// It is gone.
    pub deleted: bool,
    /// The Deployment that owns it.
    pub owner: String,
    /// Revision of the rollout.
    pub revision: String,
    /// Replicas that its spec asks for.
    pub desired: u32,
    /// Ready.
    pub ready: u32,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// UID: a name may come again, this does not.
    pub uid: String,
    /// Name.
    pub name: String,
    /// A pod of the collector, not of the Deployment.
    pub collector: bool,
    /// It is gone from the API.
    pub deleted: bool,
    /// Name of the ReplicaSet (or other controller) that owns it.
    pub owner: String,
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// Node that it was bound to.
    pub node: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// When it was made.
    pub created_unix_ns: Option<u64>,
    /// When it was bound to its node.
    pub scheduled_unix_ns: Option<u64>,
    /// When its present container started.
    pub started_unix_ns: Option<u64>,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// Since when `ready` is as it is.
    pub ready_since_unix_ns: Option<u64>,
    /// When it must be gone: the moment of its deletion plus its grace.
    pub deletion_unix_ns: Option<u64>,
    /// Its grace, where it is being deleted.
    pub grace_seconds: Option<i64>,
    /// Restarts of its container.
    pub restarts: u32,
    /// Why its container waits: `CrashLoopBackOff`, `ErrImageNeverPull`, `ContainerCreating`.
    pub waiting: Option<Why>,
    /// Why it is not scheduled: `Unschedulable`, with the scheduler's words.
    pub pending: Option<Why>,
    /// Condition `DisruptionTarget`: `EvictionByEvictionAPI`, `DeletionByTaintManager`.
    pub disruption: Option<Why>,
    /// How its container last ended.
    pub terminated: Option<Terminated>,
}

/// A reason and words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Why {
    /// In one word.
    pub reason: String,
    /// In words.
    pub message: String,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terminated {
    /// `OOMKilled`, `Error`, `Completed`.
    pub reason: String,
    /// 137: SIGKILL; 143: SIGTERM.
    pub exit_code: i32,
    /// When.
    pub finished_unix_ns: Option<u64>,
}

/// One EndpointSlice of the Service: who gets its requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    /// Name of the slice.
    pub slice: String,
    /// It is gone.
    pub deleted: bool,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// UID of its pod.
    pub pod: String,
    /// New connections go to it.
    pub ready: bool,
    /// It answers, ready or terminating.
    pub serving: bool,
    /// Its pod is being deleted.
    pub terminating: bool,
}

/// An event, as core/v1 or events.k8s.io/v1 gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// UID; the same event comes again with a higher count.
    pub uid: String,
    /// `Normal`, `Warning`.
    pub level: String,
    /// In one word: `SuccessfulRescale`, `Killing`, `FailedScheduling`.
    pub reason: String,
    /// In words.
    pub message: String,
    /// Kind of the object: `Pod`, `HorizontalPodAutoscaler`.
    pub object_kind: String,
    /// Its name.
    pub object: String,
    /// Its UID.
    pub object_uid: String,
    /// Who says it.
    pub from: String,
    /// When it happened, or last happened.
    pub last_unix_ns: Option<u64>,
    /// How often.
    pub count: u32,
}

/// What metrics-server says of the pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodMetrics {
    /// Each pod of the Deployment that it knows.
    pub pods: Vec<PodUsage>,
}

/// One pod's use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodUsage {
    /// Name of the pod.
    pub pod: String,
    /// Mean over the window that ended at `at_unix_ns`, thousandths of a CPU.
    pub cpu_milli: f64,
    /// Working set.
    pub memory_bytes: u64,
    /// End of the window.
    pub at_unix_ns: Option<u64>,
    /// Its length.
    pub window_ns: u64,
}

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Node {
    /// Name.
    pub name: String,
    /// It is gone.
    pub deleted: bool,
    /// Its condition `Ready` is true.
    pub ready: bool,
    /// Cordoned.
    pub unschedulable: bool,
    /// CPU that pods may ask for, thousandths.
    pub allocatable_cpu_milli: u64,
    /// Version of its kubelet.
    pub version: String,
}

/// A fault, as it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultDone {
    /// Its name in the plan.
    pub fault: String,
    /// When it was asked for, on the run's clock; the line itself comes when that was answered.
    pub asked_ns: u64,
    /// What it hit: pods, a Deployment, a node, process ids.
    pub objects: Vec<Hit>,
    /// What could not be done, in words; nothing was, where `objects` is empty.
    pub errors: Vec<String>,
}

/// An object that a fault hit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hit {
    /// Its name, or a process id.
    pub name: String,
    /// Its UID; the pod's, or empty.
    pub uid: String,
    /// What was done, for a person: `replicas 2 -> 20`.
    pub what: String,
}
