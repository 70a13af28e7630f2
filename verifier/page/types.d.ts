// The documents that the page shows, as Rust writes them: verifier/src/verdict/{page,outcome,cluster,compare}. Ambient.

type Judgement = 'pass' | 'fail' | 'unknown';
type RunState = 'idle' | 'starting' | 'running' | 'draining' | 'judging' | 'ended';
type Maybe = number | null;
type Column = Maybe[];

interface RunPage {
  schema: string;
  run: RunLine;
  exact: boolean;
  statistics: StatisticsRow[];
  series: Series;
  failures: FailureLine[];
  traces: TraceLine[];
  waterfalls: Waterfall[];
  spectra: Spectrum[];
  markers: Marker[];
  cluster: Cluster | null;
  verdict: Verdict | null;
  trace_link: string | null;
  files: RunFile[];
  comparison: Comparison | null;
  baseline: RunPage | null;
  limits: string[];
}
interface RunLine {
  id: string; plan: string; target: string | null; started_unix_ms: number; state: RunState;
  elapsed_seconds: number; planned_seconds: Maybe; stages: StageLine[]; users_change: boolean;
  host: string; verifier_version: string; errors: string[];
}
interface StageLine { name: string; kind: string; size: number; start_seconds: number; end_seconds: Maybe }
interface Times { p50: Maybe; p95: Maybe; p99: Maybe; mean: Maybe; min: Maybe; max: Maybe }
interface StatisticsRow {
  stage: string; method: string; name: string; requests: number; failures: number;
  latency_ms: Times; service_time_ms: Times; average_bytes: Maybe;
  requests_per_second: Maybe; failures_per_second: Maybe;
}
interface Series {
  from: number; step_seconds: number; at_seconds: number[]; answered: number[]; failed: number[];
  p50_ms: Column; p95_ms: Column; p99_ms: Column;
  service_p50_ms: Column; service_p95_ms: Column; service_p99_ms: Column;
  users: Column; requested: Column; traces_due: Column; traces_complete: Column;
  hpa_desired: Column; desired: Column; ready: Column; cpu_percent: Column;
}
interface FailureLine {
  method: string; name: string; outcome: string; status: Maybe; count: number;
  first_seconds: number; last_seconds: number; example: string | null;
}
interface TraceLine {
  trace_id: string; why: string; stage: string; name: string; at_seconds: number;
  latency_ms: number; outcome: string; status: Maybe;
}
interface Waterfall { trace_id: string; title: string; length_ns: number; bars: WaterfallBar[] }
interface WaterfallBar {
  name: string; start_ns: number; duration_ns: number; client: boolean; error: boolean;
  attributes: Record<string, string>;
}
interface Spectrum { stage: string; n: number; points: [number, number][] }
interface Marker { at_seconds: number; kind: string; label: string }
interface RunFile { path: string; bytes: Maybe }

