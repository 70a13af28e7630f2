//! The checks, and what they come to together.

use super::{judgement, shards, sources, watched};
use crate::plan::{Metric, Statistic, Threshold};
use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{
    Check, Judgement, Losses, Place, Receiver, Run, Service, Stage, TraceSource, Verdict,
};

/// Names of the checks that make a run unknown whatever else was seen.
const WHOLE: &str = "run_whole";
const ANSWERED: &str = "target_answered";
/// Name of the check that every shard of the run is there.
pub(super) const SHARDS: &str = "all_shards";
const GENERATOR: &str = "generator_healthy";
/// Name of the check that every planned request has its row.
const BOOKS: &str = "books_balance";
/// Name of the check on the services' span books.
const ACCOUNTED: &str = "spans_accounted";

/// Every check: first those on the run, then those on each stage, the plan's thresholds last.
pub(super) fn all(
    timeline: &Timeline<'_>,
    run: &Run,
    stages: &[Stage],
    receiver: &Receiver,
) -> Vec<Check> {
    let mut checks = vec![whole(timeline, run), answered(timeline, stages)];
    checks.extend(shards::check(timeline));
    checks.extend(alive(timeline));
    for (index, stage) in stages.iter().enumerate() {
        match timeline.plan.search {
            None => checks.extend(of_stage(timeline, index, stage, receiver)),
            // That a probe does not meet the thresholds is an answer, not a failure.
            Some(_) => checks.push(books(timeline, index, stage)),
        }
    }
    checks
}

/// The checks on one stage.
pub(super) fn of_stage(
    timeline: &Timeline<'_>,
    index: usize,
    stage: &Stage,
    receiver: &Receiver,
) -> Vec<Check> {
    let mut checks = vec![books(timeline, index, stage)];
    if !timeline.watched() {
        checks.push(generator(timeline, stage));
    }
    let of_stage = |t: &&Threshold| {
        !t.metric.is_of_cluster() && t.stage.as_ref().is_none_or(|name| *name == stage.name)
    };
    let thresholds = || timeline.plan.thresholds.iter().filter(of_stage);
    let judged = |metric| thresholds().any(|t| t.metric == metric);
    if !judged(Metric::ErrorRate) {
        checks.push(nothing_unsent(stage));
    }
    if !judged(Metric::Coverage) && !timeline.plan.span_names().is_empty() {
        checks.extend(
            "coverage==1"
                .parse()
                .map(|t| threshold(&t, stage, receiver))
                .ok(),
        );
    }
    checks.extend(thresholds().map(|t| threshold(t, stage, receiver)));
    checks
}

fn whole(timeline: &Timeline<'_>, run: &Run) -> Check {
    let errors = timeline.observations().filter_map(|o| match o {
        Observation::RunError { error } => Some(error.clone()),
        _ => None,
    });
    let mut evidence: Vec<String> = errors.collect();
    let failed = !evidence.is_empty();
    if let Some(signal) = &run.interrupted {
        evidence.insert(0, format!("the run was interrupted by {signal}"));
    } else if !run.whole {
        evidence.insert(
            0,
            "the run did not come to its end: it was killed, or is still running".to_owned(),
        );
    }
    let holds = run.whole && run.interrupted.is_none() && !failed;
    if holds {
        evidence.insert(0, "the run came to its own end".to_owned());
    }
    check(WHOLE, None, judgement(holds.then_some(true)), evidence)
}

/// Replicas that the verifier started live until it stops them; `None` where it started none.
fn alive(timeline: &Timeline<'_>) -> Option<Check> {
    let mut started = 0;
    let mut replaced = 0;
    let mut evidence = Vec::new();
    for observation in timeline.observations() {
        match observation {
            Observation::TargetReady { pids, .. } => started = pids.len(),
            // In place of one that a fault ended.
            Observation::TargetStarted { ready: false, .. } => replaced += 1,
            Observation::TargetExited {
                pid,
                status,
                expected: false,
            } => evidence.push(format!(
                "replica {pid} of the service ended unasked ({status})"
            )),
            _ => {}
        }
    }
    let holds = evidence.is_empty();
    if holds {
        started += replaced;
        let mut lived = format!(
            "{} of {started} replicas lived until they were stopped",
            started - replaced
        );
        if replaced > 0 {
            lived += &format!(", {replaced} until a fault ended them");
        }
        evidence.push(lived);
    }
    (started > 0 || !holds).then(|| check("replicas_alive", None, judgement(Some(holds)), evidence))
}

