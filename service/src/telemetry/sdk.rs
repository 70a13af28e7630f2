//! The same pipeline for whatever ends a span through the OpenTelemetry SDK: its `SpanData` is
//! encoded at once, by the rules of `opentelemetry-proto`, and goes the way of our own spans.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::{
    Array, Context, KeyValue, SpanId, Value,
    trace::{Event, Link, SpanContext, SpanKind, Status},
};
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    trace::{Span, SpanData, SpanProcessor},
};

use super::{
    encode::{HAS_IS_REMOTE, Head, IS_REMOTE, Tail},
    pipeline::Pipeline,
    wire::{
        AnyValue, count_len, field_len, key_value_len, put_count, put_head, put_key_value,
        put_text, put_varint, text_len, varint_len,
    },
};

/// Hands ended spans to the pipeline; never blocks, and counts what finds no room.
#[derive(Debug)]
pub(super) struct PipelineProcessor(pub(super) &'static Pipeline);

impl SpanProcessor for PipelineProcessor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        let trace_state = span.span_context.trace_state().header();
        let encoder = Encoder::new(&span, &trace_state);
        let content = encoder.len();
        let scope = Some(&span.instrumentation_scope);
        self.0.put(scope, content, false, |buf| {
            put_head(buf, 2, content);
            encoder.put(buf);
        });
    }

    fn force_flush(&self) -> OTelSdkResult {
        let patience = Duration::from_secs(10);
        if self.0.flush(patience) {
            Ok(())
        } else {
            Err(OTelSdkError::Timeout(patience))
        }
    }

    /// The pipeline outlives the provider: it is `Telemetry::shutdown` that ends it.
    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// A span of the SDK and what its message starts and ends with.
struct Encoder<'a> {
    span: &'a SpanData,
    head: Head<'a>,
    tail: Tail<'a>,
}

impl<'a> Encoder<'a> {
    fn new(span: &'a SpanData, trace_state: &'a str) -> Encoder<'a> {
        let parent = span.parent_span_id;
        let head = Head {
            trace_id: span.span_context.trace_id().to_bytes(),
            span_id: span.span_context.span_id().to_bytes(),
            trace_state,
            parent_span_id: (parent != SpanId::INVALID).then(|| parent.to_bytes()),
            name: &span.name,
            kind: kind(&span.span_kind),
            start_unix_ns: unix_ns(span.start_time),
            end_unix_ns: unix_ns(span.end_time),
        };
        let (code, message) = status(&span.status);
        let flags = flags(&span.span_context, span.parent_span_is_remote);
        Encoder {
            span,
            head,
            tail: Tail {
                code,
                message,
                flags,
            },
        }
    }

    fn len(&self) -> usize {
        self.head.len()
            + attributes_len(&self.span.attributes)
            + count_len(self.span.dropped_attributes_count)
            + self
                .span
                .events
                .iter()
                .map(|event| field_len(event_len(event)))
                .sum::<usize>()
            + count_len(self.span.events.dropped_count)
            + self
                .span
                .links
                .iter()
                .map(|link| field_len(link_len(link)))
                .sum::<usize>()
            + count_len(self.span.links.dropped_count)
            + self.tail.len()
    }

    fn put(&self, buf: &mut Vec<u8>) {
        self.head.put(buf);
        put_attributes(buf, 9, &self.span.attributes);
        put_count(buf, 10, self.span.dropped_attributes_count);
        for event in self.span.events.iter() {
            put_event(buf, event);
        }
        put_count(buf, 12, self.span.events.dropped_count);
        for link in self.span.links.iter() {
            put_link(buf, link);
        }
        put_count(buf, 14, self.span.links.dropped_count);
        self.tail.put(buf);
    }
}

fn attributes_len(attributes: &[KeyValue]) -> usize {
    attributes
        .iter()
        .map(|a| field_len(key_value_len(a.key.as_str(), &a.value)))
        .sum()
}

fn put_attributes(buf: &mut Vec<u8>, field: u8, attributes: &[KeyValue]) {
    for attribute in attributes {
        put_key_value(buf, field, attribute.key.as_str(), &attribute.value);
    }
}

