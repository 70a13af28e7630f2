//! What can be typed: flags and their words, no logic.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::plan::{Plan, Threshold, parse_duration};
use crate::record::{Asked, KeepTraces, Shard, TraceLink};
use crate::run::Peers;
use crate::run::kubernetes::Access;
use crate::run::traces::Source;

/// Drives load at a traced service, takes in every trace, and gives a verdict that can be re-computed.
#[derive(Debug, Parser)]
#[command(name = "verifier", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 pass, 1 fail, 2 usage, 3 unknown (invalid or unfinished run, no data, the target never answered), 130 interrupted (the report is written)";

const CHECK_EXIT_CODES: &str = "\
Exit codes: 0 nothing failed, 1 something failed, 2 usage";

const COMPARE_EXIT_CODES: &str = "\
Exit codes: 0 no regression, 1 a regression, 2 usage, 3 unknown (a run is invalid or unfinished, the plans differ, a figure is missing)";

/// Heading of what concerns shards.
const SHARDS: &str = "One run from several machines";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive a plan's load, collect every trace, judge, and write the run folder
    Run(Box<RunArgs>),
    /// Is everything there that a run needs? One line a check, each with what to do where something is wrong
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(CheckArgs),
    /// Judge the traces of somebody else's load (wrk, Locust, k6, users) while it runs
    Watch(WatchArgs),
    /// Judge a run folder again: the same verdict, byte for byte, with no target; or a file that a collector wrote
    Judge(JudgeArgs),
    /// Join the run folders of all shards of a run (`verifier run --shard`), judge, and write the reports
    Merge(MergeArgs),
    /// Print the verdict of a run folder
    Show(FolderArgs),
    /// Hold run B against run A, stage by stage, and tell regressions from noise
    #[command(after_help = COMPARE_EXIT_CODES)]
    Compare(CompareArgs),
    /// List the built-in plans, or print one with every default filled in, to start one of your own
    Plan {
        /// A built-in plan or a TOML file; without it the built-in plans are listed
        plan: Option<String>,
    },
}

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
    #[arg(long, conflicts_with_all = ["no_faults", "json"])]
    pub dry_run: bool,

    /// Speak HTTP/2: by ALPN with an https:// target, else with prior knowledge (h2c)
    #[arg(long)]
    pub http2: bool,

    /// Replicas of the service to start here
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64), conflicts_with = "url")]
    pub replicas: u16,

    /// Where traces are read: otlp (the verifier receives them), collector-file[=PATH], jaeger[=URL], tempo[=URL],
    /// cloud-trace=PROJECT. Several: the first is judged, the others are held against it [default: otlp]
    #[arg(long, value_name = "SOURCE")]
    pub traces: Vec<Source>,

    /// The metrics of the collector on the way, whose books tell where spans were lost
    /// [default: http://127.0.0.1:8888/metrics, if it answers, where traces are read from somewhere]
    #[arg(long, value_name = "URL")]
    pub collector: Option<String>,

    /// Where traces come in by OTLP/gRPC [default: 127.0.0.1:4317 with --url, else a free port]
    #[arg(long, value_name = "ADDRESS", env = "VERIFIER_OTLP_GRPC")]
    pub otlp_grpc: Option<SocketAddr>,

    /// Where traces come in by OTLP/HTTP [default: 127.0.0.1:4318 with --url, else a free port]
    #[arg(long, value_name = "ADDRESS", env = "VERIFIER_OTLP_HTTP")]
    pub otlp_http: Option<SocketAddr>,

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

    /// Print verdict.json on stdout; all else goes to stderr
    #[arg(long)]
    pub json: bool,
}

/// `verifier check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The plan to be run: its cluster, and the permissions that its faults need [default: the usual names, every fault]
    pub plan: Option<String>,

    /// The target; without it the cluster's Service
    #[arg(long, visible_alias = "host", value_name = "URL", env = "VERIFIER_URL")]
    pub url: Option<String>,

    /// Where traces are read, as with `verifier run` [default: otlp]
    #[arg(long, value_name = "SOURCE")]
    pub traces: Vec<Source>,

    /// The metrics of the collector on the way [default: http://127.0.0.1:8888/metrics]
    #[arg(long, value_name = "URL")]
    pub collector: Option<String>,

    /// Where traces come in by OTLP/gRPC [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDRESS", env = "VERIFIER_OTLP_GRPC")]
    pub otlp_grpc: Option<SocketAddr>,

    /// Where traces come in by OTLP/HTTP [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDRESS", env = "VERIFIER_OTLP_HTTP")]
    pub otlp_http: Option<SocketAddr>,

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

    /// Where traces are read, as with `verifier run` [default: otlp]
    #[arg(long, value_name = "SOURCE")]
    pub traces: Vec<Source>,

    /// The metrics of the collector on the way
    #[arg(long, value_name = "URL")]
    pub collector: Option<String>,

    /// Where traces come in by OTLP/gRPC
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4317")]
    pub otlp_grpc: SocketAddr,

    /// Where traces come in by OTLP/HTTP
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    pub otlp_http: SocketAddr,

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

