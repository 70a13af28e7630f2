//! The sources of traces held against each other: each is to have every trace, and the same durations.

use super::{checks, judgement, shards, spans, traces};
use crate::plan::{Metric, Threshold};
use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{
    Check, Judgement, Receiver, SpanDistribution, Stage, TraceSource, Traces,
};
use std::collections::BTreeMap;

/// Two sources may differ by what a store rounds: some keep microseconds. In milliseconds.
const ROUNDED_MS: f64 = 0.001;

/// A source beside the first, reduced to what the verdict says of it: its spans are let go.
pub struct Beside {
    number: u8,
    stages: Vec<(Traces, BTreeMap<String, SpanDistribution>)>,
}

/// Reduces the source whose spans are joined now.
pub fn beside(timeline: &Timeline<'_>, number: u8) -> Beside {
    let receiver = receiver(timeline, number);
    let stages = (0..timeline.plan.stages.len()).map(|stage| {
        (
            traces::count(timeline, stage, &receiver),
            spans::durations(timeline, stage),
        )
    });
    Beside {
        number,
        stages: stages.collect(),
    }
}

/// The last books of a source.
pub(super) fn receiver(timeline: &Timeline<'_>, number: u8) -> Receiver {
    let elsewhere = shards::elsewhere(timeline, number);
    let of_source = timeline.observations().filter_map(|o| match o {
        Observation::Receiver(books) if books.source == number => Some(books),
        _ => None,
    });
    of_source
        .last()
        .map_or_else(Receiver::default, |r| Receiver {
            requests: r.requests,
            spans: r.spans,
            foreign_spans: r.foreign_spans,
            foreign_examples: r.foreign_examples.clone(),
            malformed_spans: r.malformed_spans,
            refused_requests: r.refused_requests,
            refused_examples: r.refused_examples.clone(),
            failed_reads: r.failed_reads,
            incomplete: r.incomplete.iter().cloned().chain(elsewhere).collect(),
            lost: r.lost.clone(),
        })
}

/// Every source, the first first; without their losses.
pub(super) fn all(
    timeline: &Timeline<'_>,
    stages: &[Stage],
    others: &[Beside],
) -> Vec<TraceSource> {
    let mut sources = crate::record::sources(&timeline.recorded.journal).into_iter();
    let first = sources.next().map(|(number, name)| {
        let figures = stages.iter().map(|stage| (&stage.traces, &stage.spans_ms));
        source(timeline, number, name, stages, figures)
    });
    let others = sources.filter_map(|(number, name)| {
        let figures = &others.iter().find(|other| other.number == number)?.stages;
        let figures = figures.iter().map(|(traces, spans)| (traces, spans));
        Some(source(timeline, number, name, stages, figures))
    });
    first.into_iter().chain(others).collect()
}

fn source<'f>(
    timeline: &Timeline<'_>,
    number: u8,
    name: String,
    stages: &[Stage],
    figures: impl Iterator<Item = (&'f Traces, &'f BTreeMap<String, SpanDistribution>)>,
) -> TraceSource {
    let mut place = String::new();
    for observation in timeline.observations() {
        if let Observation::TraceSource {
            number: n,
            place: p,
            ..
        } = observation
            && *n == number
        {
            place.clone_from(p);
        }
    }
    let mut source = TraceSource {
        name,
        place,
        receiver: receiver(timeline, number),
        ..TraceSource::default()
    };
    for (stage, (traces, spans)) in stages.iter().zip(figures) {
        source.expected += traces.expected;
        source.complete += traces.complete;
        source.spans_missing += traces.spans_missing;
        source.duplicate += traces.duplicate;
        source.spans_ms.insert(stage.name.clone(), spans.clone());
    }
    source
}