fn answered(timeline: &Timeline<'_>, stages: &[Stage]) -> Check {
    let answers: u64 = stages
        .iter()
        .map(|s| s.exchanges.ok + s.exchanges.http_error)
        .sum();
    let sent: u64 = stages.iter().map(|s| s.exchanges.sent).sum();
    let mut evidence = vec![if answers > 0 {
        format!("{answers} answers to {sent} requests sent")
    } else {
        format!("the target never answered: {sent} requests sent, no answer")
    }];
    evidence.extend(timeline.observations().filter_map(|o| match o {
        Observation::TargetFailed { error } => Some(error.clone()),
        _ => None,
    }));
    check(
        ANSWERED,
        None,
        judgement((answers > 0).then_some(true)),
        evidence,
    )
}

/// The services' books balance, and tell of every span that is missing where it was lost; `None` where
/// the target shows none.
pub(super) fn accounted(
    services: &[Service],
    losses: &Losses,
    untold: Option<&str>,
) -> Option<Check> {
    if services.is_empty() {
        return None;
    }
    let mut evidence = Vec::new();
    for service in services.iter().filter(|service| !balances(service)) {
        evidence.push(format!(
            "the span books of {} do not balance",
            service.source
        ));
    }
    let never_made = losses.places.iter().find(|l| l.place == Place::NeverMade);
    let unaccounted = never_made.map_or(0, |loss| loss.spans);
    if unaccounted > 0 {
        evidence.push(format!(
            "{unaccounted} missing spans stand in no process's books"
        ));
    }
    let mut holds = Some(evidence.is_empty());
    if let (Some(true), Some(why)) = (holds, untold) {
        evidence.push(why.to_owned());
        // What is missing may stand in books that were not read.
        holds = (losses.missing_spans == 0).then_some(true);
    }
    let lost: u64 = services.iter().flat_map(|s| s.lost.values()).sum();
    let (started, acknowledged) = services.iter().fold((0, 0), |(started, acknowledged), s| {
        (started + s.started, acknowledged + s.acknowledged)
    });
    evidence.push(format!(
        "{} processes: {started} spans started, {acknowledged} acknowledged, {lost} lost; {} missing here",
        services.len(),
        losses.missing_spans
    ));
    let mut check = check(ACCOUNTED, None, judgement(holds), evidence);
    check.value = Some(unaccounted as f64);
    check.limit = Some("0".to_owned());
    Some(check)
}

fn balances(service: &Service) -> bool {
    let settled = service.acknowledged + service.lost.values().sum::<u64>() + service.left_on_disk;
    service.started + service.recovered == service.queued + settled
}

/// One sentence on where the spans are that are missing in a source, if any are.
pub(super) fn whereabouts(source: &TraceSource, sources: usize) -> Option<String> {
    let losses = &source.losses;
    let places = losses
        .places
        .iter()
        .map(|loss| format!("{} {} ({})", loss.spans, loss.place.words(), loss.reason));
    let places = places.collect::<Vec<_>>().join(", ");
    let within = match sources {
        1 => String::new(),
        _ => format!(" in {}", source.name),
    };
    (losses.missing_spans > 0).then(|| {
        format!(
            "{} spans are missing{within}: {places}",
            losses.missing_spans
        )
    })
}

/// Every planned request of the stage has its row.
fn books(timeline: &Timeline<'_>, index: usize, stage: &Stage) -> Check {
    let ended = timeline.observations().find_map(|o| match o {
        Observation::StageEnded { stage, planned } if usize::from(*stage) == index => {
            Some(*planned)
        }
        _ => None,
    });
    let rows = stage.exchanges.planned;
    let evidence = match ended {
        None => format!("the stage did not end; {rows} exchanges were recorded"),
        Some(planned) => format!("{planned} requests planned, {rows} exchanges recorded"),
    };
    check(
        BOOKS,
        Some(stage),
        judgement(ended.map(|planned| planned == rows)),
        vec![evidence],
    )
}

