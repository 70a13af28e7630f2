//! The run second by second: exact counts and percentiles of the rows, what the plan wanted, traces and scale as steps.

mod axis;
mod load;
mod times;

use crate::record::{Observation, Outcome};
use crate::verdict::align::Timeline;
use crate::verdict::cluster::ScalePoint;
use crate::verdict::outcome::Verdict;
use crate::verdict::page::Series;
use axis::Axis;

/// All columns. Every second from the first to the last has its row: one in which nothing came shows a pause.
pub(super) fn of(timeline: &Timeline<'_>, verdict: &Verdict) -> Series {
    let scale = verdict.cluster.as_ref().map_or(&[][..], |c| &c.scale);
    let Some(axis) = Axis::of(timeline, scale) else {
        return Series::default();
    };
    let [latency, service] = times::columns(timeline, &axis);
    let [users, requested] = load::columns(timeline, &axis);
    let [traces_due, traces_complete] = traces(timeline, &axis);
    let (answered, failed) = counts(timeline, &axis);
    Series {
        from: 0,
        step_seconds: axis.step(),
        at_seconds: axis.seconds().collect(),
        answered,
        failed,
        p50_ms: latency.p50,
        p95_ms: latency.p95,
        p99_ms: latency.p99,
        service_p50_ms: service.p50,
        service_p95_ms: service.p95,
        service_p99_ms: service.p99,
        users,
        requested,
        traces_due,
        traces_complete,
        hpa_desired: scaled(&axis, scale, |p| p.hpa_desired),
        desired: scaled(&axis, scale, |p| p.desired),
        ready: scaled(&axis, scale, |p| Some(p.ready)),
        cpu_percent: scaled(&axis, scale, |p| p.cpu_percent),
    }
}

/// Answers, and exchanges that ended otherwise than ok.
fn counts(timeline: &Timeline<'_>, axis: &Axis) -> (Vec<u64>, Vec<u64>) {
    let mut answered = vec![0; axis.rows()];
    let mut failed = vec![0; axis.rows()];
    for exchange in &timeline.recorded.exchanges {
        let row = axis.row_ns(exchange.done_ns);
        answered[row] += u64::from(exchange.outcome.answered());
        failed[row] += u64::from(exchange.outcome != Outcome::Ok);
    }
    (answered, failed)
}

/// Traces due and complete so far, as the recorder counted them.
fn traces(timeline: &Timeline<'_>, axis: &Axis) -> [Vec<Option<u64>>; 2] {
    let points = timeline.recorded.journal.iter().filter_map(|entry| {
        let (due, complete) = match &entry.observation {
            Observation::Second(s) => (s.traces_expected, s.traces_complete),
            Observation::DrainStarted { expected, complete }
            | Observation::DrainEnded { expected, complete } => (*expected, *complete),
            _ => return None,
        };
        Some((entry.at_ns as f64 / 1e9, due, complete))
    });
    let points: Vec<_> = points.collect();
    [
        axis.steps(points.iter().map(|(at, due, _)| (*at, *due))),
        axis.steps(points.iter().map(|(at, _, complete)| (*at, *complete))),
    ]
}

fn scaled<T: Copy>(
    axis: &Axis,
    scale: &[ScalePoint],
    of: impl Fn(&ScalePoint) -> Option<T>,
) -> Vec<Option<T>> {
    let known = scale
        .iter()
        .filter_map(|point| Some((point.at_seconds, of(point)?)));
    axis.steps(known)
}
