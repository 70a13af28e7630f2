//! The figures of each task of a stage, where a plan has several.

use super::{distribution, exchanges};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::TaskFigures;

/// In the plan's order; none where there is but one task, whose figures are the stage's.
pub(super) fn figures(
    timeline: &Timeline<'_>,
    stage: usize,
    duration_seconds: f64,
) -> Vec<TaskFigures> {
    let names = timeline.plan.tasks.iter().map(|task| &task.name);
    if names.len() < 2 {
        return Vec::new();
    }
    let of_task = |(number, name): (u8, &String)| {
        let task = Some(number);
        let (latency_ms, service_time_ms) = distribution::of_stage(timeline, stage, task);
        let (mut expected, mut complete) = (0, 0);
        for (exchange, spans) in timeline.stage(stage).filter(|(e, _)| e.task == number) {
            let trace = timeline.trace(exchange, spans);
            expected += u64::from(trace.due);
            complete += u64::from(trace.complete());
        }
        TaskFigures {
            name: name.clone(),
            exchanges: exchanges::count(timeline, stage, task),
            requests_per_second: exchanges::per_second(timeline, stage, duration_seconds, task),
            latency_ms,
            service_time_ms,
            traces_expected: expected,
            traces_complete: complete,
        }
    };
    (0..).zip(names).map(of_task).collect()
}