interface Verdict {
  schema: string; outcome: Judgement; reasons: string[]; warnings: string[]; run: VerdictRun; checks: Check[];
  stages: VerdictStage[]; saturation: Saturation | null; receiver: Receiver; sources: TraceSource[];
  collector: Collector | null; services: ServiceBooks[]; losses: Losses; clocks: SenderClock[];
  cluster: Cluster | null; shards: ShardFigures[];
}
interface VerdictRun {
  id: string; plan: string; seed: string | number | null; started: string; target: string | null;
  verifier_version: string; host: string; interrupted: string | null; whole: boolean;
}
interface Check {
  name: string; stage: string | null; outcome: Judgement; value: Maybe; limit: string | null; evidence: string[];
}
interface VerdictStage {
  name: string; kind: string; size: number; duration_seconds: number; exchanges: Exchanges;
  requested_per_second: Maybe; requests_per_second: Maybe; latency_ms: Distribution; service_time_ms: Distribution;
  traces: TracesOfStage; spans_ms: Record<string, SpanDistribution>; tail: Tail | null; error_spans: ErrorSpans;
  generator: Generator; tasks: TaskFigures[]; replicas: ReplicaShare[];
}
interface Exchanges {
  planned: number; sent: number; ok: number; http_error: number; timeout: number; connect_error: number;
  reset: number; unsent: number;
}
interface SpanDistribution { p50: Maybe; p90: Maybe; p99: Maybe; max: Maybe; n: number }
interface Distribution extends SpanDistribution { p95: Maybe; p999: Maybe; mean: Maybe }
interface TracesOfStage {
  expected: number; complete: number; incomplete: number; missing: number; missing_spans: Record<string, number>;
  spans_missing: number; orphan: number; wrong_kind: number; duplicate: number; late: number; foreign: number;
  unanswered_with_trace: number; coverage: Maybe; examples: string[];
}
interface Tail {
  p50_band_n: number; p99_band_n: number; p50_band_ms: number; p99_band_ms: number;
  parts: { name: string; p50_band_ms: number; p99_band_ms: number }[];
}
interface ErrorSpans {
  matrix: Record<string, Record<string, { count: number; examples: string[] }>>;
  spans: { name: string; detail: string; count: number; examples: string[] }[];
}
interface Generator {
  opened: Maybe; lag_p99_ms: Maybe; lag_max_ms: Maybe; turn_ms: Maybe; cpu: Maybe; healthy: boolean | null;
  workers: LoadWorker[];
}
interface LoadWorker {
  worker: number; planned: number; opened: number; lag_p50_ms: number; lag_p99_ms: number; lag_max_ms: number;
  turn_ms: number; cpu: number;
}
interface TaskFigures {
  name: string; exchanges: Exchanges; requests_per_second: Maybe; latency_ms: Distribution;
  service_time_ms: Distribution; traces_expected: number; traces_complete: number;
}
interface ReplicaShare {
  source: string; requests: number; share: Maybe; share_by_tenth: Column; second_half_share: Maybe;
  ready: boolean; starved: boolean;
}
interface Saturation {
  rate: Maybe; upper: Maybe; width: Maybe; precision: number; confidence: Maybe; limit: string;
  probes: { stage: string; rate: number; meets: boolean | null; reasons: string[] }[];
}
interface Receiver {
  requests: number; spans: number; foreign_spans: number; foreign_examples: string[]; malformed_spans: number;
  refused_requests: number; refused_examples: string[]; failed_reads: number; incomplete: string[]; lost: string[];
}
interface TraceSource {
  name: string; place: string; receiver: Receiver; expected: number; complete: number; spans_missing: number;
  duplicate: number; losses: Losses; spans_ms: Record<string, Record<string, SpanDistribution>>;
}
interface Collector {
  place: string; restarts: number; accepted: number; refused: number; failed: number;
  exporters: Record<string, { sent: number; send_failed: number; enqueue_failed: number; queue: number }>;
}
interface ServiceBooks {
  source: string; started: number; recovered: number; queued: number; acknowledged: number;
  lost: Record<string, number>; left_on_disk: number; refused_requests: number; last: boolean;
}
interface Losses { missing_spans: number; places: { place: string; reason: string; spans: number }[] }
interface SenderClock { source: string; least_ms: number; greatest_ms: number; contradictory: boolean }
interface ShardFigures {
  index: number; run: string; host: string; first_worker: number; workers: number; planned: number; spans: number;
  clock_least_ms: Maybe; clock_greatest_ms: Maybe;
}

