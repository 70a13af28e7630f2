//! From the joined run to the verdict: figures first, then checks on the figures.

mod by_hand;
mod checks;
mod cluster;
mod collector;
mod distribution;
mod error_spans;
mod exchanges;
mod generator;
mod losses;
mod replicas;
mod saturation;
mod shards;
mod sources;
mod spans;
mod tail;
mod tasks;
mod traces;
mod watched;

pub use by_hand::users_by_hand;
pub use checks::{recorded_part, unfit};
pub use distribution::{distribution, fewest_samples, percentile_ns};
pub use exchanges::InTime;
pub use sources::{Beside, beside};

use super::align::Timeline;
use super::align::cluster::ClusterSeen;
use super::outcome::{Judgement, Losses, Receiver, Run, SCHEMA, SenderClock, Stage, Verdict};
use crate::record::{Observation, Table};
use std::time::{Duration, UNIX_EPOCH};

/// Examples kept of anything.
const EXAMPLES: usize = 5;

/// Judges a joined run, with what its other sources of traces came to.
pub fn judge(timeline: &Timeline<'_>, others: &[Beside]) -> Verdict {
    let receiver = sources::receiver(timeline, 0);
    let of_cluster = ClusterSeen::of(timeline);
    let lives = replicas::lives(timeline, &of_cluster);
    let stages: Vec<Stage> = (0..timeline.plan.stages.len())
        .map(|index| stage(timeline, index, &receiver, &lives))
        .collect();
    let run = run(timeline);
    let services = losses::services(timeline);
    let untold = losses::Untold::of(timeline, &lives);
    let collector = collector::books(timeline);
    let mut sources = sources::all(timeline, &stages, others);
    for source in &mut sources {
        source.losses = losses::attribute(&services, &untold, collector.as_ref(), source);
    }
    let losses = sources
        .first()
        .map_or_else(Losses::default, |first| first.losses.clone());
    let mut checks = checks::all(timeline, &run, &stages, &receiver);
    checks.extend(sources::checks(timeline, &sources));
    checks.extend(checks::accounted(&services, &losses, untold.why.as_deref()));
    let cluster = cluster::judge(timeline, of_cluster, &stages);
    checks.extend(cluster::checks(timeline.plan, cluster.as_ref()));
    checks.extend(watched::arrived(
        timeline,
        &services,
        untold.why.as_deref(),
        &receiver,
    ));
    let saturation = saturation::answer(timeline, &stages);
    checks.extend(saturation.as_ref().map(saturation::check));
    shards::of_a_part(timeline, &mut checks);
    let outcome = checks::outcome(&checks);
    let mut reasons = checks::reasons(&checks, &stages, outcome);
    if outcome == Judgement::Pass {
        reasons.splice(0..0, saturation.as_ref().map(saturation::sentence));
    }
    reasons.extend(
        sources
            .iter()
            .filter_map(|source| checks::whereabouts(source, sources.len())),
    );
    if timeline
        .observations()
        .any(|o| *o == Observation::TargetUnverified)
    {
        let line = "INSECURE: any certificate of the target was taken (--insecure), so that anybody may have answered";
        reasons.push(line.to_owned());
    }
    let mut warnings = replicas::warnings(timeline, &stages);
    warnings.extend(sources::warnings(&sources));
    warnings.extend(watched::warning(timeline));
    warnings.extend(by_hand::warnings(timeline));
    warnings.extend(cluster.iter().flat_map(cluster::warnings));
    let shards = shards::figures(timeline);
    warnings.extend(shards::warnings(timeline, &shards));
    Verdict {
        schema: SCHEMA.to_owned(),
        outcome,
        reasons,
        warnings,
        run,
        checks,
        stages,
        saturation,
        receiver,
        sources,
        collector,
        services,
        losses,
        clocks: clocks(timeline),
        cluster,
        shards,
    }
}

/// The cluster as far as the journal alone tells of it, while the run goes on: nothing is known of who served what, nor of
/// what users felt. `None` where none is watched and no fault is planned.
pub fn cluster_so_far(timeline: &Timeline<'_>) -> Option<super::cluster::Cluster> {
    cluster::judge(timeline, ClusterSeen::of(timeline), &[])
}

fn stage(
    timeline: &Timeline<'_>,
    index: usize,
    receiver: &Receiver,
    lives: &replicas::Lives,
) -> Stage {
    let plan = &timeline.plan.stages[index];
    let duration = exchanges::duration_seconds(timeline, index);
    let (latency_ms, service_time_ms) = distribution::of_stage(timeline, index, None);
    let (kind, size) = match timeline.watched() {
        true => (watched::KIND.to_owned(), 0.0),
        false => (plan.load.kind().to_owned(), plan.load.size()),
    };
    Stage {
        name: plan.name.clone(),
        kind,
        size,
        duration_seconds: duration,
        exchanges: exchanges::count(timeline, index, None),
        requested_per_second: plan.requested_rate(duration),
        requests_per_second: exchanges::per_second(timeline, index, duration, None),
        latency_ms,
        service_time_ms,
        traces: traces::count(timeline, index, receiver),
        spans_ms: spans::durations(timeline, index),
        tail: tail::attribute(timeline, index),
        error_spans: error_spans::matrix(timeline, index),
        generator: generator::health(timeline, index),
        tasks: tasks::figures(timeline, index, duration),
        replicas: replicas::shares(timeline, index, duration, lives),
    }
}

fn run(timeline: &Timeline<'_>) -> Run {
    let mut run = Run {
        id: String::new(),
        plan: timeline.plan.name.clone(),
        seed: timeline.plan.seed,
        started: String::new(),
        target: None,
        verifier_version: String::new(),
        host: String::new(),
        interrupted: None,
        whole: false,
    };
    for observation in timeline.observations() {
        match observation {
            Observation::RunStarted {
                run_id,
                origin_unix_ns,
                verifier_version,
                host,
                ..
            } => {
                run.id.clone_from(run_id);
                let started = UNIX_EPOCH + Duration::from_nanos(*origin_unix_ns);
                run.started = humantime::format_rfc3339_seconds(started).to_string();
                run.verifier_version.clone_from(verifier_version);
                run.host = format!("{}, Linux {}, {} CPUs", host.name, host.kernel, host.cpus);
            }
            Observation::TargetReady { url, .. } => run.target = Some(url.clone()),
            Observation::Interrupted { signal } => run.interrupted = Some(signal.clone()),
            Observation::RunEnded => run.whole = true,
            _ => {}
        }
    }
    run
}

fn clocks(timeline: &Timeline<'_>) -> Vec<SenderClock> {
    let bounds = timeline
        .clocks
        .senders
        .iter()
        .map(|(source, offset)| SenderClock {
            source: timeline.text(Table::Source, *source).to_owned(),
            least_ms: offset.least_ns as f64 / 1e6,
            greatest_ms: offset.greatest_ns as f64 / 1e6,
            contradictory: offset.contradictory(),
        });
    let mut clocks: Vec<SenderClock> = bounds.collect();
    // Numbers of texts differ between row files and Parquet; names do not.
    clocks.sort_by(|a, b| a.source.cmp(&b.source));
    clocks
}

/// `pass` where it holds, `fail` where it does not, `unknown` without evidence.
fn judgement(holds: Option<bool>) -> Judgement {
    match holds {
        Some(true) => Judgement::Pass,
        Some(false) => Judgement::Fail,
        None => Judgement::Unknown,
    }
}
