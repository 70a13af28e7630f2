//! One exchange and its spans, drawn on one axis that begins at the intended start; every bar with what is known of it.

use super::super::names::stage;
use super::Row;
use crate::plan::Task;
use crate::record::run_key::hex;
use crate::record::span::STATUS_ERROR;
use crate::record::{Exchange, Outcome, Span, Table};
use crate::verdict::align::{Fault, Timeline};
use crate::verdict::outcome::Verdict;
use crate::verdict::page::{Bar, Waterfall};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Spans of one trace that are drawn: a target that works on under one request's trace may send any number.
const MOST_SPANS: usize = 64;
/// Characters of a text of the target that are kept.
const TEXT_FITS: usize = 300;

/// A waterfall, and why it was drawn.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Picture {
    pub(in super::super::super) why: &'static str,
    pub(in super::super::super) waterfall: Waterfall,
}

/// What is known beside the row itself.
pub(super) struct About<'t> {
    timeline: &'t Timeline<'t>,
    tasks: Vec<Task>,
    /// Senders that are pods by the cluster's own words.
    pods: BTreeSet<String>,
}

impl<'t> About<'t> {
    pub(super) fn of(timeline: &'t Timeline<'t>, verdict: &Verdict) -> About<'t> {
        let pods = verdict.cluster.iter().flat_map(|cluster| &cluster.pods);
        About {
            timeline,
            tasks: timeline.plan.all_tasks(),
            pods: pods.map(|pod| pod.name.clone()).collect(),
        }
    }

    /// The exchange's own bars first, then its spans by their start.
    pub(super) fn picture(&self, why: &'static str, (exchange, spans): Row<'_>) -> Picture {
        let mut bars = self.client(exchange);
        let mut by_start: Vec<&Span> = spans.iter().take(MOST_SPANS).collect();
        by_start.sort_by_key(|s| (s.start_unix_ns, Reverse(s.end_unix_ns), s.span_id));
        bars.extend(by_start.into_iter().map(|span| self.bar(exchange, span)));
        let waterfall = Waterfall {
            trace_id: self.timeline.trace_id(exchange.seq),
            title: self.title(exchange, spans),
            length_ns: exchange.latency_ns().max(1),
            bars,
        };
        Picture { why, waterfall }
    }

    fn title(&self, exchange: &Exchange, spans: &[Span]) -> String {
        let trace = self.timeline.trace(exchange, spans);
        let expected = self.timeline.expected(exchange).spans;
        let missing = trace.faults.iter().filter(|(_, f)| *f == Fault::Missing);
        let missing: Vec<&str> = missing.map(|(at, _)| expected[*at].name.as_str()).collect();
        let mut title = format!(
            "{}: {}",
            stage(self.timeline, exchange),
            exchange.outcome.name()
        );
        if exchange.status > 0 {
            title += &format!(" {}", exchange.status);
        }
        if trace.due && !trace.any {
            title += ", without any span";
        } else if !missing.is_empty() {
            title += &format!(", without {}", missing.join(", "));
        }
        if spans.len() > MOST_SPANS {
            title += &format!(", {MOST_SPANS} of {} spans", spans.len());
        }
        title
    }

    /// What the generator itself did: the whole, the wait for a connection, the wait for the first byte.
    fn client(&self, exchange: &Exchange) -> Vec<Bar> {
        let intended_ns = exchange.intended_ns.max(1);
        let parts = [
            ("exchange", intended_ns, exchange.done_ns),
            (
                "waiting for a connection",
                intended_ns,
                exchange.connected_ns,
            ),
            (
                "until the first byte",
                exchange.sent_ns,
                exchange.first_byte_ns,
            ),
        ];
        let happened = parts
            .into_iter()
            .filter(|(_, from, to)| *from != 0 && to > from);
        let bar = |(name, from, to): (&str, u64, u64)| Bar {
            name: name.to_owned(),
            start_ns: from
                .cast_signed()
                .wrapping_sub(exchange.intended_ns.cast_signed()),
            duration_ns: to - from,
            client: true,
            error: name == "exchange" && exchange.outcome != Outcome::Ok,
            attributes: match name {
                "exchange" => self.of_exchange(exchange),
                _ => BTreeMap::new(),
            },
        };
        happened.map(bar).collect()
    }

    fn of_exchange(&self, exchange: &Exchange) -> BTreeMap<String, String> {
        let mut known = BTreeMap::new();
        let mut say = |key: &str, value: String| known.insert(key.to_owned(), value);
        if let Some(task) = self.tasks.get(usize::from(exchange.task)) {
            say("http.request.method", task.method.clone());
            say("url.path", cut(&task.path));
        }
        if exchange.status > 0 {
            say("http.response.status_code", exchange.status.to_string());
            say("verifier.response_bytes", exchange.bytes.to_string());
        }
        if exchange.outcome != Outcome::Ok {
            say("error.type", exchange.outcome.name().to_owned());
        }
        if let Some(id) = self.timeline.recorded.client_span_id(exchange.seq) {
            say("span_id", hex(&id.to_be_bytes()));
            say("kind", "client".to_owned());
            say("verifier.connection", exchange.connection.to_string());
        }
        say("verifier.request", exchange.seq.to_string());
        known
    }

    fn bar(&self, exchange: &Exchange, span: &Span) -> Bar {
        let timeline = self.timeline;
        let offset = timeline.clocks.offset_ns(span.source, exchange.seq);
        let origin = timeline.recorded.origin_unix_ns.cast_signed();
        let start = span.start_unix_ns.cast_signed();
        let start = start.wrapping_sub(origin).wrapping_sub(offset);
        Bar {
            name: cut(timeline.text(Table::SpanName, span.name)),
            start_ns: start.wrapping_sub(exchange.intended_ns.cast_signed()),
            duration_ns: span.duration_ns(),
            client: false,
            error: span.status == STATUS_ERROR,
            attributes: self.of_span(exchange, span),
        }
    }

    fn of_span(&self, exchange: &Exchange, span: &Span) -> BTreeMap<String, String> {
        let mut known = BTreeMap::new();
        let mut say = |key: &str, value: String| known.insert(key.to_owned(), value);
        say("span_id", hex(&span.span_id.to_be_bytes()));
        if span.parent_span_id != 0 {
            say("parent_span_id", hex(&span.parent_span_id.to_be_bytes()));
        }
        say("kind", kind(span.kind).to_owned());
        say("status", status(span.status).to_owned());
        let source = self.timeline.text(Table::Source, span.source);
        say(self.sender(source), cut(source));
        let detail = self.timeline.text(Table::Detail, span.detail);
        if !detail.is_empty() {
            say("error.type", cut(detail));
        }
        if span.http_status > 0 {
            say("http.response.status_code", span.http_status.to_string());
        }
        let after_ns = i128::from(span.arrived_ns) - i128::from(exchange.done_ns);
        let after_ms = after_ns as f64 / 1e6;
        say("verifier.arrived_after_ms", format!("{after_ms:.3}"));
        known
    }

    /// What the record has as the sender is the pod's name, where it is one.
    fn sender(&self, source: &str) -> &'static str {
        match self.pods.contains(source) {
            true => "k8s.pod.name",
            false => "service.instance.id",
        }
    }
}

/// As OpenTelemetry has it on the wire.
fn kind(code: u8) -> &'static str {
    let names = ["unspecified", "internal", "server", "client", "producer"];
    names.get(usize::from(code)).copied().unwrap_or("consumer")
}

fn status(code: u8) -> &'static str {
    match code {
        0 => "unset",
        1 => "ok",
        _ => "error",
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_FITS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
