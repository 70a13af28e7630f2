//! One recorded trace in, one line of OTLP/JSON out: `TracesData` as collectors' file exporters write it and their
//! receivers take it (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding": ids in hex, 64-bit numbers as text).

use crate::record::client_span::KIND_CLIENT;
use crate::record::run_key::hex;
use crate::record::span::STATUS_ERROR;
use crate::record::{ClientSpan, Exchange, Span, Table};
use crate::verdict::align::Timeline;
use anyhow::Result;
use serde::Serialize;
use std::cmp::Reverse;
use std::io::Write;

/// Spans of one trace that are written: a target that works on under one request's trace may send any number.
pub(super) const MOST_SPANS: usize = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    spans: Vec<SpanJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: &'a str,
    span_id: String,
    /// A root has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Value<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Value<'a> {
    StringValue(&'a str),
    IntValue(String),
}

/// What a span says of its HTTP status and its error; a status of 0 and no error are not said.
fn attributes<'a>(http_status: u16, error_type: &'a str) -> Vec<Attribute<'a>> {
    let mut attributes = Vec::new();
    if http_status > 0 {
        let value = Value::IntValue(http_status.to_string());
        let key = "http.response.status_code";
        attributes.push(Attribute { key, value });
    }
    if !error_type.is_empty() {
        let value = Value::StringValue(error_type);
        let key = "error.type";
        attributes.push(Attribute { key, value });
    }
    attributes
}

/// Spans of one sender.
fn of_sender<'a>(key: &'static str, name: &'a str, spans: Vec<SpanJson<'a>>) -> ResourceSpans<'a> {
    let value = Value::StringValue(name);
    ResourceSpans {
        resource: Resource {
            attributes: vec![Attribute { key, value }],
        },
        scope_spans: [ScopeSpans { spans }],
    }
}

/// Writes the trace as one line: the client's own span from the exchange, then what was received, by sender and start.
/// Gives how many received spans it has; nothing is written where there is no span at all.
///
/// # Errors
/// When it can not be written.
pub(super) fn write(
    out: &mut impl Write,
    timeline: &Timeline<'_>,
    client_name: &str,
    exchange: &Exchange,
    spans: &[Span],
) -> Result<usize> {
    let trace_id = timeline.trace_id(exchange.seq);
    let recorded = &timeline.recorded;
    let client = ClientSpan::of(&recorded.key, recorded.origin_unix_ns, exchange);
    let mut resource_spans = Vec::new();
    if let Some(span) = &client {
        let span = client_json(span, &trace_id, client_name);
        resource_spans.push(of_sender("service.name", "verifier", vec![span]));
    }
    let mut spans: Vec<&Span> = spans.iter().take(MOST_SPANS).collect();
    let sender = |span: &Span| timeline.text(Table::Source, span.source);
    let name = |span: &Span| timeline.text(Table::SpanName, span.name);
    // By texts, whose numbers differ between row files and Parquet.
    spans.sort_by_key(|s| {
        let times = (s.start_unix_ns, Reverse(s.end_unix_ns), s.arrived_ns);
        let detail = timeline.text(Table::Detail, s.detail);
        let rest = (s.parent_span_id, s.kind, s.status, s.http_status, detail);
        (sender(s), times, s.span_id, name(s), rest)
    });
    for spans in spans.chunk_by(|a, b| sender(a) == sender(b)) {
        let json = spans.iter().map(|span| json(timeline, span, &trace_id));
        let json = json.collect();
        resource_spans.push(of_sender("service.instance.id", sender(spans[0]), json));
    }
    if resource_spans.is_empty() {
        return Ok(0);
    }
    serde_json::to_writer(&mut *out, &Line { resource_spans })?;
    out.write_all(b"\n")?;
    Ok(spans.len())
}

fn client_json<'a>(span: &'a ClientSpan, trace_id: &'a str, name: &'a str) -> SpanJson<'a> {
    let error_type = span.error_type.as_deref();
    SpanJson {
        trace_id,
        span_id: hex(&span.span_id),
        parent_span_id: String::new(),
        name,
        kind: KIND_CLIENT,
        start_time_unix_nano: span.start_unix_ns.to_string(),
        end_time_unix_nano: span.end_unix_ns.to_string(),
        attributes: attributes(span.http_status, error_type.unwrap_or_default()),
        status: error_type.map(|_| Status { code: STATUS_ERROR }),
    }
}

fn json<'a>(timeline: &'a Timeline<'_>, span: &Span, trace_id: &'a str) -> SpanJson<'a> {
    SpanJson {
        trace_id,
        span_id: hex(&span.span_id.to_be_bytes()),
        parent_span_id: match span.parent_span_id {
            0 => String::new(),
            parent => hex(&parent.to_be_bytes()),
        },
        name: timeline.text(Table::SpanName, span.name),
        kind: span.kind,
        start_time_unix_nano: span.start_unix_ns.to_string(),
        end_time_unix_nano: span.end_unix_ns.to_string(),
        attributes: attributes(span.http_status, timeline.text(Table::Detail, span.detail)),
        status: (span.status > 0).then_some(Status { code: span.status }),
    }
}
