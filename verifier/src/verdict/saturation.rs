//! The answer of a search as the verdict has it: the highest rate that holds, and how sure that is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The highest open-loop rate at which the thresholds are met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Saturation {
    /// It: at this rate most probes met the thresholds. Requests per second.
    pub rate: Option<f64>,
    /// The next higher rate that was probed, at which they did not; `null` when every rate up to the plan's
    /// highest met them.
    pub upper: Option<f64>,
    /// How far the two are apart, as a share of the lower.
    pub width: Option<f64>,
    /// How far apart the plan lets them be.
    pub precision: f64,
    /// Confidence that a probe at `rate` meets the thresholds more often than not, and one at `upper` does
    /// not: one minus the chance that coins had fallen so (binomial, both borders together).
    pub confidence: Option<f64>,
    /// What was the limit above `rate`.
    pub limit: Limit,
    /// Every probe, in the order in which they were run.
    pub probes: Vec<Probe>,
}

/// What kept a search from going higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The target: on evidence, it did not meet the thresholds.
    Target,
    /// The plan's `most_rate`.
    Plan,
    /// Whether it met them is not known: the load generator was the limit, or there was too little to judge by.
    Unknown,
    /// The search did not come to its end.
    Unfinished,
}

/// One probe of a search; its figures are those of the stage of that name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// Its stage.
    pub stage: String,
    /// Requests per second asked for.
    pub rate: f64,
    /// It met the thresholds; `null`: that is not known.
    pub meets: Option<bool>,
    /// Why not, the weightiest first.
    pub reasons: Vec<String>,
}
