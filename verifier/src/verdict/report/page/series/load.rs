//! What the plan, or whoever changed it by hand, wanted at each row of the axis: users and requests per second.

use super::axis::Axis;
use crate::plan::{Load, Stage};
use crate::record::Observation;
use crate::verdict::align::Timeline;
use std::time::Duration;

/// A stage's load while it went on.
struct Span<'a> {
    stage: &'a Stage,
    from_ns: u64,
    to_ns: u64,
    /// Users from that moment on.
    changed: Vec<(u64, u32)>,
}

impl Span<'_> {
    fn users(&self, at_ns: u64) -> Option<u32> {
        let by_hand = self.changed.iter().rev().find(|(from, _)| *from <= at_ns);
        match (by_hand, self.stage.load) {
            (Some((_, users)), _) => Some(*users),
            (None, Load::Connections { connections }) => Some(connections),
            (None, load) => load.users_at(self.since(at_ns)),
        }
    }

    fn since(&self, at_ns: u64) -> Duration {
        Duration::from_nanos(at_ns.saturating_sub(self.from_ns))
    }
}

/// Users, and requests per second, in that order; `None` between stages, and of somebody else's load.
pub(super) fn columns(timeline: &Timeline<'_>, axis: &Axis) -> [Vec<Option<f64>>; 2] {
    let spans = spans(timeline);
    let half_ns = axis.step() * 500_000_000;
    // The middle of the row, or as near to it as a short stage comes: the last that has a part of the row.
    let at = |second: u64| {
        let middle_ns = second * 1_000_000_000 + half_ns;
        let (from_ns, to_ns) = (middle_ns - half_ns, middle_ns + half_ns);
        let mut within = spans.iter().rev();
        let span = within.find(|s| s.from_ns < to_ns && s.to_ns > from_ns)?;
        Some((span, middle_ns.clamp(span.from_ns, span.to_ns)))
    };
    let wanted: Vec<_> = axis.seconds().map(at).collect();
    let users = wanted.iter().map(|wanted| {
        let (span, at_ns) = (*wanted)?;
        span.users(at_ns).map(f64::from)
    });
    let rate = wanted.iter().map(|wanted| {
        let (span, at_ns) = (*wanted)?;
        span.stage.rate_at(span.since(at_ns))
    });
    [users.collect(), rate.collect()]
}

fn spans<'a>(timeline: &'a Timeline<'_>) -> Vec<Span<'a>> {
    if timeline.watched() {
        return Vec::new();
    }
    let stages = timeline.plan.stages.iter().enumerate();
    let spans = stages.filter_map(|(index, stage)| {
        let from_ns = timeline.stage_start_ns(index)?;
        let planned_ns = u64::try_from(stage.duration.as_nanos()).unwrap_or(u64::MAX);
        let planned_ns = from_ns.saturating_add(planned_ns);
        let ended_ns = timeline.stage_end_ns(index).unwrap_or(planned_ns);
        Some(Span {
            stage,
            from_ns,
            to_ns: planned_ns.min(ended_ns).max(from_ns + 1),
            changed: changed(timeline, index),
        })
    });
    spans.collect()
}

/// When users were changed by hand in the stage, and to how many.
fn changed(timeline: &Timeline<'_>, index: usize) -> Vec<(u64, u32)> {
    let journal = timeline.recorded.journal.iter();
    let changes = journal.filter_map(|entry| match entry.observation {
        Observation::UsersChanged { stage, users } if usize::from(stage) == index => {
            Some((entry.at_ns, users))
        }
        _ => None,
    });
    changes.collect()
}
