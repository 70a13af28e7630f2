//! What the client saw against what the spans say.

use super::EXAMPLES;
use crate::record::span::STATUS_ERROR;
use crate::record::{Exchange, Outcome, Span, Table};
use crate::verdict::align::{Timeline, with_repeats};
use crate::verdict::outcome::{ErrorSpan, ErrorSpans, MatrixCell};
use std::collections::BTreeMap;

pub(super) fn matrix(timeline: &Timeline<'_>, stage: usize) -> ErrorSpans {
    let mut matrix: BTreeMap<String, BTreeMap<String, MatrixCell>> = BTreeMap::new();
    let mut errors: BTreeMap<(String, String), MatrixCell> = BTreeMap::new();
    let judged = |exchange: &Exchange| !timeline.expected(exchange).spans.is_empty();
    for (exchange, spans) in timeline
        .stage(stage)
        .filter(|(e, _)| judged(e) && e.outcome.sent())
    {
        let trace = timeline.trace(exchange, spans);
        let status = match trace.root() {
            None => "no_root_span",
            Some(root) if root.status == STATUS_ERROR => "error",
            Some(_) => "no_error",
        };
        let row = matrix.entry(row(exchange)).or_default();
        add(
            row.entry(status.to_owned()).or_default(),
            timeline,
            exchange.seq,
        );
        let failed = |(span, again): &(&Span, bool)| span.status == STATUS_ERROR && !again;
        for (span, _) in with_repeats(spans).filter(failed) {
            let name = timeline.text(Table::SpanName, span.name).to_owned();
            let detail = timeline.text(Table::Detail, span.detail).to_owned();
            add(
                errors.entry((name, detail)).or_default(),
                timeline,
                exchange.seq,
            );
        }
    }
    let mut spans: Vec<ErrorSpan> = errors
        .into_iter()
        .map(|((name, detail), cell)| ErrorSpan {
            name,
            detail,
            count: cell.count,
            examples: cell.examples,
        })
        .collect();
    spans.sort_by_key(|span| std::cmp::Reverse(span.count));
    ErrorSpans { matrix, spans }
}

fn add(cell: &mut MatrixCell, timeline: &Timeline<'_>, seq: u64) {
    cell.count += 1;
    if cell.examples.len() < EXAMPLES {
        cell.examples.push(timeline.trace_id(seq));
    }
}

fn row(exchange: &Exchange) -> String {
    match exchange.outcome {
        Outcome::Ok | Outcome::HttpError => format!("{}xx", exchange.status / 100),
        other => other.name().to_owned(),
    }
}
