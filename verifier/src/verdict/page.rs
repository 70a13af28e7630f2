//! What the page shows, of a run that goes on (`web/` sends it) or of one that has ended (`page.json`, `report.html`):
//! schema `page/1`. A figure that is unknown is `null`, never zero. Seconds count on the run's clock.

use super::cluster::Cluster;
use super::compare::Comparison;
use super::outcome::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name and version of the schema.
pub const SCHEMA: &str = "page/1";

/// The page's whole content.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    /// `page/1`.
    pub schema: String,
    /// Which run, and how far it is.
    pub run: Run,
    /// The figures are the verdict's. Else they are running ones: percentiles from histograms with an error below 1 %.
    pub exact: bool,
    /// By stage and task, in the plan's order; the sum over the run last.
    pub statistics: Vec<Statistics>,
    /// Second by second.
    pub series: Series,
    /// What went wrong, by kind, most frequent first.
    pub failures: Vec<Failure>,
    /// Single requests worth a look: the slowest, failed ones, those whose trace is not complete.
    pub traces: Vec<TraceLine>,
    /// Some of them, drawn. Of a run that goes on: none; each is asked for by its trace id.
    pub waterfalls: Vec<Waterfall>,
    /// Latency over percentiles, a curve a stage; empty while the run goes on.
    pub spectra: Vec<Spectrum>,
    /// What deserves a line on the time axis.
    pub markers: Vec<Marker>,
    /// The cluster as far as it is known while the run goes on; afterwards `verdict.cluster`.
    pub cluster: Option<Cluster>,
    /// `verdict.json`, once there is one.
    pub verdict: Option<Verdict>,
    /// Where a trace can be looked at, with `{trace_id}` for its id.
    pub trace_link: Option<String>,
    /// What these figures can not say, in sentences: how they were measured, and what was left out of the page.
    pub limits: Vec<String>,
    /// Files of the run folder.
    pub files: Vec<RunFile>,
    /// This run held against `baseline`.
    pub comparison: Option<Comparison>,
    /// Another run.
    pub baseline: Option<Box<Page>>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is none yet.
    #[default]
    Idle,
    /// The target is not ready yet.
    Starting,
    /// Under load.
    Running,
    /// The load has ended; traces are waited for, and the cluster is watched on.
    Draining,
    /// The verdict is being formed.
    Judging,
    /// Nothing more will come.
    Ended,
}

/// Which run, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Name of the run folder when it was made; empty where there is none.
    pub id: String,
    /// The plan's name.
    pub plan: String,
    /// Where requests go.
    pub target: Option<String>,
    /// Unix milliseconds at zero of the run's clock.
    pub started_unix_ms: u64,
    /// How far it is.
    pub state: State,
    /// Seconds since its start, when this was sent.
    pub elapsed_seconds: f64,
    /// Length of all stages; `null` of a search, and of somebody else's load.
    pub planned_seconds: Option<f64>,
    /// Stages that began, in order.
    pub stages: Vec<Stage>,
    /// Users can be added and taken away now.
    pub users_change: bool,
    /// The machine that generates the load: name, kernel, CPUs.
    pub host: String,
    /// Version of the verifier.
    pub verifier_version: String,
    /// What went wrong in the run itself, or before it.
    pub errors: Vec<String>,
}

/// A stage that began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// `connections`, `users`, `rate`, `watched`.
    pub kind: String,
    /// Connections, users, or requests per second.
    pub size: f64,
    /// When it began.
    pub start_seconds: f64,
    /// When it ended; `null`: it goes on.
    pub end_seconds: Option<f64>,
}