/// What was planned was sent. A plan that states an error rate judges unsent requests by it.
fn nothing_unsent(stage: &Stage) -> Check {
    let (unsent, planned) = (stage.exchanges.unsent, stage.exchanges.planned);
    let outcome = match (unsent, stage.generator.healthy) {
        (0, _) => Judgement::Pass,
        (_, Some(true)) => Judgement::Fail,
        // Whose fault it was is not known.
        _ => Judgement::Unknown,
    };
    let evidence = format!("{unsent} of {planned} planned requests were never sent");
    check("nothing_unsent", Some(stage), outcome, vec![evidence])
}

/// Never fails: a starved generator says nothing about the target.
fn generator(timeline: &Timeline<'_>, stage: &Stage) -> Check {
    let health = &stage.generator;
    let (Some(lag), Some(cpu)) = (health.lag_p99_ms, health.cpu) else {
        return check(
            GENERATOR,
            Some(stage),
            Judgement::Unknown,
            vec!["its workers left no figures".to_owned()],
        );
    };
    let bounds = &timeline.plan.generator;
    let evidence = format!(
        "lag p99 {lag:.3} ms, busiest worker {:.0} % of a CPU",
        cpu * 100.0
    );
    let mut check = check(
        GENERATOR,
        Some(stage),
        judgement(health.healthy.filter(|healthy| *healthy)),
        vec![evidence],
    );
    check.value = Some(lag);
    check.limit = Some(format!(
        "lag p99 <= {} and CPU <= {:.0} %",
        crate::plan::format_duration(bounds.max_lag_p99),
        bounds.max_cpu * 100.0
    ));
    check
}

fn threshold(threshold: &Threshold, stage: &Stage, receiver: &Receiver) -> Check {
    let exchanges = &stage.exchanges;
    let sent_any = exchanges.ok + exchanges.http_error > 0;
    let value = match &threshold.metric {
        Metric::Latency(statistic) => of_distribution(&stage.latency_ms, *statistic),
        Metric::ServiceTime(statistic) => of_distribution(&stage.service_time_ms, *statistic),
        Metric::Span(name, statistic) => stage.spans_ms.get(name).and_then(|d| match statistic {
            Statistic::Percentile { per_mille: 500 } => d.p50,
            Statistic::Percentile { per_mille: 900 } => d.p90,
            Statistic::Percentile { per_mille: 990 } => d.p99,
            Statistic::Max => d.max,
            _ => None,
        }),
        Metric::ErrorRate => sent_any.then(|| 1.0 - exchanges.ok as f64 / exchanges.planned as f64),
        Metric::Coverage => stage.traces.coverage,
        Metric::RequestsPerSecond => stage.requests_per_second,
        Metric::StarvedReplicas => {
            let starved = stage.replicas.iter().filter(|r| r.starved).count();
            (!stage.replicas.is_empty()).then_some(starved as f64)
        }
        // Of the whole run: judge::cluster holds them.
        Metric::ScaleUp | Metric::Recovery => None,
    };
    let holds = value.map(|value| threshold.operator.holds(value, threshold.limit));
    let mut outcome = judgement(holds);
    let mut evidence = evidence(threshold, stage, value);
    if threshold.metric == Metric::Coverage && outcome == Judgement::Fail {
        outcome = sources::unread(outcome, receiver);
        evidence.extend(sources::said(receiver));
    }
    let timing = threshold.metric.is_duration() || threshold.metric == Metric::RequestsPerSecond;
    if timing
        && stage.kind != watched::KIND
        && stage.generator.healthy != Some(true)
        && outcome != Judgement::Unknown
    {
        outcome = Judgement::Unknown;
        let why = match stage.generator.healthy {
            Some(_) => "the load generator, not the target, was the limit in this stage",
            None => "whether the load generator was the limit is not known",
        };
        evidence.push(why.to_owned());
    }
    let mut check = check(&threshold.text, Some(stage), outcome, evidence);
    check.value = value;
    check.limit = Some(threshold.limit_text());
    check
}

