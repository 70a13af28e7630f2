//! Which run it was, and its stages, from the journal and the verdict.

use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use crate::verdict::page::{Run, Stage, State};

/// The run that has ended, however it ended.
pub(super) fn of(timeline: &Timeline<'_>, verdict: &Verdict) -> Run {
    let last_ns = timeline.recorded.journal.last().map_or(0, |e| e.at_ns);
    let searches = timeline.plan.search.is_some();
    let planned = timeline.plan.duration().as_secs_f64();
    let errors = timeline.observations().filter_map(|o| match o {
        Observation::RunError { error } | Observation::TargetFailed { error } => {
            Some(error.clone())
        }
        _ => None,
    });
    Run {
        id: verdict.run.id.clone(),
        plan: verdict.run.plan.clone(),
        target: verdict.run.target.clone(),
        started_unix_ms: timeline.recorded.origin_unix_ns / 1_000_000,
        state: State::Ended,
        elapsed_seconds: last_ns as f64 / 1e9,
        planned_seconds: (!searches && !timeline.watched()).then_some(planned),
        stages: stages(timeline, verdict, last_ns),
        users_change: false,
        host: verdict.run.host.clone(),
        verifier_version: verdict.run.verifier_version.clone(),
        errors: errors.collect(),
    }
}

/// Those that began. One that did not come to its end ended with the run.
fn stages(timeline: &Timeline<'_>, verdict: &Verdict, last_ns: u64) -> Vec<Stage> {
    let began = verdict.stages.iter().enumerate().filter_map(|(index, s)| {
        let start_ns = timeline.stage_start_ns(index)?;
        let end_ns = timeline.stage_end_ns(index).unwrap_or(last_ns);
        Some(Stage {
            name: s.name.clone(),
            kind: s.kind.clone(),
            size: s.size,
            start_seconds: start_ns as f64 / 1e9,
            end_seconds: Some(end_ns.max(start_ns) as f64 / 1e9),
        })
    });
    began.collect()
}
