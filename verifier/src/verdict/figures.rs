//! Figures of a part of a stage, as the verdict has them: of one task, one replica, one load worker.

use super::outcome::{Distribution, Exchanges};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One task's figures in a stage; as the stage's, of its exchanges alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskFigures {
    /// Its name in the plan.
    pub name: String,
    /// What became of its planned requests.
    pub exchanges: Exchanges,
    /// Answers within the stage's duration, per second.
    pub requests_per_second: Option<f64>,
    /// Response time from the intended start.
    pub latency_ms: Distribution,
    /// Service time from the actual send.
    pub service_time_ms: Distribution,
    /// Its answered exchanges of which a trace was due.
    pub traces_expected: u64,
    /// Of those, with a complete trace.
    pub traces_complete: u64,
}

/// One replica's part in a stage, from the senders of root spans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Replica {
    /// `k8s.pod.name`, else `service.instance.id`, else `service.name`.
    pub source: String,
    /// Exchanges that it served.
    pub requests: u64,
    /// Of all whose replica is known, the share.
    pub share: Option<f64>,
    /// The same in each tenth of the stage, by the time of the send; `null` where nobody served any.
    pub share_by_tenth: Vec<Option<f64>>,
    /// The same in the stage's second half.
    pub second_half_share: Option<f64>,
    /// It was seen alive before the stage's second half began, and after.
    pub ready: bool,
    /// It was ready, and served less than a quarter of its fair share in the second half.
    pub starved: bool,
}

/// How one load worker did in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadWorker {
    /// Its number.
    pub worker: u16,
    /// Requests that it planned.
    pub planned: u64,
    /// Most connections that it had open at once.
    pub opened: u64,
    /// Delay from the moment a request could have been sent to its send: median.
    pub lag_p50_ms: f64,
    /// 99th percentile of that delay.
    pub lag_p99_ms: f64,
    /// Longest such delay.
    pub lag_max_ms: f64,
    /// By how much it may have seen an answer late, having looked at many at a time; 0 for not at all.
    #[serde(default)]
    pub turn_ms: f64,
    /// Share of its wall time that it spent on the CPU.
    pub cpu: f64,
}