/// A row of the tab Statistics. Times are of exchanges that were sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// The stage; empty in the sum over the run.
    pub stage: String,
    /// HTTP method; empty in the sum.
    pub method: String,
    /// The task's name, or the path; `Aggregated` in a stage's sum over several tasks, and in the sum over the run.
    pub name: String,
    /// Planned requests that have ended, whatever became of them.
    pub requests: u64,
    /// Of those, not ok.
    pub failures: u64,
    /// Response time from the intended start.
    pub latency_ms: Times,
    /// Service time from the actual send: what Locust and wrk report.
    pub service_time_ms: Times,
    /// Mean size of the answers, bytes.
    pub average_bytes: Option<f64>,
    /// Answers per second: of an ended stage its mean, else of the last ten seconds.
    pub requests_per_second: Option<f64>,
    /// Failures per second, likewise.
    pub failures_per_second: Option<f64>,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// Columns of equal length, a row a second in which something was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// Number of the first row: whoever has rows already drops those from there on, and appends these.
    pub from: usize,
    /// Seconds that a row stands for: 1, and more in a run too long for a row a second. Counts are of all of them.
    pub step_seconds: u64,
    /// The second, rising.
    pub at_seconds: Vec<u64>,
    /// Answers that came in it.
    pub answered: Vec<u64>,
    /// Exchanges that ended in it, not ok.
    pub failed: Vec<u64>,
    /// Median of the response times from the intended start, milliseconds.
    pub p50_ms: Vec<Option<f64>>,
    /// 95th percentile.
    pub p95_ms: Vec<Option<f64>>,
    /// 99th percentile: of a second's few, a picture and no claim.
    pub p99_ms: Vec<Option<f64>>,
    /// Median of the service times from the send.
    pub service_p50_ms: Vec<Option<f64>>,
    /// 95th percentile.
    pub service_p95_ms: Vec<Option<f64>>,
    /// 99th percentile.
    pub service_p99_ms: Vec<Option<f64>>,
    /// Users, or connections of a closed loop, that the plan wants then.
    pub users: Vec<Option<f64>>,
    /// Requests per second that an open loop's plan wants then.
    pub requested: Vec<Option<f64>>,
    /// Traces due so far.
    pub traces_due: Vec<Option<u64>>,
    /// Of those, complete.
    pub traces_complete: Vec<Option<u64>>,
    /// Replicas that the HPA wants.
    pub hpa_desired: Vec<Option<u32>>,
    /// Replicas that the Deployment asks for.
    pub desired: Vec<Option<u32>>,
    /// Ready pods.
    pub ready: Vec<Option<u32>>,
    /// CPU as the HPA saw it, percent of the pods' requests.
    pub cpu_percent: Vec<Option<i64>>,
}

impl Default for Series {
    fn default() -> Series {
        Series {
            from: 0,
            step_seconds: 1,
            at_seconds: Vec::new(),
            answered: Vec::new(),
            failed: Vec::new(),
            p50_ms: Vec::new(),
            p95_ms: Vec::new(),
            p99_ms: Vec::new(),
            service_p50_ms: Vec::new(),
            service_p95_ms: Vec::new(),
            service_p99_ms: Vec::new(),
            users: Vec::new(),
            requested: Vec::new(),
            traces_due: Vec::new(),
            traces_complete: Vec::new(),
            hpa_desired: Vec::new(),
            desired: Vec::new(),
            ready: Vec::new(),
            cpu_percent: Vec::new(),
        }
    }
}

/// Exchanges that failed in the same way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// HTTP method.
    pub method: String,
    /// The task's name, or the path.
    pub name: String,
    /// `http_error`, `timeout`, `connect_error`, `reset`, `unsent`.
    pub outcome: String,
    /// HTTP status; `null` without an answer.
    pub status: Option<u16>,
    /// How many.
    pub count: u64,
    /// End of the first of them.
    pub first_seconds: f64,
    /// End of the last.
    pub last_seconds: f64,
    /// Trace id of one: of the first that was sent.
    pub example: Option<String>,
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceLine {
    /// Trace id in hex.
    pub trace_id: String,
    /// `slowest`, `median`, `failed`, `incomplete`. A trace that is several of these has a line for each.
    pub why: String,
    /// Its stage.
    pub stage: String,
    /// Its task's name, or the path.
    pub name: String,
    /// Intended start.
    pub at_seconds: f64,
    /// Response time from the intended start.
    pub latency_ms: f64,
    /// As in [`Failure::outcome`], or `ok`.
    pub outcome: String,
    /// HTTP status; `null` without an answer.
    pub status: Option<u16>,
}

/// One exchange and its spans on one axis, which begins at the exchange's intended start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waterfall {
    /// Trace id in hex.
    pub trace_id: String,
    /// Stage, outcome, what is missing.
    pub title: String,
    /// Length of the axis.
    pub length_ns: u64,
    /// The client's own first.
    pub bars: Vec<Bar>,
}

/// One bar of a waterfall.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// Span name, or what the client did.
    pub name: String,
    /// From the axis' begin; the sender's clock corrected by its offset. May lie before it.
    pub start_ns: i64,
    /// Length.
    pub duration_ns: u64,
    /// The client's own, no span.
    pub client: bool,
    /// Ended with an error.
    pub error: bool,
    /// Span id, parent, kind, status, sender and what else is known, by OpenTelemetry's names.
    pub attributes: BTreeMap<String, String>,
}

/// Latency over percentiles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// Stage.
    pub stage: String,
    /// Samples.
    pub n: u64,
    /// `[percentile as a share of 1, milliseconds]`, rising; only what the samples support.
    pub points: Vec<(f64, f64)>,
}

/// A moment on the time axis.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    /// When.
    pub at_seconds: f64,
    /// `stage`, `fault`, `exit` (a replica ended), `scale`, `gap`, `stop`.
    pub kind: String,
    /// In words.
    pub label: String,
}

/// A file of the run folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFile {
    /// From the run folder.
    pub path: String,
    /// Its size; `null` where it is not known.
    pub bytes: Option<u64>,
}
