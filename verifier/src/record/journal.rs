//! The journal: everything slow-changing that was seen, one JSON object a line, flushed line by line.

use super::cluster::{
    ClusterSeen, Deployment, Endpoints, Event, FaultDone, Hpa, Node, Pod, PodMetrics, ReplicaSet,
    WatchState,
};
use super::dictionary::Table;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// One line of `journal.jsonl`: when, on the run's clock, and what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Nanoseconds on the run's clock.
    pub at_ns: u64,
    /// What was seen.
    #[serde(flatten)]
    pub observation: Observation,
}

/// What can be seen, besides exchanges and spans. New kinds may be added; a reader skips kinds it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Observation {
    /// The run's identity; once, before any load.
    RunStarted {
        /// Name of the run folder.
        run_id: String,
        /// [`super::RunKey`] as 32 hex digits.
        run_key: String,
        /// Unix nanoseconds at zero of the run's clock.
        origin_unix_ns: u64,
        /// Version of the verifier.
        verifier_version: String,
        /// The machine that generates the load.
        host: Host,
    },
    /// This run is one shard of a run: `verifier merge` joins what all of them saw.
    Shard(super::Shard),
    /// The trace receivers of all other shards answered: the load may begin.
    ShardsReady {
        /// Where they are, in the order of their indices.
        peers: Vec<String>,
        /// How long this shard waited for them.
        waited_ns: u64,
    },
    /// A shard that was joined into this run.
    ShardJoined(super::ShardJoined),
    /// What was asked of the reports.
    ReportsAsked(super::Asked),
    /// The verifier's own spans were exported, after the load.
    ClientSpansExported {
        /// Where to.
        url: String,
        /// Taken over there.
        sent: u64,
        /// Not taken over.
        lost: u64,
        /// Why the first of them was not.
        error: Option<String>,
    },
    /// The target answers.
    TargetReady {
        /// Where requests go.
        url: String,
        /// Where it exports to, if the verifier is its receiver.
        otlp_grpc: Option<String>,
        /// The same for OTLP/HTTP.
        otlp_http: Option<String>,
        /// Replicas that the verifier started itself: process ids.
        pids: Vec<u32>,
    },
    /// Any certificate of the target was taken: who answered is not proven.
    TargetUnverified,
    /// The target could not be started or reached.
    TargetFailed {
        /// Why, for a person.
        error: String,
    },
    /// A replica that the verifier started has ended.
    TargetExited {
        /// Process id.
        pid: u32,
        /// As the operating system says it, e.g. "exit status: 0".
        status: String,
        /// It was asked to.
        expected: bool,
    },
    /// A replica was started in place of one that a fault ended; the line comes again when it is ready.
    TargetStarted {
        /// Process id.
        pid: u32,
        /// Its number: its log is `target-N.log`, its `service.instance.id` is `replica-N`.
        replica: u16,
        /// Process id of the one whose place it takes.
        replaces: u32,
        /// It has said that it serves.
        ready: bool,
    },
    /// A stage that no plan knew beforehand: a search decided on it. Its number follows the plan's stages.
    StagePlanned {
        /// Index, counted on from the plan's stages.
        stage: u16,
        /// The stage as it would stand in a plan.
        toml: String,
    },
    /// Load of a stage begins.
    StageStarted {
        /// Index in the plan.
        stage: u16,
    },
    /// All exchanges of the stage have ended, and their rows were handed over.
    StageEnded {
        /// Index in the plan.
        stage: u16,
        /// Requests planned in it: its number of exchange rows.
        planned: u64,
    },
    /// Somebody has changed the number of users by hand; what the plan says of it no longer holds in the stage.
    UsersChanged {
        /// Index of the stage.
        stage: u16,
        /// Users from now on.
        users: u32,
    },
    /// How one load worker did in one stage: the generator's own health.
    Worker {
        /// Index of the stage.
        stage: u16,
        /// Worker number.
        worker: u16,
        /// Connections (or users) it held.
        connections: u32,
        /// Most connections it had open at once.
        opened: u32,
        /// Requests it planned.
        planned: u64,
        /// Wall time of the stage in this worker.
        wall_ns: u64,
        /// CPU time of its thread in the stage.
        cpu_ns: u64,
        /// Delay from the moment a request could have been sent to the moment it was, 50th percentile.
        lag_p50_ns: u64,
        /// 99th percentile of that delay.
        lag_p99_ns: u64,
        /// Longest such delay.
        lag_max_ns: u64,
        /// Longest turn in which it served a dense open loop: an answer was seen so much late at most. 0 where
        /// each answer had a look of its own.
        #[serde(default)]
        turn_ns: u64,
    },
    /// A text of the dictionary; written before any row that uses its number.
    Dictionary {
        /// The list.
        table: Table,
        /// The number.
        number: u16,
        /// The text.
        text: String,
    },
    /// The running figures of one second, for whoever watches.
    Second(Second),
    /// A source of traces. The first one's spans are the run's; the others are held against it.
    TraceSource {
        /// 0 for the first.
        number: u8,
        /// As typed after `--traces`: "otlp", "jaeger".
        name: String,
        /// Where it is: an address, a path.
        place: String,
    },
    /// The books of one source of traces since the run's start. The last one of each source counts.
    Receiver(Receiver),
    /// The collector's own books, as its `/metrics` gave them.
    CollectorBooks(CollectorBooks),
    /// A service process's own span books, as its `/metrics` or its last words gave them.
    ServiceBooks(ServiceBooks),
    /// A cluster is watched from now on.
    ClusterWatched(ClusterSeen),
    /// A watch has listed everything, or broke off.
    WatchState(WatchState),
    /// The HPA changed.
    Hpa(Hpa),
    /// The Deployment changed.
    Deployment(Deployment),
    /// A ReplicaSet of it changed.
    ReplicaSet(ReplicaSet),
    /// A pod changed.
    Pod(Box<Pod>),
    /// An EndpointSlice of the Service changed.
    Endpoints(Endpoints),
    /// An event of the namespace.
    Event(Event),
    /// What the pods use.
    PodMetrics(PodMetrics),
    /// A node changed.
    Node(Node),
    /// A fault was done, or could not be.
    FaultDone(FaultDone),
    /// A fault that lasts was undone.
    FaultUndone(FaultDone),
    /// The last words of a pod's log, kept where it failed or ended.
    PodLog {
        /// Name of the pod.
        pod: String,
        /// Its last lines.
        lines: Vec<String>,
    },
    /// All load has ended; the run waits for the traces that are still on their way.
    DrainStarted {
        /// Exchanges whose trace is due.
        expected: u64,
        /// Of those, complete by now.
        complete: u64,
    },
    /// Nothing more is taken in: every trace has arrived, or the plan's deadline has passed and the target has ended.
    DrainEnded {
        /// Exchanges whose trace is due.
        expected: u64,
        /// Of those, complete.
        complete: u64,
    },
    /// Somebody asked the run to stop.
    Interrupted {
        /// The signal's name.
        signal: String,
    },
    /// Something went wrong in the run itself, e.g. the disk filled up.
    RunError {
        /// Why, for a person.
        error: String,
    },
    /// Last line of a journal whose run came to its own end.
    RunEnded,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// The machine that generates the load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Kernel release.
    pub kernel: String,
    /// CPUs that this process may use.
    pub cpus: usize,
}

