//! How long each expected span took.

use super::distribution;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::SpanDistribution;
use std::collections::BTreeMap;

/// By span name; a span that never came has no samples and no figures.
pub(super) fn durations(
    timeline: &Timeline<'_>,
    stage: usize,
) -> BTreeMap<String, SpanDistribution> {
    let expected = &timeline.plan.traces.spans;
    let mut ns: Vec<Vec<u64>> = vec![Vec::new(); expected.len()];
    for (exchange, spans) in timeline.stage(stage) {
        let trace = timeline.trace(exchange, spans);
        for (place, span) in trace.spans.iter().enumerate() {
            ns[place].extend(span.map(|span| span.duration_ns()));
        }
    }
    expected
        .iter()
        .zip(&mut ns)
        .map(|(span, ns)| (span.name.clone(), distribution::of_spans(ns)))
        .collect()
}
