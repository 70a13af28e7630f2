//! How long it took from the load's step until the last added pod served: each step, by the objects that took it.

use super::{Seen, moment};
use crate::plan::Action;
use crate::verdict::align::cluster::{Bounds, PodLife};
use crate::verdict::cluster::{Moment, ScaleUp, Step, Why};

/// An HPA's own tolerance is a tenth; what it calls above its target is told by its next step.
const ABOVE: f64 = 1.0;
/// The Deployment is seen raised at most so long after whoever raised it was seen.
const SOON_NS: u64 = 2_000_000_000;

/// Raises without a lowering between, within one stage.
struct Raise {
    /// When it was seen, and what was asked for then.
    steps: Vec<(u64, u32)>,
    first_ns: u64,
    until_ns: u64,
    stage: Option<usize>,
    from: u32,
    to: u32,
}

/// Every scale-up of the run.
pub(super) fn all(seen: &Seen<'_>) -> Vec<ScaleUp> {
    raises(seen)
        .iter()
        .map(|raise| scale_up(seen, raise))
        .collect()
}

fn raises(seen: &Seen<'_>) -> Vec<Raise> {
    let mut raises: Vec<Raise> = Vec::new();
    let mut open = false;
    for pair in seen.cluster.deployment.windows(2) {
        let ((_, before), (at_ns, after)) = (&pair[0], &pair[1]);
        if after.desired == before.desired {
            continue;
        }
        let stage = seen.stage_at(*at_ns);
        let raised = after.desired > before.desired;
        match raises.last_mut() {
            Some(last) if raised && open && last.stage == stage => {
                last.to = after.desired;
                last.steps.push((*at_ns, after.desired));
            }
            last => {
                if let Some(last) = last {
                    last.until_ns = last.until_ns.min(*at_ns);
                }
                if raised {
                    raises.push(Raise {
                        steps: vec![(*at_ns, after.desired)],
                        first_ns: *at_ns,
                        until_ns: u64::MAX,
                        stage,
                        from: before.desired,
                        to: after.desired,
                    });
                }
            }
        }
        open = raised;
    }
    raises
}

fn scale_up(seen: &Seen<'_>, raise: &Raise) -> ScaleUp {
    let load_ns = raise
        .stage
        .and_then(|stage| seen.timeline.stage_start_ns(stage));
    let pods: Vec<usize> = (0..seen.cluster.pods.len())
        .filter(|place| seen.lineage.why[*place] == Why::ScaleUp)
        .filter(|place| {
            let at_ns = seen.cluster.pods[*place].seen_ns;
            at_ns + SOON_NS >= raise.first_ns && at_ns < raise.until_ns.saturating_add(SOON_NS)
        })
        .take((raise.to - raise.from) as usize)
        .collect();
    let mut steps = vec![
        load_step(seen, raise, load_ns),
        above_target(seen, raise, load_ns),
    ];
    steps.push(Step {
        name: "desired_raised".to_owned(),
        at: Some(moment(raised(seen, raise))),
        evidence: raised_words(raise),
    });
    let of = |name: &str, step: &dyn Fn(usize) -> Option<Bounds>| last_pod(seen, &pods, name, step);
    let life = |place: usize| &seen.cluster.pods[place];
    steps.extend([
        of("pod_created", &|place| life(place).created),
        of("pod_scheduled", &|place| life(place).scheduled),
        of("container_started", &|place| life(place).started),
        of("pod_ready", &|place| life(place).ready),
        of("endpoint_ready", &|place| life(place).endpoint),
        of("first_request_served", &|place| {
            seen.first_served(life(place))
        }),
    ]);
    let served: Option<Vec<Bounds>> = { pods.iter() }
        .map(|place| seen.first_served(life(*place)))
        .collect();
    let last = served.and_then(|all| all.into_iter().max_by_key(|bounds| bounds.latest_ns));
    let seconds = last.zip(load_ns).map(|(last, load_ns)| Moment {
        earliest_seconds: last.earliest_ns.saturating_sub(load_ns) as f64 / 1e9,
        latest_seconds: last.latest_ns.saturating_sub(load_ns) as f64 / 1e9,
    });
    let effect = seen.effect(raise.stage, load_ns.unwrap_or(raise.first_ns), u64::MAX);
    let met = |seconds: f64| Moment {
        earliest_seconds: seconds,
        latest_seconds: seconds,
    };
    steps.push(Step {
        name: "thresholds_met_again".to_owned(),
        at: effect.met_again_seconds.map(met),
        evidence: effect.evidence.clone(),
    });
    ScaleUp {
        cause: cause(seen, raise),
        stage: raise.stage.map(|stage| seen.stage_name(stage)),
        from: raise.from,
        to: raise.to,
        steps,
        pods: pods
            .iter()
            .map(|place| life(*place).last.name.clone())
            .collect(),
        seconds,
        effect,
    }
}

