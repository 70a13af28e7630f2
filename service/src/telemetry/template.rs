//! A span that is like many others, encoded once: of each, only ids, times and one number differ, and
//! they are as long in every one, so that a copy and a few stores encode it.

use super::{
    EncodedAttributes, encode,
    span::{SpanContext, SpanRecord, Value},
    wire::{field_len, text_len},
};

/// How one of the like spans differs from the others.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// Who it is.
    pub context: SpanContext,
    /// Its parent's span id; whether there is one is the same in all of them.
    pub parent_span_id: Option<[u8; 8]>,
    /// Unix nanoseconds.
    pub start_unix_ns: u64,
    /// Unix nanoseconds.
    pub end_unix_ns: u64,
    /// Value of the last attribute, if that is a floating-point number.
    pub last: Option<f64>,
}

/// The bytes that they share, and the places of those that they do not.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    trace_id_at: usize,
    has_parent: bool,
    start_at: usize,
    /// Where the last attribute's value is, if that is a floating-point number.
    last_at: Option<usize>,
}

impl Template {
    /// Of spans that are like this one, which has no trace state. The shared attributes stand before
    /// its own.
    pub fn new(span: &SpanRecord<'_>, shared: &EncodedAttributes) -> Template {
        debug_assert!(span.trace_state.is_empty(), "it would shift what follows");
        let before = shared.as_bytes();
        let content = encode::span_len(span, before);
        let mut bytes = Vec::with_capacity(field_len(content));
        encode::put_span(&mut bytes, span, before, content);
        let has_parent = span.parent_span_id.is_some();
        // Field heads of one byte, then a byte of length or none: see `encode::Head`.
        let trace_id_at = bytes.len() - content + 2;
        let parent = if has_parent { 10 } else { 0 };
        let has_last = matches!(span.attributes.last(), Some((_, Value::Double(_))));
        let last_at = bytes.len() - encode::tail_len(span) - 8;
        Template {
            trace_id_at,
            has_parent,
            start_at: trace_id_at + 16 + 10 + parent + text_len(span.name) + 2 + 1,
            last_at: has_last.then_some(last_at),
            bytes,
        }
    }

    /// Whether its spans have a parent.
    pub fn has_parent(&self) -> bool {
        self.has_parent
    }

    /// Appends the span as one element of `ScopeSpans.spans`.
    pub(super) fn put(&self, buf: &mut Vec<u8>, stamp: &Stamp) {
        debug_assert_eq!(self.has_parent, stamp.parent_span_id.is_some());
        debug_assert_eq!(self.last_at.is_some(), stamp.last.is_some());
        let start = buf.len();
        buf.extend_from_slice(&self.bytes);
        let span = &mut buf[start..];
        let ids = &mut span[self.trace_id_at..][..36];
        ids[..16].copy_from_slice(&stamp.context.trace_id);
        ids[18..26].copy_from_slice(&stamp.context.span_id);
        if let Some(parent) = stamp.parent_span_id.filter(|_| self.has_parent) {
            ids[28..].copy_from_slice(&parent);
        }
        let times = &mut span[self.start_at..][..17];
        times[..8].copy_from_slice(&stamp.start_unix_ns.max(1).to_le_bytes());
        times[9..].copy_from_slice(&stamp.end_unix_ns.max(1).to_le_bytes());
        if let (Some(at), Some(last)) = (self.last_at, stamp.last) {
            span[at..][..8].copy_from_slice(&last.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::{Attribute, Kind, Status};

    fn encoded(span: &SpanRecord<'_>, shared: &EncodedAttributes) -> Vec<u8> {
        let mut bytes = Vec::new();
        let content = encode::span_len(span, shared.as_bytes());
        encode::put_span(&mut bytes, span, shared.as_bytes(), content);
        bytes
    }

    proptest! {
        #[test]
        fn a_stamped_template_is_the_span_encoded(
            name in "[a-z /]{0,200}", text in ".{0,200}", trace_id: [u8; 16], span_id: [u8; 8],
            parent: Option<[u8; 8]>, times: [u64; 2], last: Option<f64>, server: bool
        ) {
            let own = [("iris.prediction.confidence", Value::Double(0.0))];
            let with = |value| [("iris.prediction.confidence", Value::Double(value))];
            let stamped = last.map(with);
            let shared = EncodedAttributes::new(&[("some.text", Value::Str(&text))]);
            let span = |context, parent_span_id, [start_unix_ns, end_unix_ns]: [u64; 2], attributes| SpanRecord {
                context, parent_span_id, trace_state: "", name: &name, start_unix_ns, end_unix_ns, attributes,
                kind: if server { Kind::Server } else { Kind::Internal },
                status: Status::Unset,
            };
            let nobody = SpanContext { trace_id: [0; 16], span_id: [0; 8] };
            let like: &[Attribute<'_>] = if last.is_some() { &own } else { &[] };
            let template = Template::new(&span(nobody, parent.map(|_| [0; 8]), [0; 2], like), &shared);
            let context = SpanContext { trace_id, span_id };
            let mut bytes = Vec::new();
            let [start_unix_ns, end_unix_ns] = times;
            template.put(&mut bytes, &Stamp { context, parent_span_id: parent, start_unix_ns, end_unix_ns, last });
            let attributes = stamped.as_ref().map_or(&[][..], |own| own);
            prop_assert_eq!(bytes, encoded(&span(context, parent, times, attributes), &shared));
        }
    }
}
