//! What the verdict says of the shards that a run was joined of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One shard of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShardFigures {
    /// From 0.
    pub index: u16,
    /// Name of its run folder.
    pub run: String,
    /// Host name of the machine that generated its load.
    pub host: String,
    /// Number of the first of its load workers among those of the stages.
    pub first_worker: u16,
    /// Its load workers.
    pub workers: u16,
    /// Requests that it planned.
    pub planned: u64,
    /// Spans of the run that it received, of its own and of others' requests.
    pub spans: u64,
    /// How far its machine's clock is ahead of the first shard's, milliseconds: no less than this, as far as server
    /// spans tell, which must lie inside their exchanges. `null` where they tell nothing.
    pub clock_least_ms: Option<f64>,
    /// No more than this.
    pub clock_greatest_ms: Option<f64>,
}