fn of_distribution(d: &crate::verdict::outcome::Distribution, statistic: Statistic) -> Option<f64> {
    match statistic {
        Statistic::Percentile { per_mille: 500 } => d.p50,
        Statistic::Percentile { per_mille: 900 } => d.p90,
        Statistic::Percentile { per_mille: 950 } => d.p95,
        Statistic::Percentile { per_mille: 990 } => d.p99,
        Statistic::Percentile { .. } => d.p999,
        Statistic::Max => d.max,
        Statistic::Mean => d.mean,
    }
}

fn evidence(threshold: &Threshold, stage: &Stage, value: Option<f64>) -> Vec<String> {
    let (exchanges, traces) = (&stage.exchanges, &stage.traces);
    match &threshold.metric {
        Metric::Coverage => coverage_evidence(traces),
        Metric::ErrorRate => vec![format!(
            "{} ok of {} planned: {} http_error, {} timeout, {} connect_error, {} reset, {} unsent",
            exchanges.ok,
            exchanges.planned,
            exchanges.http_error,
            exchanges.timeout,
            exchanges.connect_error,
            exchanges.reset,
            exchanges.unsent
        )],
        Metric::RequestsPerSecond => vec![format!(
            "{} answers within {:.1} s",
            exchanges.ok + exchanges.http_error,
            stage.duration_seconds
        )],
        Metric::StarvedReplicas => {
            let starved = stage.replicas.iter().filter(|r| r.starved);
            let mut evidence = vec![format!(
                "{} replicas are known, {} of them ready before the second half",
                stage.replicas.len(),
                stage.replicas.iter().filter(|r| r.ready).count()
            )];
            evidence.extend(starved.map(|r| format!("{} was starved", r.source)));
            evidence
        }
        Metric::Latency(_) | Metric::ServiceTime(_) => few(value, stage.latency_ms.n),
        Metric::Span(name, _) => few(value, stage.spans_ms.get(name).map_or(0, |d| d.n)),
        Metric::ScaleUp | Metric::Recovery => Vec::new(),
    }
}

fn few(value: Option<f64>, n: u64) -> Vec<String> {
    vec![if value.is_some() {
        format!("{n} samples")
    } else {
        format!("{n} samples do not support this figure")
    }]
}

fn coverage_evidence(traces: &crate::verdict::outcome::Traces) -> Vec<String> {
    if traces.expected == 0 {
        return vec!["no exchange was answered, so no trace was due".to_owned()];
    }
    if traces.complete == traces.expected {
        return vec![format!("each of {} traces is complete", traces.expected)];
    }
    let mut evidence = Vec::new();
    if traces.missing == traces.expected {
        evidence.push(format!("no trace of {} exchanges arrived", traces.expected));
    } else {
        evidence.push(format!(
            "of {} traces {} are complete, {} incomplete, {} missing",
            traces.expected, traces.complete, traces.incomplete, traces.missing
        ));
    }
    evidence.extend(
        traces
            .missing_spans
            .iter()
            .map(|(name, count)| format!("span {name} is missing in {count} traces")),
    );
    if traces.orphan > 0 {
        evidence.push(format!(
            "{} traces have a span with another parent than expected",
            traces.orphan
        ));
    }
    if traces.wrong_kind > 0 {
        evidence.push(format!(
            "{} traces have a span of another kind than expected",
            traces.wrong_kind
        ));
    }
    evidence.extend(traces.examples.iter().cloned());
    evidence
}

pub(super) fn check(
    name: &str,
    stage: Option<&Stage>,
    outcome: Judgement,
    evidence: Vec<String>,
) -> Check {
    let stage = stage.map(|stage| stage.name.clone());
    Check {
        name: name.to_owned(),
        stage,
        outcome,
        value: None,
        limit: None,
        evidence,
    }
}