/// What a run that was joined of several shards says of each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShardJoined {
    /// From 0.
    pub index: u16,
    /// How many shards there are.
    pub count: u16,
    /// Name of its run folder.
    pub run_id: String,
    /// The machine that generated its load.
    pub host: Host,
    /// Unix nanoseconds at zero of its own clock, by its machine's.
    pub origin_unix_ns: u64,
    /// Number of the first of its load workers; the others follow.
    pub first_worker: u16,
    /// Its load workers.
    pub workers: u16,
    /// When its stages began, on the run's clock, in the plan's order.
    pub stage_starts_ns: Vec<u64>,
    /// Spans of the run that it received, of its own and of others' requests.
    pub spans: u64,
}

/// Running figures of one second. Response times are those of the stage of its most recent exchange, from the intended
/// start, of requests that were sent (within 1 %).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Stage of the most recent exchange.
    pub stage: u16,
    /// Exchanges that ended in this second.
    pub done: u64,
    /// Of those, not ok.
    pub failed: u64,
    /// Median response time, nanoseconds.
    pub p50_ns: u64,
    /// 99th percentile of the same.
    pub p99_ns: u64,
    /// Spans received so far.
    pub spans: u64,
    /// Exchanges so far whose trace is due.
    pub traces_expected: u64,
    /// Of those, complete.
    pub traces_complete: u64,
}