interface Moment { earliest_seconds: number; latest_seconds: number }
interface Cluster {
  server: string; version: string; namespace: string; clock_ahead_seconds: number; deployment: Deployment | null;
  hpa: Hpa | null; scale: ScalePoint[]; pods: Pod[]; scale_ups: ScaleUp[]; incidents: Incident[]; faults: Fault[];
  operations: Operations; troubles: Trouble[]; events: Record<string, number>; event_lines: EventLine[];
  nodes: ClusterNode[]; logs: { pod: string; lines: string[] }[]; gaps: Gap[];
}
interface Deployment {
  name: string; images: string[]; cpu_request_milli: Maybe; cpu_limit_milli: Maybe; replicas_first: number;
  replicas_last: number; ready_least: number; ready_most: number; rollouts: number;
}
interface Hpa {
  name: string; min: number; max: number; target_cpu_percent: Maybe; cpu_percent_most: Maybe; desired_least: number;
  desired_most: number; rescales: number; at_maximum_seconds: number; conditions: string[];
}
interface ScalePoint {
  at_seconds: number; hpa_desired: Maybe; desired: Maybe; ready: number; endpoints: number; cpu_percent: Maybe;
}
interface Pod {
  name: string; uid: string; owner: string; node: string | null; why: string | { replaces: string };
  created: Moment | null; scheduled: Moment | null; started: Moment | null; ready: Moment | null;
  endpoint: Moment | null; first_served: Moment | null; last_ok_seconds: Maybe; deletion: Moment | null;
  endpoint_removed: Moment | null; gone: Moment | null; restarts: number; ended: string | null; requests: number;
  usage: { samples: number; cpu_milli_mean: number; cpu_milli_most: number; memory_mib_most: number } | null;
}
interface EventLine {
  at_seconds: number; level: string; reason: string; object: string; message: string; count: number;
}
interface ClusterNode {
  name: string; ready: boolean; unschedulable: boolean; allocatable_cpu_milli: number; version: string;
}
interface Step { name: string; at: Moment | null; evidence: string }
interface Effect { seen: string; bad_seconds: number; met_again_seconds: Maybe; evidence: string }
interface ScaleUp {
  cause: string; stage: string | null; from: number; to: number; steps: Step[]; pods: string[];
  seconds: Moment | null; effect: Effect;
}
interface Incident {
  name: string; action: string | null; stage: string | null; at: Moment; victims: Victim[];
  replacements: Replacement[]; first_error_seconds: Maybe; errors: Record<string, number>; requests_lost: number;
  errors_before: number; spans_lost: number; replaced_seconds: Moment | null; recovery_seconds: Moment | null;
  effect: Effect; notes: string[];
}
interface Victim {
  name: string; last_ok_seconds: Maybe; endpoint_removed: Moment | null; gone: Moment | null; ended: string | null;
}
interface Replacement {
  name: string; of: string; ambiguous: boolean; created: Moment | null; ready: Moment | null;
  endpoint: Moment | null; first_served: Moment | null;
}
interface Fault {
  name: string; action: string; at_seconds: Maybe; undone_seconds: Maybe; hit: string[]; errors: string[];
}
interface Trouble {
  reason: string; meaning: string; pods: string[]; first_seconds: number; last_seconds: number; message: string;
}
interface Gap { of: string; from_seconds: number; to_seconds: Maybe; error: string }
interface Operations {
  planned: number; completed: number; traces_due: number; traces_complete: number; rescales: number;
  rollouts: number; pods: number; pods_ready: number; probes_failed: number; incidents: number;
  incidents_recovered: number; incidents_unfelt: number;
}

interface Estimate { value: number; low: Maybe; high: Maybe; n: number }
interface Pair {
  name: string; unit: 'milliseconds' | 'per_second' | 'share'; better: 'higher' | 'lower';
  a: Estimate | null; b: Estimate | null; relative: Maybe;
  change: 'regression' | 'improvement' | 'within_noise' | 'not_supported' | 'missing';
}
interface Comparison {
  schema: string; outcome: Judgement; reasons: string[]; noise: number; confidence: number; a: string; b: string;
  stages: { name: string; figures: Pair[] }[];
}

interface PlanLine {
  name: string; description: string; duration_seconds: Maybe;
  stages: { name: string; kind: string; size: number; duration_seconds: Maybe }[]; cluster: boolean; faults: number;
}
interface RecordedRun { id: string; plan: string; started_unix_ms: number; outcome: Judgement | null }
