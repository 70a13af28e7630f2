//! `verifier check` and `verifier watch`: nothing is loaded.

use super::{AskedArgs, ClusterArgs, TracesArgs};
use crate::plan::{Threshold, parse_duration};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// `verifier check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The plan to be run: its cluster, and the permissions that its faults need [default: the usual names, every fault]
    pub plan: Option<String>,

    /// The target; without it the cluster's Service
    #[arg(long, visible_alias = "host", value_name = "URL", env = "VERIFIER_URL")]
    pub url: Option<String>,

    /// Where traces come in
    #[command(flatten)]
    pub sources: TracesArgs,

    /// Requests whose traces must come, of each kind: sampled by their client, not sampled, without a traceparent
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub requests: u64,

    /// The Kubernetes cluster to check
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// `verifier watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Whose spans are expected and whose thresholds hold: a built-in plan or a TOML file; its load is not driven
    #[arg(default_value = "quick")]
    pub plan: String,

    /// How long, e.g. 5m [default: until Ctrl-C]
    #[arg(long = "for", value_parser = parse_duration, value_name = "DURATION")]
    pub length: Option<Duration>,

    /// A condition that must hold, beside the plan's; latency is the root spans' duration
    #[arg(long = "threshold", value_name = "CONDITION")]
    pub thresholds: Vec<Threshold>,

    /// The target, whose own span books tell whether every trace came
    #[arg(long)]
    pub url: Option<String>,

    /// Where traces come in
    #[command(flatten)]
    pub sources: TracesArgs,

    /// The Kubernetes cluster to watch
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// The run folder [default: runs/watched-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Plain progress lines, even on a terminal
    #[arg(long)]
    pub headless: bool,

    /// Print verdict.json on stdout; all else goes to stderr
    #[arg(long)]
    pub json: bool,

    /// What the reports shall hold
    #[command(flatten)]
    pub asked: AskedArgs,
}