/// The checks on sources beside the first, which the checks on stages are about.
pub(super) fn checks(timeline: &Timeline<'_>, sources: &[TraceSource]) -> Vec<Check> {
    let Some((first, others)) = sources.split_first() else {
        return Vec::new();
    };
    if others.is_empty() || timeline.plan.span_names().is_empty() {
        return Vec::new();
    }
    let limits = timeline.plan.thresholds.iter();
    let of_run = |t: &&Threshold| t.metric == Metric::Coverage && t.stage.is_none();
    let mut checks: Vec<Check> = others
        .iter()
        .map(|source| coverage(source, limits.clone().find(of_run)))
        .collect();
    checks.push(agree(first, others));
    checks
}

fn coverage(source: &TraceSource, limit: Option<&Threshold>) -> Check {
    let share = (source.expected > 0).then(|| source.complete as f64 / source.expected as f64);
    let holds = share.map(|share| match limit {
        Some(limit) => limit.operator.holds(share, limit.limit),
        None => source.complete == source.expected,
    });
    let evidence = format!(
        "{} of {} traces complete, {} spans missing",
        source.complete, source.expected, source.spans_missing
    );
    let name = format!("coverage in {}", source.name);
    let outcome = unread(judgement(holds), &source.receiver);
    let mut check = checks::check(&name, None, outcome, vec![evidence]);
    check.evidence.extend(said(&source.receiver));
    check.value = share;
    check.limit = Some(limit.map_or_else(|| "==1".to_owned(), Threshold::limit_text));
    check
}

/// What is missing in a source that was not read whole may be there.
pub(super) fn unread(outcome: Judgement, receiver: &Receiver) -> Judgement {
    match outcome {
        Judgement::Fail if !receiver.incomplete.is_empty() && receiver.lost.is_empty() => {
            Judgement::Unknown
        }
        outcome => outcome,
    }
}

/// What a source says of itself that a figure of it must not be read without.
pub(super) fn said(receiver: &Receiver) -> impl Iterator<Item = String> {
    let lost = receiver.lost.iter().cloned();
    let incomplete = receiver.incomplete.iter();
    lost.chain(incomplete.map(|why| format!("cannot tell: {why}")))
}

/// p50 and p99 of every span that each source has whole are the same in all.
fn agree(first: &TraceSource, others: &[TraceSource]) -> Check {
    let (mut compared, mut apart, mut left_out) = (0, Vec::new(), Vec::new());
    for other in others {
        if first.complete < first.expected || other.complete < other.expected {
            left_out.push(format!(
                "{} and {} are not compared: traces are missing in one",
                first.name, other.name
            ));
            continue;
        }
        for (stage, spans) in &first.spans_ms {
            for (name, of_first) in spans {
                let of_other = other.spans_ms.get(stage).and_then(|spans| spans.get(name));
                let of_other = of_other.copied().unwrap_or_default();
                for (which, a, b) in [
                    ("p50", of_first.p50, of_other.p50),
                    ("p99", of_first.p99, of_other.p99),
                ] {
                    compared += 1;
                    let same = match (a, b) {
                        (Some(a), Some(b)) => (a - b).abs() <= ROUNDED_MS,
                        (a, b) => a == b,
                    };
                    if !same {
                        apart.push(format!(
                            "{stage}: {which} of {name} is {a:?} ms in {} and {b:?} ms in {}",
                            first.name, other.name
                        ));
                    }
                }
            }
        }
    }
    let holds = match (compared, apart.is_empty()) {
        (0, _) => None,
        (_, holds) => Some(holds),
    };
    let mut evidence = apart;
    if holds != Some(false) {
        evidence.insert(
            0,
            format!("{compared} percentiles of spans are the same in each source"),
        );
    }
    evidence.extend(left_out);
    // Where traces are missing, another check says so.
    let outcome = if holds.is_none() {
        Judgement::Unknown
    } else {
        judgement(holds)
    };
    checks::check("sources_agree", None, outcome, evidence)
}

/// What sources say of themselves, for whoever reads a verdict that passes all the same.
pub(super) fn warnings(sources: &[TraceSource]) -> Vec<String> {
    let warn = |source: &TraceSource| {
        let name = source.name.clone();
        let said = said(&source.receiver).map(move |what| format!("{name}: {what}"));
        said.collect::<Vec<_>>()
    };
    sources.iter().flat_map(warn).collect()
}
