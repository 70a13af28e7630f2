//! A span record becomes `opentelemetry.proto.trace.v1.Span` bytes, straight into the buffer, in
//! the same field order and with the same omissions as prost: byte for byte what the SDK sends.

use super::{
    span::{Attribute, Kind, SpanRecord, Status, Value},
    wire::{
        AnyValue, field_len, key_value_len, put_head, put_key_value, put_text, put_varint,
        text_len, varint_len,
    },
};

/// W3C "sampled": every span that is recorded is sampled, whatever the caller's flag said.
const SAMPLED: u32 = 0x01;
/// The next bit is meaningful (`SpanFlags.CONTEXT_HAS_IS_REMOTE_MASK`).
pub(super) const HAS_IS_REMOTE: u32 = 0x100;
/// The parent is in another process (`SpanFlags.CONTEXT_IS_REMOTE_MASK`).
pub(super) const IS_REMOTE: u32 = 0x200;

/// What every span starts with: fields 1 to 8.
pub(super) struct Head<'a> {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: [u8; 8],
    pub(super) trace_state: &'a str,
    pub(super) parent_span_id: Option<[u8; 8]>,
    pub(super) name: &'a str,
    pub(super) kind: u8,
    pub(super) start_unix_ns: u64,
    pub(super) end_unix_ns: u64,
}

impl Head<'_> {
    /// Bytes that `put` writes. Times are never zero, so that nothing but text and parent varies.
    pub(super) fn len(&self) -> usize {
        const IDS: usize = 18 + 10;
        const KIND_TIMES: usize = 2 + 9 + 9;
        let parent = if self.parent_span_id.is_some() { 10 } else { 0 };
        IDS + text_len(self.trace_state) + parent + text_len(self.name) + KIND_TIMES
    }

    /// Appends the fields.
    pub(super) fn put(&self, buf: &mut Vec<u8>) {
        let mut ids = [0; 28];
        ids[..2].copy_from_slice(&[0x0a, 16]);
        ids[2..18].copy_from_slice(&self.trace_id);
        ids[18..20].copy_from_slice(&[0x12, 8]);
        ids[20..].copy_from_slice(&self.span_id);
        buf.extend_from_slice(&ids);
        put_text(buf, 3, self.trace_state);
        if let Some(parent) = self.parent_span_id {
            let mut field = [0x22, 8, 0, 0, 0, 0, 0, 0, 0, 0];
            field[2..].copy_from_slice(&parent);
            buf.extend_from_slice(&field);
        }
        put_text(buf, 5, self.name);
        let mut times = [
            0x30, self.kind, 0x39, 0, 0, 0, 0, 0, 0, 0, 0, 0x41, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        times[3..11].copy_from_slice(&self.start_unix_ns.max(1).to_le_bytes());
        times[12..].copy_from_slice(&self.end_unix_ns.max(1).to_le_bytes());
        buf.extend_from_slice(&times);
    }
}

/// How a span's message ends: the `status` field, always there, as the SDK does it; and the flags,
/// whose field number is the highest.
pub(super) struct Tail<'a> {
    pub(super) code: u8,
    pub(super) message: &'a str,
    pub(super) flags: u32,
}

impl Tail<'_> {
    /// Bytes that `put` writes.
    pub(super) fn len(&self) -> usize {
        field_len(self.status_len()) + 6
    }

    fn status_len(&self) -> usize {
        text_len(self.message) + if self.code == 0 { 0 } else { 2 }
    }

    /// Appends the fields.
    pub(super) fn put(&self, buf: &mut Vec<u8>) {
        put_head(buf, 15, self.status_len());
        put_text(buf, 2, self.message);
        if self.code != 0 {
            buf.extend_from_slice(&[0x18, self.code]);
        }
        let mut flags = [0x85, 0x01, 0, 0, 0, 0];
        flags[2..].copy_from_slice(&self.flags.to_le_bytes());
        buf.extend_from_slice(&flags);
    }
}

fn head<'a>(span: &SpanRecord<'a>) -> Head<'a> {
    Head {
        trace_id: span.context.trace_id,
        span_id: span.context.span_id,
        trace_state: span.trace_state,
        parent_span_id: span.parent_span_id,
        name: span.name,
        kind: span.kind as u8,
        start_unix_ns: span.start_unix_ns,
        end_unix_ns: span.end_unix_ns,
    }
}

fn tail<'a>(span: &SpanRecord<'a>) -> Tail<'a> {
    let (code, message) = match span.status {
        Status::Unset => (0, ""),
        Status::Error(message) => (2, message),
    };
    // A server span's parent came over the wire; any other parent is ours.
    let remote = matches!(span.kind, Kind::Server) && span.parent_span_id.is_some();
    Tail {
        code,
        message,
        flags: SAMPLED | HAS_IS_REMOTE | if remote { IS_REMOTE } else { 0 },
    }
}

/// Attributes that many spans share, encoded once.
#[derive(Clone, Debug, Default)]
pub struct EncodedAttributes(Vec<u8>);

impl EncodedAttributes {
    /// The attributes as they will stand in a span.
    pub fn new(attributes: &[Attribute<'_>]) -> EncodedAttributes {
        let mut bytes = Vec::with_capacity(attributes_len(attributes));
        put_attributes(&mut bytes, attributes);
        EncodedAttributes(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn attributes_len(attributes: &[Attribute<'_>]) -> usize {
    attributes
        .iter()
        .map(|(key, value)| field_len(key_value_len(key, value)))
        .sum()
}

fn put_attributes(buf: &mut Vec<u8>, attributes: &[Attribute<'_>]) {
    for (key, value) in attributes {
        put_key_value(buf, 9, key, value);
    }
}

/// Bytes of the span's content, without the field head of `ScopeSpans.spans`. The attributes in
/// `before` are encoded already and precede the span's own.
pub(super) fn span_len(span: &SpanRecord<'_>, before: &[u8]) -> usize {
    head(span).len() + before.len() + attributes_len(span.attributes) + tail(span).len()
}

/// Bytes of the status and the flags, with which the span's content ends.
pub(super) fn tail_len(span: &SpanRecord<'_>) -> usize {
    tail(span).len()
}

/// Appends the span as one element of `ScopeSpans.spans`; `content` is its [`span_len`].
pub(super) fn put_span(buf: &mut Vec<u8>, span: &SpanRecord<'_>, before: &[u8], content: usize) {
    buf.reserve(field_len(content));
    put_head(buf, 2, content);
    head(span).put(buf);
    buf.extend_from_slice(before);
    put_attributes(buf, span.attributes);
    tail(span).put(buf);
}

impl AnyValue for Value<'_> {
    fn len(&self) -> usize {
        match self {
            // A oneof has presence: empty text and zero are written.
            Value::Str(text) => field_len(text.len()),
            Value::Int(number) => 1 + varint_len(*number as u64),
            Value::Double(_) => 9,
            Value::Bool(_) => 2,
        }
    }

    fn put(&self, buf: &mut Vec<u8>) {
        match self {
            Value::Str(text) => {
                put_head(buf, 1, text.len());
                buf.extend_from_slice(text.as_bytes());
            }
            Value::Bool(yes) => buf.extend_from_slice(&[0x10, u8::from(*yes)]),
            Value::Int(number) => {
                buf.push(0x18);
                put_varint(buf, *number as u64);
            }
            Value::Double(number) => {
                buf.push(0x21);
                buf.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests;
