//! The verdict as it is written: schema `verdict/1`. A figure that is unknown is `null`, never zero.

pub use super::figures::{LoadWorker, Replica, TaskFigures};
pub use super::saturation::{Limit, Probe, Saturation};
pub use super::shards::ShardFigures;
pub use super::sources::{Collector, Exporter, TraceSource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name and version of the schema.
pub const SCHEMA: &str = "verdict/1";

/// What a run, or one of its checks, comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// It holds, on evidence.
    Pass,
    /// It does not hold, on evidence.
    Fail,
    /// The evidence does not suffice: the run is invalid or unfinished, or there is no data.
    Unknown,
}

impl Judgement {
    /// The process's exit code: 0 pass, 1 fail, 3 unknown.
    pub fn exit_code(self) -> u8 {
        match self {
            Judgement::Pass => 0,
            Judgement::Fail => 1,
            Judgement::Unknown => 3,
        }
    }

    /// The word for a person.
    pub fn word(self) -> &'static str {
        match self {
            Judgement::Pass => "PASS",
            Judgement::Fail => "FAIL",
            Judgement::Unknown => "UNKNOWN",
        }
    }
}

/// `verdict.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// `verdict/1`.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: String,
    /// What the run comes to.
    pub outcome: Judgement,
    /// Why, in sentences, the weightiest first.
    pub reasons: Vec<String>,
    /// What deserves a look and decides nothing, in sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Which run this is.
    pub run: Run,
    /// Every check, with its evidence.
    pub checks: Vec<Check>,
    /// The plan's stages, in order; those of a search, in the order in which they were run.
    pub stages: Vec<Stage>,
    /// The answer of a plan that searches; else `null`.
    #[serde(default)]
    pub saturation: Option<Saturation>,
    /// The books of the first source of traces.
    pub receiver: Receiver,
    /// Every source of traces; the figures of the stages are of the first.
    #[serde(default)]
    pub sources: Vec<TraceSource>,
    /// The collector's books, where they were read.
    #[serde(default)]
    pub collector: Option<Collector>,
    /// The span books of each process of the target, as far as it shows them.
    pub services: Vec<Service>,
    /// Where the spans that are missing in the first source were lost.
    pub losses: Losses,
    /// How far each sender's clock can be off, from server spans that must lie inside their exchanges.
    pub clocks: Vec<SenderClock>,
    /// Pods, scale-ups, incidents; `null` where no cluster was watched and nothing was broken.
    #[serde(default)]
    pub cluster: Option<super::cluster::Cluster>,
    /// The shards that the run was joined of; empty for a run of one verifier.
    #[serde(default)]
    pub shards: Vec<ShardFigures>,
}

/// Which run this is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Name of the run folder when it was made.
    pub id: String,
    /// The plan's name.
    pub plan: String,
    /// Seed of the trace ids.
    pub seed: Option<u64>,
    /// When it began, RFC 3339.
    pub started: String,
    /// Where requests went.
    pub target: Option<String>,
    /// Version of the verifier that recorded it.
    pub verifier_version: String,
    /// The machine that generated the load: name, kernel, CPUs.
    pub host: String,
    /// The signal that stopped it, if one did.
    pub interrupted: Option<String>,
    /// It came to its own end.
    pub whole: bool,
}

/// One condition, and whether it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What is checked; a threshold as written in the plan.
    pub name: String,
    /// The stage it speaks of; absent for the whole run.
    pub stage: Option<String>,
    /// Whether it holds.
    pub outcome: Judgement,
    /// The figure: milliseconds for durations, a share of 1 for rates.
    pub value: Option<f64>,
    /// What the figure was held against.
    pub limit: Option<String>,
    /// What was seen.
    pub evidence: Vec<String>,
}

