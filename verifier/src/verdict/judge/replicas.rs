//! Which replica served how much, and which was ready and got next to nothing: a balancer deals out
//! connections, not requests, so that a replica that came late may stand idle beside busy ones.

use crate::plan::Reuse;
use crate::record::{Exchange, Observation, Span, Table};
use crate::verdict::align::Timeline;
use crate::verdict::align::cluster::ClusterSeen;
use crate::verdict::outcome::{Replica, Stage};
use std::collections::BTreeMap;

/// Less than this part of the fair share is starved.
const STARVED: f64 = 0.25;
/// With a fair share of fewer requests, chance alone may starve a replica.
const FEWEST: f64 = 20.0;
/// With less of the answers' senders known, nobody is called starved.
const KNOWN: f64 = 0.95;
/// Slices of a stage.
const TENTHS: usize = 10;

/// When each replica was first and last seen alive, on the run's clock: by a request that it served, or by
/// its own books.
pub(super) type Lives = BTreeMap<String, (u64, u64)>;

/// Sender of the root span, if that came.
pub(super) fn server<'t>(
    timeline: &'t Timeline<'_>,
    exchange: &Exchange,
    spans: &[Span],
) -> Option<&'t str> {
    let root = timeline.expected(exchange).names.first().copied()??;
    let span = spans.iter().find(|span| span.name == root)?;
    Some(timeline.text(Table::Source, span.source))
}

fn see(lives: &mut Lives, source: &str, at_ns: u64) {
    match lives.get_mut(source) {
        Some((first, last)) => (*first, *last) = ((*first).min(at_ns), (*last).max(at_ns)),
        None => drop(lives.insert(source.to_owned(), (at_ns, at_ns))),
    }
}

/// Every replica that showed itself.
pub(super) fn lives(timeline: &Timeline<'_>, cluster: &ClusterSeen) -> Lives {
    let mut lives = Lives::new();
    for (exchange, spans) in timeline.all().filter(|(e, _)| e.outcome.answered()) {
        if let Some(source) = server(timeline, exchange, spans) {
            see(&mut lives, source, exchange.sent_ns);
        }
    }
    let journal = timeline.recorded.journal.iter();
    let books = journal.filter_map(|entry| match &entry.observation {
        // Spans go by the pod's name, where they have one.
        Observation::ServiceBooks(books) if !books.pod.is_empty() => {
            Some((books.pod.as_str(), entry.at_ns))
        }
        Observation::ServiceBooks(books) => Some((books.source.as_str(), entry.at_ns)),
        _ => None,
    });
    let books: Vec<(&str, u64)> = books.collect();
    // Only where books and spans use one name is a process that left no span another replica.
    if books.iter().any(|(source, _)| lives.contains_key(*source)) {
        for (source, at_ns) in books {
            see(&mut lives, source, at_ns);
        }
    }
    // A pod that is being deleted lives on, and is not to be sent anything.
    for pod in &cluster.pods {
        if let (Some((_, last)), Some(deletion)) = (lives.get_mut(&pod.last.name), pod.deletion) {
            *last = (*last).min(deletion.latest_ns);
        }
    }
    lives
}

/// The replicas' shares of a stage, by name.
pub(super) fn shares(
    timeline: &Timeline<'_>,
    stage: usize,
    duration_seconds: f64,
    lives: &Lives,
) -> Vec<Replica> {
    let Some(start_ns) = timeline.stage_start_ns(stage) else {
        return Vec::new();
    };
    let mut counts: BTreeMap<&str, [u64; TENTHS]> = BTreeMap::new();
    let mut answered = 0_u32;
    let tenth_ns = (duration_seconds * 1e9 / TENTHS as f64).max(1.0);
    for (exchange, spans) in timeline.stage(stage).filter(|(e, _)| e.outcome.answered()) {
        answered += 1;
        if let Some(source) = server(timeline, exchange, spans) {
            let tenth = exchange.sent_ns.saturating_sub(start_ns) as f64 / tenth_ns;
            counts.entry(source).or_default()[(tenth as usize).min(TENTHS - 1)] += 1;
        }
    }
    if counts.is_empty() {
        return Vec::new();
    }
    let half_ns = start_ns + (duration_seconds * 5e8) as u64;
    let ready = |source: &str| {
        let life = lives.get(source);
        life.is_some_and(|(first, last)| *first < half_ns && *last >= half_ns)
    };
    for source in lives.keys().filter(|source| ready(source)) {
        counts.entry(source).or_default();
    }
    let all = totals(&counts);
    let (half, many) = (
        all[TENTHS / 2..].iter().sum::<u64>(),
        all.iter().sum::<u64>(),
    );
    // Whose traces are missing may have served what seems to be nobody's.
    let known = many as f64 >= KNOWN * f64::from(answered);
    let fair = half as f64 / counts.keys().filter(|s| ready(s)).count().max(1) as f64;
    let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
    let replicas = counts.into_iter().map(|(source, by_tenth)| {
        let requests = by_tenth.iter().sum();
        let late: u64 = by_tenth[TENTHS / 2..].iter().sum();
        let (ready, tenths) = (ready(source), by_tenth.iter().zip(all));
        Replica {
            source: source.to_owned(),
            requests,
            share: share(requests, many),
            share_by_tenth: tenths.map(|(part, of)| share(*part, of)).collect(),
            second_half_share: share(late, half),
            ready,
            starved: known && ready && fair >= FEWEST && (late as f64) < STARVED * fair,
        }
    });
    replicas.collect()
}

fn totals(counts: &BTreeMap<&str, [u64; TENTHS]>) -> [u64; TENTHS] {
    let mut all = [0; TENTHS];
    for by_tenth in counts.values() {
        for (sum, count) in all.iter_mut().zip(by_tenth) {
            *sum += count;
        }
    }
    all
}

/// A sentence for each starved replica.
pub(super) fn warnings(timeline: &Timeline<'_>, stages: &[Stage]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (stage, plan) in stages.iter().zip(&timeline.plan.stages) {
        let ready = stage.replicas.iter().filter(|r| r.ready).count();
        for replica in stage.replicas.iter().filter(|r| r.starved) {
            let share = replica.second_half_share.unwrap_or(0.0) * 100.0;
            let fair = 100.0 / ready.max(1) as f64;
            let advice = match plan.reuse {
                Reuse::Keep => {
                    ": connections that are kept never reach it; reuse = \"rotate\" or \"fresh\" would"
                }
                Reuse::Fresh | Reuse::Rotate(_) => "",
            };
            warnings.push(format!(
                "{}: {} was ready and served {share:.1} % of the second half's requests, of {ready} replicas, where {fair:.1} % is fair{advice}",
                stage.name, replica.source
            ));
        }
    }
    warnings
}