/// What a service process says of its spans since its start:
/// `started + recovered = queued + acknowledged + sum(lost) + left_on_disk`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceBooks {
    /// Which process: its `service.instance.id`. Where its counts shrink, another process has taken over.
    pub source: String,
    /// Its pod, if it says so or was asked there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod: String,
    /// When it started, Unix time, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_unix_ns: Option<u64>,
    /// Spans that ended in it.
    pub started: u64,
    /// Spans of an earlier process that it found on its disk.
    pub recovered: u64,
    /// Not taken over by the collector yet.
    pub queued: u64,
    /// Taken over by the collector.
    pub acknowledged: u64,
    /// Gone, by reason.
    pub lost: std::collections::BTreeMap<String, u64>,
    /// Left for the next process on its disk.
    pub left_on_disk: u64,
    /// Requests that it answered 503 for want of memory for their spans.
    pub refused_requests: u64,
    /// It was there to be asked when the run ended, or this is the last that it said.
    pub last: bool,
}

/// What a collector says of spans since its start. Per exporter:
/// `accepted = sent + send_failed + enqueue_failed + queue`, but for what is under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectorBooks {
    /// Where they were read.
    pub place: String,
    /// Since when it runs, by itself. Where that shrinks, another process has taken over.
    pub uptime_seconds: f64,
    /// Spans that its receivers took over.
    pub accepted: u64,
    /// Spans that they refused, for want of memory or of room in a queue: the sender knows.
    pub refused: u64,
    /// Spans that they could not take for another reason.
    pub failed: u64,
    /// By exporter.
    pub exporters: std::collections::BTreeMap<String, ExporterBooks>,
}

/// What one exporter of a collector says of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExporterBooks {
    /// Taken over by the backend.
    pub sent: u64,
    /// Given up: refused for good, or after the last retry.
    pub send_failed: u64,
    /// Not taken into its queue.
    pub enqueue_failed: u64,
    /// In its queue, in spans where the queue is sized by items.
    pub queue: u64,
}

/// The books of one source of traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Receiver {
    /// Number of the source.
    #[serde(default)]
    pub source: u8,
    /// Reads that failed, of a source that is read from.
    #[serde(default)]
    pub failed_reads: u64,
    /// Why a source can not have given all that it has, in words: a truncated file, an answer cut at its limit.
    #[serde(default)]
    pub incomplete: Vec<String>,
    /// What a source is known to have lost of what it was given, in words: a memory store that evicted.
    #[serde(default)]
    pub lost: Vec<String>,
    /// Export requests answered, or answers read.
    pub requests: u64,
    /// Bytes of their bodies, as they came over the wire.
    pub bytes: u64,
    /// Spans of this run.
    pub spans: u64,
    /// Spans whose trace id is not of this run.
    pub foreign_spans: u64,
    /// Distinct examples of such trace ids, a few, in hex.
    pub foreign_examples: Vec<String>,
    /// Spans that could not be read (bad ids, broken protobuf inside a readable request).
    pub malformed_spans: u64,
    /// Requests refused: too large, not OTLP, broken.
    pub refused_requests: u64,
    /// Why, of the first few.
    pub refused_examples: Vec<String>,
}

/// Writes the journal; clones share one file.
#[derive(Clone, Debug)]
pub struct Journal {
    file: Arc<Mutex<File>>,
}

impl Journal {
    /// Creates the file.
    ///
    /// # Errors
    /// When it exists or can not be written.
    pub fn create(path: &Path) -> Result<Journal> {
        let file =
            File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Journal {
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Appends one line, in one write, so that lines of several threads never mix.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn write(&self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).context("cannot write the journal")
    }
}

/// Reads a journal. A torn last line is dropped; a broken line in the middle is an error.
///
/// # Errors
/// When the file can not be read or holds a broken line that is not its last.
pub fn read_journal(path: &Path) -> Result<Vec<Entry>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = BufReader::new(file);
    let mut entries = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            break; // the write was cut by a crash
        }
        entries.push(
            serde_json::from_slice(&line)
                .with_context(|| format!("{} line {number} is damaged", path.display()))?,
        );
    }
    Ok(entries)
}