/// One stage's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// Name.
    pub name: String,
    /// `connections`, `users`, `rate`; `watched` where somebody else drove the load.
    #[schemars(extend("enum" = ["connections", "users", "rate", "watched"]))]
    pub kind: String,
    /// Connections, users, or requests per second; 0 of a load that is not known; the most, where the load changes within the stage.
    pub size: f64,
    /// Measured: from the stage's start to its planned end, or to its last row where it was cut short.
    pub duration_seconds: f64,
    /// What became of the planned requests.
    pub exchanges: Exchanges,
    /// Open loop: requests per second that the plan asked for, the mean over `duration_seconds`.
    #[serde(default)]
    pub requested_per_second: Option<f64>,
    /// Achieved: answers within `duration_seconds`, per second.
    pub requests_per_second: Option<f64>,
    /// Response time from the intended start, of every exchange that was sent, failures included.
    pub latency_ms: Distribution,
    /// Service time from the actual send, of the same exchanges.
    pub service_time_ms: Distribution,
    /// The traces of the answered exchanges.
    pub traces: Traces,
    /// Durations of the expected spans, duplicates counted once.
    pub spans_ms: BTreeMap<String, SpanDistribution>,
    /// Where the time of the slow requests went, compared with the median's.
    pub tail: Option<Tail>,
    /// HTTP outcomes against span statuses.
    pub error_spans: ErrorSpans,
    /// The load generator's own health.
    pub generator: Generator,
    /// The figures by task; empty where the plan has but one.
    #[serde(default)]
    pub tasks: Vec<TaskFigures>,
    /// Which replica served how much, as far as root spans tell, by name.
    #[serde(default)]
    pub replicas: Vec<Replica>,
}

/// Counts of exchanges. `planned` is the sum of the six outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchanges {
    /// Rows.
    pub planned: u64,
    /// Rows of which bytes were sent: all but connect_error and unsent.
    pub sent: u64,
    /// 2xx and 3xx.
    pub ok: u64,
    /// 4xx and 5xx.
    pub http_error: u64,
    /// No whole answer in time.
    pub timeout: u64,
    /// No connection.
    pub connect_error: u64,
    /// The connection broke, or spoke no HTTP.
    pub reset: u64,
    /// Never sent.
    pub unsent: u64,
}

/// A distribution in milliseconds, exact (nearest rank). A percentile that `n` can not support is `null`:
/// it is given when, with 99 % confidence, at least two samples lie above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Smallest.
    #[serde(default)]
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Samples.
    pub n: u64,
}

/// Durations of one span name, in milliseconds; percentiles as in [`Distribution`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpanDistribution {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Samples.
    pub n: u64,
}

/// What became of the traces that were due. `expected = complete + incomplete + missing`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Traces {
    /// Answered exchanges.
    pub expected: u64,
    /// With every expected span, of the expected kind, under the expected parent.
    pub complete: u64,
    /// With some spans, and not complete.
    pub incomplete: u64,
    /// Without any span.
    pub missing: u64,
    /// How often each expected span is missing, among incomplete traces.
    pub missing_spans: BTreeMap<String, u64>,
    /// Expected spans that did not come: those of incomplete and of missing traces.
    pub spans_missing: u64,
    /// Traces with an expected span whose parent is another than expected.
    pub orphan: u64,
    /// Traces with an expected span of another kind than expected.
    pub wrong_kind: u64,
    /// Spans that came more than once.
    pub duplicate: u64,
    /// Complete traces whose last span came later than the plan's `late_after`.
    pub late: u64,
    /// Spans that arrived during the run and are of no request of it; of the whole run, the same in each stage.
    pub foreign: u64,
    /// Exchanges without an answer of whose trace spans came all the same: the server went on after the client had given up.
    pub unanswered_with_trace: u64,
    /// `complete / expected`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub coverage: Option<f64>,
    /// Trace ids of traces that are not complete, and what each lacks.
    pub examples: Vec<String>,
}

/// Mean times of the p50 band (45th to 55th percentile of latency) and of the p99 band (the slowest
/// hundredth), over ok exchanges with complete traces. The parts add up to the latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tail {
    /// Exchanges in the p50 band.
    pub p50_band_n: u64,
    /// Exchanges in the p99 band.
    pub p99_band_n: u64,
    /// Mean latency of the p50 band.
    pub p50_band_ms: f64,
    /// Mean latency of the p99 band.
    pub p99_band_ms: f64,
    /// The parts, in the order in which a request meets them.
    pub parts: Vec<TailPart>,
}

/// One part of the latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TailPart {
    /// `generator_lag`, `connect`, `network_and_queue`, a span's name, or `other_server_time`.
    pub name: String,
    /// Mean in the p50 band.
    pub p50_band_ms: f64,
    /// Mean in the p99 band.
    pub p99_band_ms: f64,
}

/// HTTP outcomes against span statuses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorSpans {
    /// Rows `2xx`, `3xx`, `4xx`, `5xx`, `timeout`, `reset`; columns `no_error`, `error`, `no_root_span`: the root span's status.
    pub matrix: BTreeMap<String, BTreeMap<String, MatrixCell>>,
    /// Spans with an error status, by name and detail, most frequent first.
    pub spans: Vec<ErrorSpan>,
}

/// One cell of the matrix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MatrixCell {
    /// Exchanges.
    pub count: u64,
    /// A few of their trace ids.
    pub examples: Vec<String>,
}

