//! One request of a run that goes on, drawn: what its client did, then its spans.

use crate::record::span::STATUS_ERROR;
use crate::record::{Exchange, Span, Table};
use crate::verdict::align::{Fault, Timeline};
use crate::verdict::page::{Bar, Waterfall};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// A target may send any number under one trace id.
const MOST_SPANS: usize = 200;

/// Draws the only request of the timeline; `None` where there is none.
pub(super) fn waterfall(timeline: &Timeline<'_>) -> Option<Waterfall> {
    let (exchange, spans) = timeline.all().next()?;
    let mut bars = client(exchange);
    let mut by_start: Vec<&Span> = spans.iter().take(MOST_SPANS).collect();
    by_start.sort_by_key(|span| (span.start_unix_ns, Reverse(span.end_unix_ns), span.span_id));
    bars.extend(
        by_start
            .into_iter()
            .map(|span| bar(timeline, exchange, span)),
    );
    Some(Waterfall {
        trace_id: timeline.trace_id(exchange.seq),
        title: title(timeline, exchange, spans),
        length_ns: exchange.latency_ns().max(1),
        bars,
    })
}

fn client(exchange: &Exchange) -> Vec<Bar> {
    let zero = exchange.intended_ns;
    let parts = [
        ("exchange", zero.max(1), exchange.done_ns),
        (
            "waiting for a connection",
            zero.max(1),
            exchange.connected_ns,
        ),
        (
            "until the first byte",
            exchange.sent_ns,
            exchange.first_byte_ns,
        ),
    ];
    let parts = parts
        .into_iter()
        .filter(|(_, from, to)| *from != 0 && to > from);
    let bar = |(name, from, to): (&str, u64, u64)| Bar {
        name: name.to_owned(),
        start_ns: from.cast_signed() - zero.cast_signed(),
        duration_ns: to - from,
        client: true,
        error: false,
        attributes: BTreeMap::new(),
    };
    parts.map(bar).collect()
}

fn bar(timeline: &Timeline<'_>, exchange: &Exchange, span: &Span) -> Bar {
    let offset = timeline.clocks.offset_ns(span.source, exchange.seq);
    let origin = timeline.recorded.origin_unix_ns.cast_signed();
    let start_ns = span.start_unix_ns.cast_signed().wrapping_sub(origin);
    let start_ns = start_ns
        .wrapping_sub(offset)
        .wrapping_sub(exchange.intended_ns.cast_signed());
    let mut attributes = BTreeMap::new();
    let mut know = |name: &str, value: String| {
        if !value.is_empty() {
            attributes.insert(name.to_owned(), value);
        }
    };
    know("span_id", format!("{:016x}", span.span_id));
    if span.parent_span_id != 0 {
        know("parent_span_id", format!("{:016x}", span.parent_span_id));
    }
    know("kind", kind(span.kind).to_owned());
    know(
        "status",
        ["unset", "ok", "error"]
            .get(usize::from(span.status))
            .map_or(String::new(), |s| (*s).to_owned()),
    );
    know(
        "service.instance.id",
        timeline.text(Table::Source, span.source).to_owned(),
    );
    know(
        "error.type",
        timeline.text(Table::Detail, span.detail).to_owned(),
    );
    if span.http_status != 0 {
        know("http.response.status_code", span.http_status.to_string());
    }
    Bar {
        name: timeline.text(Table::SpanName, span.name).to_owned(),
        start_ns,
        duration_ns: span.duration_ns(),
        client: false,
        error: span.status == STATUS_ERROR,
        attributes,
    }
}

fn kind(code: u8) -> &'static str {
    ["", "internal", "server", "client", "producer", "consumer"]
        .get(usize::from(code))
        .copied()
        .unwrap_or("")
}

/// Stage, outcome, what is missing so far, and what is not known of the senders' clocks.
fn title(timeline: &Timeline<'_>, exchange: &Exchange, spans: &[Span]) -> String {
    let stage = timeline.plan.stages.get(usize::from(exchange.stage));
    let stage = stage.map_or("", |stage| stage.name.as_str());
    let mut title = format!("{stage}: {}", exchange.outcome.name());
    if exchange.status > 0 {
        title += &format!(" {}", exchange.status);
    }
    let trace = timeline.trace(exchange, spans);
    let lacks = trace
        .faults
        .iter()
        .filter(|(_, fault)| *fault == Fault::Missing);
    let expected = timeline.expected(exchange).spans;
    let lacks: Vec<&str> = lacks
        .map(|(place, _)| expected[*place].name.as_str())
        .collect();
    if !lacks.is_empty() {
        title += &format!(", without {}", lacks.join(", "));
    }
    let bounded = |span: &Span| timeline.clocks.senders.contains_key(&span.source);
    if !spans.iter().all(bounded) {
        title += "; senders' clocks as they are";
    } else if !spans.is_empty() {
        title += "; senders' clocks aligned by this request alone";
    }
    title
}