/// `replicas 2 -> 3, 5 at 61.2 s`.
fn raised_words(raise: &Raise) -> String {
    let mut steps = raise.steps.iter();
    let first = steps.next().map_or(raise.to, |(_, to)| *to);
    let mut words = format!("replicas {} -> {first}", raise.from);
    for (at_ns, to) in steps {
        words.push_str(&format!(", {to} at {:.1} s", *at_ns as f64 / 1e9));
    }
    words
}

/// Who raised the scale.
fn cause(seen: &Seen<'_>, raise: &Raise) -> String {
    let by_fault = seen.cluster.faults.iter().find(|fault| {
        seen.action(&fault.name) == Some(Action::Scale)
            && fault.asked_ns <= raise.first_ns
            && raise.first_ns <= fault.answered_ns + SOON_NS
    });
    if let Some(fault) = by_fault {
        return fault.name.clone();
    }
    let wanted = { seen.cluster.hpa.iter() }
        .filter(|(at_ns, _)| *at_ns <= raise.first_ns + SOON_NS)
        .any(|(at_ns, hpa)| *at_ns + SOON_NS >= raise.first_ns && hpa.desired > raise.from);
    match (wanted, raise.stage) {
        (true, _) => "hpa".to_owned(),
        (false, None) => "before the load".to_owned(),
        (false, Some(_)) => "somebody else".to_owned(),
    }
}

fn load_step(seen: &Seen<'_>, raise: &Raise, load_ns: Option<u64>) -> Step {
    let evidence = match raise.stage {
        None => "no load was under way".to_owned(),
        Some(stage) => {
            let load = &seen.timeline.plan.stages[stage].load;
            let kind = match load.kind() {
                "rate" => "requests/s",
                kind => kind,
            };
            format!(
                "stage {} began: {} {kind}",
                seen.stage_name(stage),
                load.size()
            )
        }
    };
    Step {
        name: "load_step".to_owned(),
        at: load_ns.map(|ns| moment(Bounds::exactly(ns))),
        evidence,
    }
}

/// The HPA first said that its metric is above its target, after the step of the load.
fn above_target(seen: &Seen<'_>, raise: &Raise, load_ns: Option<u64>) -> Step {
    let states = &seen.cluster.hpa;
    let from_ns = load_ns.unwrap_or(raise.first_ns);
    let above = |hpa: &crate::record::cluster::Hpa| {
        let (cpu, target) = (hpa.cpu_percent?, hpa.target_cpu_percent?);
        (cpu as f64 > target as f64 * ABOVE).then_some((cpu, target))
    };
    let first = { states.iter().enumerate() }
        .filter(|(_, (at_ns, _))| *at_ns >= from_ns && *at_ns <= raise.first_ns + SOON_NS)
        .find_map(|(place, (at_ns, hpa))| Some((place, *at_ns, above(hpa)?)));
    let (at, evidence) = match first {
        None if states.is_empty() => (None, "no HPA was seen".to_owned()),
        None => (None, "the HPA never said so".to_owned()),
        Some((place, at_ns, (cpu, target))) => {
            let before = place.checked_sub(1).map(|place| &states[place]);
            let earliest_ns = match before {
                Some((at_ns, hpa)) if above(hpa).is_none() => (*at_ns).max(from_ns),
                _ => from_ns,
            };
            let bounds = Bounds {
                earliest_ns,
                latest_ns: at_ns,
            };
            (
                Some(moment(bounds)),
                format!("CPU {cpu} % of the requests, target {target} %"),
            )
        }
    };
    Step {
        name: "metric_above_target".to_owned(),
        at,
        evidence,
    }
}

/// When the scale was raised: the HPA notes the second, the Deployment's change was heard of.
fn raised(seen: &Seen<'_>, raise: &Raise) -> Bounds {
    let noted = { seen.cluster.hpa.iter() }
        .filter(|(at_ns, _)| at_ns.abs_diff(raise.first_ns) <= SOON_NS)
        .find_map(|(_, hpa)| hpa.last_scale_unix_ns.filter(|_| hpa.desired > raise.from));
    match noted {
        Some(unix_ns) => seen.cluster.clock.bounds(unix_ns, raise.first_ns),
        None => Bounds::exactly(raise.first_ns),
    }
}

/// A step of the pod that took it last; and how many did.
fn last_pod(
    seen: &Seen<'_>,
    pods: &[usize],
    name: &str,
    step: &dyn Fn(usize) -> Option<Bounds>,
) -> Step {
    let life = |place: usize| -> &PodLife { &seen.cluster.pods[place] };
    let taken = pods
        .iter()
        .filter_map(|place| Some((step(*place)?, *place)));
    let taken: Vec<(Bounds, usize)> = taken.collect();
    let last = taken.iter().max_by_key(|(bounds, _)| bounds.latest_ns);
    let evidence = match last {
        None if pods.is_empty() => "no pod was seen to come by it".to_owned(),
        None => format!("none of {} pods came that far", pods.len()),
        Some((_, place)) => format!(
            "{} of {} pods, the last {}",
            taken.len(),
            pods.len(),
            life(*place).last.name
        ),
    };
    Step {
        name: name.to_owned(),
        at: last.map(|(bounds, _)| moment(*bounds)),
        evidence,
    }
}
