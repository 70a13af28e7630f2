//! How long each expected span took.

use super::distribution;
use crate::plan::ExpectedSpan;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::SpanDistribution;
use std::collections::BTreeMap;

/// By span name; a span that never came has no samples and no figures.
pub(super) fn durations(
    timeline: &Timeline<'_>,
    stage: usize,
) -> BTreeMap<String, SpanDistribution> {
    let names = timeline.plan.span_names();
    let mut ns: Vec<Vec<u64>> = vec![Vec::new(); names.len()];
    // Each task's expected spans, as places among all.
    let places = timeline.plan.spans_by_task().into_iter().map(|spans| {
        let place = |span: &ExpectedSpan| names.iter().position(|name| *name == span.name);
        spans.iter().filter_map(place).collect::<Vec<usize>>()
    });
    let places: Vec<Vec<usize>> = places.collect();
    for (exchange, spans) in timeline.stage(stage) {
        let trace = timeline.trace(exchange, spans);
        let places = places.get(usize::from(exchange.task)).unwrap_or(&places[0]);
        for (span, place) in trace.spans.iter().zip(places) {
            ns[*place].extend(span.map(|span| span.duration_ns()));
        }
    }
    names
        .into_iter()
        .zip(&mut ns)
        .map(|(name, ns)| (name.to_owned(), distribution::of_spans(ns)))
        .collect()
}
