//! What each end of a replica cost: who ended, what failed, who came in its place, and when all was well again.

use super::{Seen, moment, served};
use crate::plan::Action;
use crate::record::Outcome;
use crate::verdict::align::Fault as SpanFault;
use crate::verdict::align::cluster::{Bounds, FaultSeen, PodLife};
use crate::verdict::cluster::{Fault, Incident, Moment, Replacement, Victim, Why};
use std::collections::BTreeMap;

/// Spans of requests so long before an end, or after it was heard of, may have died with the process.
const UNSENT_NS: u64 = 10_000_000_000;

/// An incident before it is judged.
struct Case<'f> {
    name: String,
    fault: Option<&'f FaultSeen>,
    action: Option<Action>,
    at: Bounds,
    /// Places of pods.
    victims: Vec<usize>,
}

/// Every incident in the order of time, and the plan's faults that are none.
pub(super) fn all(seen: &Seen<'_>) -> (Vec<Incident>, Vec<Fault>) {
    let mut cases = planned(seen);
    cases.extend(unplanned(seen, &cases));
    cases.sort_by_key(|case| case.at.earliest_ns);
    let begins: Vec<u64> = cases.iter().map(|case| case.at.earliest_ns).collect();
    let incidents = cases.iter().enumerate().map(|(place, case)| {
        let before_ns = place.checked_sub(1).map_or(0, |before| begins[before]);
        let until_ns = begins.get(place + 1).copied().unwrap_or(u64::MAX);
        incident(seen, case, before_ns, until_ns)
    });
    (incidents.collect(), others(seen))
}

/// Faults that ended replicas.
fn planned<'s>(seen: &'s Seen<'_>) -> Vec<Case<'s>> {
    let ended = seen
        .cluster
        .faults
        .iter()
        .filter(|fault| !fault.hits.is_empty());
    let ended = ended.filter_map(|fault| Some((fault, seen.action(&fault.name)?)));
    let cases = ended
        .filter(|(_, action)| action.ends_replicas())
        .map(|(fault, action)| Case {
            name: fault.name.clone(),
            fault: Some(fault),
            action: Some(action),
            at: Bounds {
                earliest_ns: fault.asked_ns,
                latest_ns: fault.answered_ns,
            },
            victims: { fault.hits.iter() }
                .filter_map(|hit| {
                    seen.cluster
                        .pods
                        .iter()
                        .position(|pod| pod.last.uid == hit.uid)
                })
                .collect(),
        });
    cases.collect()
}