/// Error spans that say the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorSpan {
    /// Span name.
    pub name: String,
    /// `error.type`, or the status message.
    pub detail: String,
    /// How many.
    pub count: u64,
    /// A few of their trace ids.
    pub examples: Vec<String>,
}

/// The load generator's own health in a stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// Most connections open at once.
    pub opened: Option<u64>,
    /// Delay from the moment a request could have been sent to its send, 99th percentile of the worst worker.
    pub lag_p99_ms: Option<f64>,
    /// Longest such delay.
    pub lag_max_ms: Option<f64>,
    /// By how much an answer may have been seen late, where a dense open loop was served in turns; 0 for not at all.
    #[serde(default)]
    pub turn_ms: Option<f64>,
    /// Share of its wall time that the busiest worker spent on the CPU.
    pub cpu: Option<f64>,
    /// Both within the plan's bounds; `null` when the stage did not end.
    pub healthy: Option<bool>,
    /// Each worker that took part.
    #[serde(default)]
    pub workers: Vec<LoadWorker>,
}

/// The books of a source of traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Receiver {
    /// Export requests answered, or answers read.
    pub requests: u64,
    /// Spans of this run.
    pub spans: u64,
    /// Spans of other traces.
    pub foreign_spans: u64,
    /// A few of their trace ids.
    pub foreign_examples: Vec<String>,
    /// Spans with unusable ids.
    pub malformed_spans: u64,
    /// Export requests refused.
    pub refused_requests: u64,
    /// Why they were refused, or reads failed, of the first few.
    pub refused_examples: Vec<String>,
    /// Reads that failed, of a source that is read from.
    #[serde(default)]
    pub failed_reads: u64,
    /// Why not all that the source has may have been read.
    #[serde(default)]
    pub incomplete: Vec<String>,
    /// What the source is known to have lost.
    #[serde(default)]
    pub lost: Vec<String>,
}

/// A process's own span books: `started + recovered = queued + acknowledged + sum(lost) + left_on_disk`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// `service.instance.id`.
    pub source: String,
    /// Spans that ended in it, during the run.
    pub started: u64,
    /// Spans that it had before: of an earlier process on its disk, of before the run in its queue.
    pub recovered: u64,
    /// Not acknowledged by then.
    pub queued: u64,
    /// Acknowledged by its collector.
    pub acknowledged: u64,
    /// Lost, by reason.
    pub lost: BTreeMap<String, u64>,
    /// Left for the next process on its disk.
    pub left_on_disk: u64,
    /// Requests that it refused for want of memory for their spans.
    pub refused_requests: u64,
    /// These are its last words; else it ended, or was out of reach, at some time after them.
    pub last: bool,
}

/// Where the spans that did not come were lost. `missing_spans` is the sum over the places.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Losses {
    /// Expected spans of answered exchanges that did not come.
    pub missing_spans: u64,
    /// From the best known to the unknown.
    pub places: Vec<Loss>,
}

/// Spans that were lost in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Where.
    pub place: Place,
    /// Why.
    pub reason: String,
    /// How many.
    pub spans: u64,
}

/// Where a span can be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the service; its books say so.
    Service,
    /// Between the service, to whom it was acknowledged, and the next hop whose books are known.
    OnTheWay,
    /// In the collector; its books say so.
    Collector,
    /// In the backend, which the collector's exporter had handed it over to.
    Backend,
    /// Nowhere, perhaps: the source was not read whole.
    Unread,
    /// In a process that was killed, with its books.
    EndedProcess,
    /// Nowhere: by the books of every process no such span ended in it.
    NeverMade,
    /// Nobody can tell.
    Unknown,
}

impl Place {
    /// The words for a person.
    pub fn words(self) -> &'static str {
        match self {
            Place::Service => "lost in the service",
            Place::OnTheWay => "lost on the way",
            Place::Collector => "lost in the collector",
            Place::Backend => "lost in the backend",
            Place::Unread => "not read (cannot tell)",
            Place::EndedProcess => "lost with a process",
            Place::NeverMade => "never made",
            Place::Unknown => "lost in an unknown place",
        }
    }
}

/// Bounds on the offset of a sender's clock against the run's: the true offset lies between the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SenderClock {
    /// Service instance or pod.
    pub source: String,
    /// Least offset, milliseconds; positive: the sender's clock is ahead.
    pub least_ms: f64,
    /// Greatest offset.
    pub greatest_ms: f64,
    /// The bounds exclude each other: the sender's clock moved during the run, or its spans are wrong.
    pub contradictory: bool,
}