fn event_len(event: &Event) -> usize {
    let time = if unix_ns(event.timestamp) == 0 { 0 } else { 9 };
    let attributes = attributes_len(&event.attributes);
    time + text_len(&event.name) + attributes + count_len(event.dropped_attributes_count)
}

fn put_event(buf: &mut Vec<u8>, event: &Event) {
    put_head(buf, 11, event_len(event));
    let time = unix_ns(event.timestamp);
    if time != 0 {
        buf.push(0x09);
        buf.extend_from_slice(&time.to_le_bytes());
    }
    put_text(buf, 2, &event.name);
    put_attributes(buf, 3, &event.attributes);
    put_count(buf, 4, event.dropped_attributes_count);
}

fn link_len(link: &Link) -> usize {
    const IDS_AND_FLAGS: usize = 18 + 10 + 5;
    let trace_state = text_len(&link.span_context.trace_state().header());
    IDS_AND_FLAGS
        + trace_state
        + attributes_len(&link.attributes)
        + count_len(link.dropped_attributes_count)
}

fn put_link(buf: &mut Vec<u8>, link: &Link) {
    put_head(buf, 13, link_len(link));
    put_head(buf, 1, 16);
    buf.extend_from_slice(&link.span_context.trace_id().to_bytes());
    put_head(buf, 2, 8);
    buf.extend_from_slice(&link.span_context.span_id().to_bytes());
    put_text(buf, 3, &link.span_context.trace_state().header());
    put_attributes(buf, 4, &link.attributes);
    put_count(buf, 5, link.dropped_attributes_count);
    buf.push(0x35);
    let flags = flags(&link.span_context, link.span_context.is_remote());
    buf.extend_from_slice(&flags.to_le_bytes());
}

fn flags(context: &SpanContext, remote: bool) -> u32 {
    let remote = if remote { IS_REMOTE } else { 0 };
    u32::from(context.trace_flags().to_u8()) | HAS_IS_REMOTE | remote
}

fn kind(kind: &SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn status(status: &Status) -> (u8, &str) {
    match status {
        Status::Unset => (0, ""),
        Status::Ok => (1, ""),
        Status::Error { description } => (2, description),
    }
}

fn unix_ns(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl AnyValue for Value {
    fn len(&self) -> usize {
        match self {
            Value::Bool(_) => 2,
            Value::I64(number) => 1 + varint_len(*number as u64),
            Value::F64(_) => 9,
            Value::String(text) => field_len(text.as_str().len()),
            Value::Array(array) => {
                field_len(elements(array).iter().map(|v| field_len(v.len())).sum())
            }
            // The enum may grow; a value we do not know is sent as one that is not set.
            _ => 0,
        }
    }

    fn put(&self, buf: &mut Vec<u8>) {
        match self {
            Value::Bool(yes) => buf.extend_from_slice(&[0x10, u8::from(*yes)]),
            Value::I64(number) => {
                buf.push(0x18);
                put_varint(buf, *number as u64);
            }
            Value::F64(number) => {
                buf.push(0x21);
                buf.extend_from_slice(&number.to_le_bytes());
            }
            Value::String(text) => {
                put_head(buf, 1, text.as_str().len());
                buf.extend_from_slice(text.as_str().as_bytes());
            }
            Value::Array(array) => {
                let elements = elements(array);
                put_head(buf, 5, elements.iter().map(|v| field_len(v.len())).sum());
                for element in elements {
                    put_head(buf, 1, element.len());
                    element.put(buf);
                }
            }
            _ => {}
        }
    }
}

fn elements(array: &Array) -> Vec<Value> {
    match array {
        Array::Bool(values) => values.iter().map(|v| Value::Bool(*v)).collect(),
        Array::I64(values) => values.iter().map(|v| Value::I64(*v)).collect(),
        Array::F64(values) => values.iter().map(|v| Value::F64(*v)).collect(),
        Array::String(values) => values.iter().map(|v| Value::String(v.clone())).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
