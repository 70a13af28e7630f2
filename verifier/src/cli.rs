//! What can be typed: flags and their words, no logic.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::plan::{Plan, Threshold, parse_duration};
use crate::record::{Asked, KeepTraces, Shard, TraceLink};
use crate::run::Peers;
use crate::run::kubernetes::Access;
use crate::run::traces::Source;
use crate::web::parse_address;

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

/// Heading of what concerns the page.
const PAGE: &str = "The page";

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
    /// Serve the page on which a run is started, watched, stopped and explored
    Web(WebArgs),
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
    #[arg(long, conflicts_with_all = ["no_faults", "json", "web"])]
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

/// A page beside what a subcommand does.
#[derive(Debug, Args)]
#[command(next_help_heading = PAGE)]
pub struct PageArgs {
    /// Serve a page in the browser, at this address [default: 127.0.0.1:8089]. On a terminal: Ctrl-C stops the run, the
    /// next one the page
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:8089", value_parser = parse_address)]
    pub web: Option<SocketAddr>,

    /// The secret that opens the page [default: none on this machine alone, a random one if others can reach it]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "VERIFIER_WEB_TOKEN",
        hide_env_values = true
    )]
    pub web_token: Option<String>,
}

/// `verifier web`.
#[derive(Debug, Args)]
#[command(next_help_heading = PAGE)]
pub struct WebArgs {
    /// Where it is served: 127.0.0.1:8089, 0.0.0.0:8089, 8089
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089", value_parser = parse_address)]
    pub listen: SocketAddr,

    /// The secret that opens the page [default: none on this machine alone, a random one if others can reach it]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "VERIFIER_WEB_TOKEN",
        hide_env_values = true
    )]
    pub web_token: Option<String>,

    /// Flags of `verifier run` that every run is given which is started on the page: verifier web -- --url http://10.0.0.7
    #[arg(last = true, value_name = "RUN_FLAGS")]
    pub run: Vec<OsString>,
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
    /// An earlier run, whose figures and curves report.html shows beside this one's
    #[arg(long, value_name = "DIR")]
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
    #[arg(long, conflicts_with = "web")]
    pub json: bool,
    /// Show it on a page instead
    #[command(flatten)]
    pub page: PageArgs,
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
    /// Write both runs as one page, too
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "compare.html")]
    pub html: Option<PathBuf>,
    /// Print the comparison as JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

/// What of `verifier run` says how much load, where to, what is printed: the rest is where it takes place.
const OF_ONE_RUN: [&str; 20] = [
    "plan",
    "connections",
    "users",
    "spawn_rate",
    "rate",
    "duration",
    "scale_time",
    "thresholds",
    "no_faults",
    "dry_run",
    "out",
    "seed",
    "shard",
    "shard_peers",
    "shard_wait",
    "headless",
    "keys_from_stdin",
    "web",
    "web_token",
    "json",
];

/// What the process that serves a page has of its own: not for the run that it starts.
const OF_THE_PAGE: [&str; 4] = ["out", "keys_from_stdin", "web", "web_token"];

/// What was typed for `verifier run`, as it can be typed again, but for what concerns the page and the run folder.
pub fn typed(run: &ArgMatches) -> Vec<OsString> {
    again(run, &OF_THE_PAGE)
}

/// Of what was typed for `verifier run`, that which holds for the next run, too: the target, the cluster, the traces.
pub fn surroundings(run: &ArgMatches) -> Vec<OsString> {
    again(run, &OF_ONE_RUN)
}

fn again(run: &ArgMatches, without: &[&str]) -> Vec<OsString> {
    let command = Cli::command();
    let command = command.find_subcommand("run");
    let arguments = command.into_iter().flat_map(clap::Command::get_arguments);
    let mut typed = Vec::new();
    for argument in arguments {
        let id = argument.get_id().as_str();
        let by_hand = run.try_contains_id(id).is_ok()
            && run.value_source(id) == Some(ValueSource::CommandLine);
        if !by_hand || without.contains(&id) {
            continue;
        }
        let values = run.get_raw(id).into_iter().flatten();
        match argument.get_long() {
            None => typed.extend(values.map(OsString::from)),
            Some(long) if argument.get_action().takes_values() => {
                typed.extend(values.map(|value| {
                    let mut flag = OsString::from(format!("--{long}="));
                    flag.push(value);
                    flag
                }));
            }
            Some(long) => typed.push(OsString::from(format!("--{long}"))),
        }
    }
    typed
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
    fn a_run_is_typed_again() {
        let words = "verifier run wrk -u 10,20 -r 2 --host http://a --insecure --traces jaeger --traces tempo \
             --headless --web=0.0.0.0:1 --web-token secret --out somewhere --threshold p99<1s -d 5s";
        let matches = Cli::command().get_matches_from(words.split_whitespace());
        let (_, run) = matches.subcommand().unwrap();
        let mut typed = typed(run);
        assert_eq!(typed.remove(0), "wrk");
        typed.sort();
        assert_eq!(
            typed,
            [
                "--duration=5s",
                "--headless",
                "--insecure",
                "--spawn-rate=2",
                "--threshold=p99<1s",
                "--traces=jaeger",
                "--traces=tempo",
                "--url=http://a",
                "--users=10",
                "--users=20",
            ]
        );
        let mut kept = surroundings(run);
        kept.sort();
        assert_eq!(
            kept,
            [
                "--insecure",
                "--traces=jaeger",
                "--traces=tempo",
                "--url=http://a"
            ]
        );
        let again: Vec<OsString> = ["verifier", "run", "wrk"].map(OsString::from).into();
        assert!(Cli::try_parse_from([again, typed].concat()).is_ok());
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
