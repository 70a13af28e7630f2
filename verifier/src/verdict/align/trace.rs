//! One exchange's trace: which expected spans came, and what is wrong with it.

use super::Timeline;
use crate::plan::On;
use crate::record::{Exchange, Outcome, Span};
use std::collections::HashSet;

/// Up to so many spans, looking back at all of them is faster than a set.
const FEW: usize = 64;

/// What is wrong with an expected span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It did not come.
    Missing,
    /// Its parent is another than expected.
    Orphan,
    /// Its kind is another than expected.
    WrongKind,
}

/// Each span, and whether its id came before. A target that works on under one request's trace may
/// send any number.
pub fn with_repeats(spans: &[Span]) -> impl Iterator<Item = (&Span, bool)> {
    let mut seen = HashSet::new();
    spans.iter().enumerate().map(move |(at, span)| {
        let again = if spans.len() > FEW {
            !seen.insert(span.span_id)
        } else {
            spans[..at].iter().any(|s| s.span_id == span.span_id)
        };
        (span, again)
    })
}

/// The trace of one exchange.
#[derive(Clone, Debug, Default)]
pub struct Trace<'s> {
    /// Something of it was due.
    pub due: bool,
    /// The first that came of each expected span, in the plan's order.
    pub spans: Vec<Option<&'s Span>>,
    /// Faults of the expected spans, by their place in the plan.
    pub faults: Vec<(usize, Fault)>,
    /// Spans that came again: a known span id, or a second span of an expected name.
    pub duplicates: u64,
    /// When the last of the expected spans came, on the run's clock.
    pub last_arrival_ns: u64,
    /// Any span came at all.
    pub any: bool,
}

impl<'s> Trace<'s> {
    pub(super) fn read(
        timeline: &Timeline<'_>,
        exchange: &Exchange,
        spans: &'s [Span],
    ) -> Trace<'s> {
        let expected = timeline.expected(exchange);
        let plan = expected.spans;
        let mut trace = Trace {
            spans: vec![None; plan.len()],
            any: !spans.is_empty(),
            due: false,
            ..Trace::default()
        };
        for (span, again) in with_repeats(spans) {
            if again {
                trace.duplicates += 1;
                continue;
            }
            let Some(place) = expected
                .names
                .iter()
                .position(|name| *name == Some(span.name))
            else {
                continue;
            };
            match &mut trace.spans[place] {
                Some(_) => trace.duplicates += 1,
                empty => *empty = Some(span),
            }
        }
        if trace.duplicates > 0 {
            trace.prefer_sound(timeline, exchange, spans);
        }
        for (place, expected) in plan.iter().enumerate() {
            let due = match expected.on {
                On::Ok => exchange.outcome == Outcome::Ok,
                On::Answered => exchange.outcome.answered(),
            };
            trace.due |= due;
            let Some(span) = trace.spans[place] else {
                if due {
                    trace.faults.push((place, Fault::Missing));
                }
                continue;
            };
            trace.last_arrival_ns = trace.last_arrival_ns.max(span.arrived_ns);
            let parent = trace.parent_of(place, timeline, exchange);
            if parent.is_some_and(|parent| parent != span.parent_span_id) {
                trace.faults.push((place, Fault::Orphan));
            }
            if span.kind != expected.kind.code() {
                trace.faults.push((place, Fault::WrongKind));
            }
        }
        trace
    }

    /// Of several spans of one expected name, the one that is as expected counts, whichever came first:
    /// a retry on the way leaves a second root with another parent.
    fn prefer_sound(&mut self, timeline: &Timeline<'_>, exchange: &Exchange, spans: &'s [Span]) {
        let names = &timeline.expected(exchange).names;
        for (place, expected) in timeline.expected(exchange).spans.iter().enumerate() {
            let parent = self.parent_of(place, timeline, exchange);
            let sound = |span: &&Span| {
                Some(span.name) == names[place]
                    && span.kind == expected.kind.code()
                    && parent.is_none_or(|parent| parent == span.parent_span_id)
            };
            if let Some(found) = spans.iter().find(sound) {
                self.spans[place] = Some(found);
            }
        }
    }

    /// The span id that the parent of the expected span at `place` must have; `None` where that parent
    /// is itself missing: a child is not blamed for it.
    fn parent_of(&self, place: usize, timeline: &Timeline<'_>, exchange: &Exchange) -> Option<u64> {
        let plan = timeline.expected(exchange).spans;
        match &plan[place].parent {
            None => timeline.recorded.client_span_id(exchange.seq),
            Some(name) => {
                let parent = plan.iter().position(|s| s.name == *name)?;
                Some(self.spans[parent]?.span_id)
            }
        }
    }

    /// Everything that was due came, as expected.
    pub fn complete(&self) -> bool {
        self.due && self.faults.is_empty()
    }

    /// The root span, if it came.
    pub fn root(&self) -> Option<&'s Span> {
        self.spans.first().copied().flatten()
    }

    /// Spans below the root that came, with their place in the plan.
    pub fn children(&self) -> impl Iterator<Item = (usize, &'s Span)> {
        self.spans
            .iter()
            .enumerate()
            .skip(1)
            .filter_map(|(place, span)| Some((place, (*span)?)))
    }
}