/// Ends while the load ran that no fault, no scale and no rollout explains.
fn unplanned<'s>(seen: &Seen<'_>, planned: &[Case<'_>]) -> Vec<Case<'s>> {
    let (from_ns, to_ns) = seen.load();
    let hit = |place: &usize| planned.iter().any(|case| case.victims.contains(place));
    let pods = seen.cluster.pods.iter().enumerate();
    let cases = pods.filter(|(place, _)| !hit(place) && !seen.lineage.let_go[*place]);
    let cases = cases.filter_map(|(place, pod)| {
        let (name, at) = end_of(pod)?;
        (from_ns..=to_ns).contains(&at.latest_ns).then(|| Case {
            name,
            fault: None,
            action: None,
            at,
            victims: vec![place],
        })
    });
    cases.collect()
}

/// How and when a pod ended by itself, first its container.
fn end_of(pod: &PodLife) -> Option<(String, Bounds)> {
    let deletion = pod.deletion.or(pod.gone);
    let of_container = { pod.ends.iter() }
        .find(|end| deletion.is_none_or(|deletion| end.at.latest_ns < deletion.earliest_ns));
    if let Some(end) = of_container {
        return Some((end.how.reason.clone(), end.at));
    }
    let why = match &pod.last.disruption {
        Some(why) => why.reason.clone(),
        None => "deleted by somebody else".to_owned(),
    };
    deletion.map(|at| (why, at))
}

fn incident(seen: &Seen<'_>, case: &Case<'_>, before_ns: u64, until_ns: u64) -> Incident {
    let at_ns = case.at.earliest_ns;
    let stage = seen.stage_at(at_ns);
    let stage_from_ns = stage.and_then(|stage| seen.timeline.stage_start_ns(stage));
    let end_ns = stage.map_or(until_ns, |stage| until_ns.min(seen.stage_end_ns(stage)));
    let (replacements, mut notes) = replacements(seen, case, until_ns);
    let mut effect = seen.effect(stage, at_ns, end_ns);
    let failures = Failures::between(seen, stage, at_ns, end_ns);
    let from_ns = at_ns
        .saturating_sub(end_ns.saturating_sub(at_ns))
        .max(stage_from_ns.unwrap_or(0));
    let control = Failures::between(seen, stage, from_ns.max(before_ns), at_ns);
    if failures.count > 0 && effect.seen == "none_seen" {
        effect.seen = "seen".to_owned();
        let few = format!("{} requests failed, and yet ", failures.count);
        effect.evidence.insert_str(0, &few);
    }
    let last = |step: fn(&Replacement) -> Option<Moment>| -> Option<Moment> {
        let all: Option<Vec<Moment>> = replacements.iter().map(step).collect();
        let all = all.filter(|all| !all.is_empty() && replacements.len() >= case.victims.len())?;
        all.into_iter()
            .max_by(|a, b| a.latest_seconds.total_cmp(&b.latest_seconds))
    };
    let since = |later: Moment| Moment {
        earliest_seconds: (later.earliest_seconds - case.at.latest_ns as f64 / 1e9).max(0.0),
        latest_seconds: (later.latest_seconds - at_ns as f64 / 1e9).max(0.0),
    };
    let served = last(|replacement| replacement.first_served);
    let recovered = match (effect.seen.as_str(), effect.met_again_seconds) {
        _ if effect.bad_seconds == 0 && effect.seen != "cannot_tell" => served,
        ("seen", Some(met)) => served.map(|served| Moment {
            earliest_seconds: served.earliest_seconds.max(met),
            latest_seconds: served.latest_seconds.max(met),
        }),
        _ => None,
    };
    if control.count > 0 {
        notes.push(format!(
            "{} requests failed just before it, too: not all that failed after it need be its own",
            control.count
        ));
    }
    notes.extend(
        case.fault
            .iter()
            .flat_map(|fault| fault.errors.iter().cloned()),
    );
    Incident {
        name: case.name.clone(),
        action: case.action.map(|action| action.word().to_owned()),
        stage: stage.map(|stage| seen.stage_name(stage)),
        at: moment(case.at),
        victims: victims(seen, case),
        first_error_seconds: failures.first_ns.map(|ns| ns as f64 / 1e9),
        requests_lost: failures.count,
        errors: failures.by_outcome,
        errors_before: control.count,
        spans_lost: spans_lost(
            seen,
            stage,
            at_ns.saturating_sub(UNSENT_NS).max(before_ns),
            end_ns.min(gone_ns(seen, case)),
        ),
        replaced_seconds: last(|replacement| replacement.ready).map(since),
        recovery_seconds: recovered.map(since),
        replacements,
        effect,
        notes,
    }
}

fn victims(seen: &Seen<'_>, case: &Case<'_>) -> Vec<Victim> {
    let pods = case.victims.iter().map(|place| {
        let pod = &seen.cluster.pods[*place];
        let end = pod
            .ends
            .iter()
            .find(|end| end.at.latest_ns >= case.at.earliest_ns);
        Victim {
            name: pod.last.name.clone(),
            last_ok_seconds: last_ok(seen, &pod.last.name),
            endpoint_removed: pod.endpoint_removed.map(moment),
            gone: pod.gone.or(end.map(|end| end.at)).map(moment),
            ended: end.map(|end| super::figures::ended(&end.how)),
        }
    });
    let mut victims: Vec<Victim> = pods.collect();
    if let (true, Some(fault)) = (victims.is_empty(), case.fault) {
        victims.extend(fault.hits.iter().map(|hit| Victim {
            name: hit.name.clone(),
            last_ok_seconds: last_ok(seen, &hit.uid),
            ..Victim::default()
        }));
    }
    victims
}

fn last_ok(seen: &Seen<'_>, sender: &str) -> Option<f64> {
    let served = seen.served.get(sender)?;
    served.last_ok_ns.map(|ns| ns as f64 / 1e9)
}

/// Who came in the victims' place before the next incident, and what can not be told.
fn replacements(
    seen: &Seen<'_>,
    case: &Case<'_>,
    until_ns: u64,
) -> (Vec<Replacement>, Vec<String>) {
    let mut notes = Vec::new();
    let pods = &seen.cluster.pods;
    let of_pod = |place: usize, of: &str| Replacement {
        name: pods[place].last.name.clone(),
        of: of.to_owned(),
        ambiguous: seen.lineage.ambiguous[place],
        created: pods[place].created.map(moment),
        ready: pods[place].ready.map(moment),
        endpoint: pods[place].endpoint.map(moment),
        first_served: seen.first_served(&pods[place]).map(moment),
    };
    if case.action == Some(Action::RolloutRestart) {
        let rolled = (0..pods.len()).filter(|place| {
            let seen_ns = pods[*place].seen_ns;
            seen.lineage.why[*place] == Why::Rollout
                && seen_ns >= case.at.earliest_ns
                && seen_ns < until_ns
        });
        return (rolled.map(|place| of_pod(place, "")).collect(), notes);
    }
    let mut found = Vec::new();
    for victim in &case.victims {
        let name = &pods[*victim].last.name;
        let heir = { seen.lineage.why.iter() }
            .position(|why| matches!(why, Why::Replaces(of) if of == name));
        let restarted = pods[*victim]
            .ends
            .iter()
            .find(|end| end.at.latest_ns >= case.at.earliest_ns);
        match (heir, restarted) {
            (Some(place), _) => found.push(of_pod(place, name)),
            (None, Some(end)) if pods[*victim].ended_ns.is_none() => found.push(Replacement {
                name: name.clone(),
                of: name.clone(),
                ambiguous: false,
                created: end.started.map(moment),
                ready: end.ready.map(moment),
                endpoint: None,
                first_served: { end.started }
                    .and_then(|started| {
                        served::first_after(seen.timeline, name, started.earliest_ns)
                    })
                    .map(moment),
            }),
            _ => notes.push(format!("no pod was seen to replace {name}")),
        }
    }
    (found, notes)
}

/// Exchanges that did not end ok.
struct Failures {
    count: u64,
    by_outcome: BTreeMap<String, u64>,
    first_ns: Option<u64>,
}

impl Failures {
    /// Those of a stage that were under way between the two moments, and ended after the first.
    fn between(seen: &Seen<'_>, stage: Option<usize>, from_ns: u64, to_ns: u64) -> Failures {
        let mut failures = Failures {
            count: 0,
            by_outcome: BTreeMap::new(),
            first_ns: None,
        };
        let Some(stage) = stage else {
            return failures;
        };
        for exchange in seen.timeline.exchanges(stage, None) {
            let within = exchange.done_ns >= from_ns
                && exchange.done_ns.min(exchange.intended_ns.max(from_ns)) < to_ns;
            if exchange.outcome != Outcome::Ok && within {
                failures.count += 1;
                *failures
                    .by_outcome
                    .entry(exchange.outcome.name().to_owned())
                    .or_default() += 1;
                let first = failures.first_ns.get_or_insert(exchange.done_ns);
                *first = (*first).min(exchange.done_ns);
            }
        }
        failures
    }
}

/// When the last of the victims was gone, and some: a pod that is deleted by force is gone from the API before its container
/// is, and what is sent much later can not die with it.
fn gone_ns(seen: &Seen<'_>, case: &Case<'_>) -> u64 {
    let gone = case.victims.iter().map(|place| {
        let pod = &seen.cluster.pods[*place];
        let end = { pod.ends.iter() }.find(|end| end.at.latest_ns >= case.at.earliest_ns);
        pod.gone.or(end.map(|end| end.at))
    });
    let gone: Option<Vec<Bounds>> = gone.collect();
    let last = gone.and_then(|all| all.into_iter().map(|bounds| bounds.latest_ns).max());
    last.map_or(u64::MAX, |last| last + UNSENT_NS)
}

/// Expected spans of answered exchanges, sent between the two moments, that did not come.
fn spans_lost(seen: &Seen<'_>, stage: Option<usize>, from_ns: u64, to_ns: u64) -> u64 {
    let Some(stage) = stage else {
        return 0;
    };
    let sent = seen
        .timeline
        .stage(stage)
        .filter(|(e, _)| e.sent_ns >= from_ns && e.sent_ns < to_ns);
    let missing = sent.map(|(exchange, spans)| {
        let trace = seen.timeline.trace(exchange, spans);
        trace
            .faults
            .iter()
            .filter(|(_, fault)| *fault == SpanFault::Missing)
            .count() as u64
    });
    missing.sum()
}

/// Faults that end no replica, and those that hit nothing.
fn others(seen: &Seen<'_>) -> Vec<Fault> {
    let faults = seen.timeline.plan.faults.iter().filter_map(|planned| {
        let done = seen
            .cluster
            .faults
            .iter()
            .find(|fault| fault.name == planned.name);
        let incident =
            planned.action.ends_replicas() && done.is_some_and(|done| !done.hits.is_empty());
        (!incident).then(|| Fault {
            name: planned.name.clone(),
            action: planned.action.word().to_owned(),
            at_seconds: done
                .filter(|done| !done.hits.is_empty())
                .map(|done| done.asked_ns as f64 / 1e9),
            undone_seconds: done
                .and_then(|done| done.undone_ns)
                .map(|ns| ns as f64 / 1e9),
            hit: done.map_or_else(Vec::new, |done| {
                let words = |hit: &crate::record::cluster::Hit| {
                    format!("{} {}", hit.name, hit.what).trim().to_owned()
                };
                done.hits.iter().map(words).collect()
            }),
            errors: done.map_or_else(
                || vec!["the run ended before it was its turn".to_owned()],
                |done| done.errors.clone(),
            ),
        })
    });
    faults.collect()
}