/// An unfinished run, or a target that never answered, is unknown whatever else was seen: what is
/// missing may only not have come yet. Else evidence against outweighs evidence that lacks.
pub(super) fn outcome(checks: &[Check]) -> Judgement {
    let is = |check: &Check, outcome| check.outcome == outcome;
    if checks
        .iter()
        .any(|c| [WHOLE, ANSWERED, SHARDS].contains(&c.name.as_str()) && is(c, Judgement::Unknown))
    {
        return Judgement::Unknown;
    }
    for outcome in [Judgement::Fail, Judgement::Unknown] {
        if checks.iter().any(|c| is(c, outcome)) {
            return outcome;
        }
    }
    Judgement::Pass
}

/// The run is one of several shards, and was recorded to its end: that it can not be judged alone is not its fault.
pub fn recorded_part(verdict: &Verdict) -> bool {
    let is = |name: &str, outcome| {
        let mut checks = verdict.checks.iter();
        checks.any(|check| check.name == name && check.outcome == outcome)
    };
    is(SHARDS, Judgement::Unknown) && is(WHOLE, Judgement::Pass)
}

/// Why the run's figures can not be held against another's: it did not come to its end, rows are missing, or the
/// generator was the limit. One that fails its thresholds can.
pub fn unfit(verdict: &Verdict) -> Vec<String> {
    let decisive =
        |c: &&Check| [WHOLE, ANSWERED, SHARDS, GENERATOR, BOOKS].contains(&c.name.as_str());
    let checks = verdict.checks.iter().filter(decisive);
    let against = checks.filter(|c| c.outcome != Judgement::Pass);
    against.map(sentence).collect()
}

/// One sentence per check that does not pass: what makes the run invalid first, then what fails, then what is unknown.
pub(super) fn reasons(checks: &[Check], stages: &[Stage], outcome: Judgement) -> Vec<String> {
    if outcome == Judgement::Pass {
        return vec![praise(checks, stages)];
    }
    let weight = |check: &Check| match (check.name.as_str(), check.outcome) {
        (SHARDS, _) => 0,
        (WHOLE | ANSWERED, _) => 1,
        (GENERATOR, _) => 2,
        (_, Judgement::Fail) => 3,
        _ => 4,
    };
    let mut against: Vec<&Check> = checks
        .iter()
        .filter(|c| c.outcome != Judgement::Pass)
        .collect();
    against.sort_by_key(|check| weight(check));
    against.into_iter().map(sentence).collect()
}

/// What a pass rests on.
fn praise(checks: &[Check], stages: &[Stage]) -> String {
    let sum = |of: fn(&Stage) -> u64| stages.iter().map(of).sum::<u64>();
    let answered = sum(|s| s.exchanges.ok + s.exchanges.http_error);
    let (due, complete) = (sum(|s| s.traces.expected), sum(|s| s.traces.complete));
    let traces = match due {
        0 => "traces were not judged".to_owned(),
        due => format!("{complete} of {due} traces complete"),
    };
    format!(
        "all {} checks hold: {answered} requests answered, {traces}",
        checks.len()
    )
}

fn sentence(check: &Check) -> String {
    let stage = check
        .stage
        .as_ref()
        .map(|stage| format!("{stage}: "))
        // A threshold of one stage begins with its name already.
        .filter(|stage| !check.name.starts_with(stage.as_str()))
        .unwrap_or_default();
    let what = match check.outcome {
        Judgement::Fail => format!("{} does not hold", check.name),
        _ => format!("{} is unknown", check.name),
    };
    let figure = match (check.value, &check.limit) {
        // A limit with a unit is one on a duration, whose figure is in milliseconds.
        (Some(value), Some(limit)) if limit.contains(char::is_alphabetic) => {
            format!(" ({value:.3} ms)")
        }
        (Some(value), Some(_)) => format!(" ({})", (value * 1e4).round() / 1e4),
        _ => String::new(),
    };
    format!(
        "{stage}{what}{figure}: {}",
        check.evidence.first().map_or("no evidence", String::as_str)
    )
}
