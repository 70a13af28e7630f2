//! `verifier run`.

use super::{AskedArgs, ClusterArgs, PageArgs, TracesArgs};
use crate::plan::{Threshold, parse_duration};
use crate::record::Shard;
use crate::run::Peers;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Heading of what concerns shards.
const SHARDS: &str = "One run from several machines";

/// `verifier run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A built-in plan (`verifier plan` lists them) or a TOML file
    #[arg(default_value = "quick")]
    pub plan: String,

    /// Closed loop like wrk: one stage per number of connections
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_name = "N,..",
        help_heading = "Load (replaces the plan's stages)"
    )]
    pub connections: Vec<u32>,

    /// Closed loop like Locust: one stage per number of users
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_name = "N,..",
        help_heading = "Load (replaces the plan's stages)"
    )]
    pub users: Vec<u32>,

    /// Users spawned per second [default: all at once]
    #[arg(
        short = 'r',
        long,
        value_name = "PER_SECOND",
        requires = "users",
        help_heading = "Load (replaces the plan's stages)"
    )]
    pub spawn_rate: Option<f64>,

    /// Open loop: one stage per rate, requests per second
    #[arg(
        short = 'R',
        long,
        value_delimiter = ',',
        value_name = "N,..",
        help_heading = "Load (replaces the plan's stages)"
    )]
    pub rate: Vec<f64>,

    /// How long each stage lasts: 30s, 2m, 1m30s
    #[arg(short, long, visible_alias = "run-time", value_parser = parse_duration, value_name = "DURATION", help_heading = "Load (replaces the plan's stages)")]
    pub duration: Option<Duration>,

    /// Makes every stage shorter (or longer): 0.1 is a tenth, not below a second; users spawn faster by as much
    #[arg(long, value_name = "FACTOR")]
    pub scale_time: Option<f64>,

    /// A condition that must hold, like 'p99<250ms', 'error_rate<1%', 'span(model_inference).p99<5ms'; beside the plan's
    #[arg(long = "threshold", value_name = "CONDITION")]
    pub thresholds: Vec<Threshold>,

    /// The target, e.g. http://10.0.0.7:80 or https://10.0.0.7; without it the Service of the cluster that is watched, or
    /// else the iris service is started here
    #[arg(long, visible_alias = "host", value_name = "URL", env = "VERIFIER_URL")]
    pub url: Option<String>,

    /// Trust the certificate authorities in this PEM file, in place of the system's
    #[arg(
        long,
        value_name = "PEM",
        requires = "url",
        conflicts_with = "insecure"
    )]
    pub ca_file: Option<PathBuf>,

    /// Take any certificate of an https:// target; the report says so
    #[arg(long, requires = "url")]
    pub insecure: bool,

    /// Break nothing: the plan without its faults
    #[arg(long)]
    pub no_faults: bool,

    /// Run no load: print for every fault of the plan what it would hit now. The API is asked as for the fault itself
    /// (dryRun=All), so that roles and PodDisruptionBudgets count. Exit code 0 if each could be done, else 2
    #[arg(long, conflicts_with_all = ["no_faults", "json", "web"])]
    pub dry_run: bool,

    /// Speak HTTP/2: by ALPN with an https:// target, else with prior knowledge (h2c)
    #[arg(long)]
    pub http2: bool,

    /// Replicas of the service to start here
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), conflicts_with = "url")]
    pub replicas: u16,

    /// Where traces come in
    #[command(flatten)]
    pub sources: TracesArgs,

    /// Export the verifier's own client spans there when the load has ended, by OTLP/HTTP: http://127.0.0.1:4318/v1/traces
    #[arg(long, value_name = "URL")]
    pub export_client_spans: Option<String>,

    /// The Kubernetes cluster to watch
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// What the reports shall hold
    #[command(flatten)]
    pub asked: AskedArgs,

    /// The run folder [default: runs/PLAN-TIME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Seed of the trace ids and of every random choice [default: random, and written to plan.toml]
    #[arg(long, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,

    /// Load threads [default: half of the CPUs]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: Option<u16>,

    /// Drive this part of the plan's load, as one of COUNT verifiers with the same plan and seed: 0/3, 1/3, 2/3. Their run
    /// folders are joined by `verifier merge`, which judges; exit code 0 says that this part was recorded to its end
    #[arg(long, value_name = "INDEX/COUNT", help_heading = SHARDS)]
    pub shard: Option<Shard>,

    /// Begin when the trace receivers of all shards answer there, {} being a shard's index: verifier-{}.verifier:4317
    #[arg(
        long,
        value_name = "HOST:PORT",
        requires = "shard",
        help_heading = SHARDS
    )]
    pub shard_peers: Option<Peers>,

    /// How long to wait for the other shards
    #[arg(long, default_value = "2m", value_parser = parse_duration, value_name = "DURATION", requires = "shard_peers", help_heading = SHARDS)]
    pub shard_wait: Duration,

    /// Plain progress lines, even on a terminal
    #[arg(long)]
    pub headless: bool,

    /// Read Locust's keys from stdin, for a program that starts the verifier: w, W, s, S are 1 and 10 users more or fewer
    /// in a stage of users. The end of stdin ends the run, as SIGTERM does
    #[arg(long)]
    pub keys_from_stdin: bool,

    /// Serve a page on which the run is watched, stopped and afterwards explored. It stays until Ctrl-C, unless --headless
    #[command(flatten)]
    pub page: PageArgs,

    /// Print verdict.json on stdout; all else goes to stderr
    #[arg(long)]
    pub json: bool,
}