/// Which cluster is watched, and as whom; with any of these, or a plan with a `[cluster]`, one is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kubernetes (watched with any of these, or a plan with a [cluster])")]
pub struct ClusterArgs {
    /// The way into the cluster [default: $KUBECONFIG, ~/.kube/config, or in a pod its service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace of the service [default: the plan's, or iris]
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
}

impl ClusterArgs {
    /// As the way into the cluster.
    pub fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }

    /// The plan with a `[cluster]`, where one is asked for.
    pub fn asked(&self, mut plan: Plan) -> Plan {
        if self.access() != Access::default() || self.namespace.is_some() {
            plan.cluster.get_or_insert_default();
        }
        plan
    }
}

/// What the reports shall hold.
#[derive(Debug, Args)]
pub struct AskedArgs {
    /// Traces that opentelemetry_traces/ holds: all, exemplars (a few of each class), none
    /// [default: as when the run began, else exemplars]
    #[arg(long, value_name = "WHICH")]
    pub keep_traces: Option<KeepTraces>,
    /// Where a trace can be looked at, for links in the reports: http://localhost:16686/trace/{trace_id}
    #[arg(long, value_name = "URL")]
    pub trace_link: Option<TraceLink>,
    /// Hold the run against this one, stage by stage, in the report; the verdict stays its own
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
}

impl AskedArgs {
    /// As the record keeps it.
    pub fn asked(&self) -> Asked {
        Asked {
            keep_traces: self.keep_traces,
            trace_link: self.trace_link.clone(),
        }
    }
}

/// `verifier judge`.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// The run folder
    #[arg(required_unless_present = "otlp", conflicts_with = "otlp")]
    pub run: Option<PathBuf>,

    /// Judge the traces in this file, or folder of files, that a collector's file exporter wrote
    #[arg(long, value_name = "FILE")]
    pub otlp: Option<PathBuf>,

    /// With --otlp: whose spans are expected and whose thresholds hold
    #[arg(long, default_value = "quick", requires = "otlp")]
    pub plan: String,

    /// With --otlp: the run folder [default: runs/watched-TIME]
    #[arg(long, value_name = "DIR", requires = "otlp")]
    pub out: Option<PathBuf>,

    /// Print verdict.json instead of the table
    #[arg(long)]
    pub json: bool,

    /// What the reports shall hold
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `verifier merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The run folders of all shards, or folders that hold them
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,

    /// The run folder of the whole
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Wait so long for shards that have not come to their end, or are not there yet: 10m
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub wait: Option<Duration>,

    /// Print verdict.json on stdout; all else goes to stderr
    #[arg(long)]
    pub json: bool,

    /// What the reports shall hold
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `verifier show`.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// The run folder
    pub run: PathBuf,
    /// Print verdict.json instead of the table
    #[arg(long)]
    pub json: bool,
}

/// `verifier compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The run folder to compare with
    pub a: PathBuf,
    /// The run folder that is compared
    pub b: PathBuf,
    /// A figure that is worse by no more than this is no regression
    #[arg(long, default_value = "5%", value_parser = parse_share, value_name = "PERCENT")]
    pub noise: f64,
    /// Print the comparison as JSON instead of the table
    #[arg(long)]
    pub json: bool,
    /// Write both runs into one self-contained page [default: compare-A-B.html]
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub html: Option<Option<PathBuf>>,
}

impl CompareArgs {
    /// Where the page goes, if one is asked for.
    pub fn page(&self) -> Option<PathBuf> {
        let name = |path: &Path| {
            let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            whole.file_name().unwrap_or_default().display().to_string()
        };
        let asked = self.html.clone()?;
        Some(asked.unwrap_or_else(|| {
            PathBuf::from(format!("compare-{}-{}.html", name(&self.a), name(&self.b)))
        }))
    }
}

/// `5%` or `0.05`, at least 0 and less than 1.
fn parse_share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().map(|value| value / unit);
    let share = share.ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is no share like 5% or 0.05, from 0 to less than 100%"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn shares() {
        assert_eq!(
            [parse_share("5%"), parse_share("0.05"), parse_share("0%")],
            [Ok(0.05), Ok(0.05), Ok(0.0)]
        );
        for wrong in ["", "%", "-1%", "100%", "nan", "5"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
