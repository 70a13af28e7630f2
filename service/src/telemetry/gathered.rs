//! One request's spans, encoded as they end and put on their way together: one lock and one copy for
//! all of them, where the request is answered without ever waiting.

use super::{EncodedAttributes, Stamp, Template, encode, span::SpanRecord};

/// Encoded spans, each as one element of `ScopeSpans.spans`, that nobody has counted yet.
#[derive(Debug, Default)]
pub struct Gathered {
    bytes: Vec<u8>,
    spans: u64,
}

impl Gathered {
    /// Adds one ended span, the shared attributes before its own.
    pub fn add(&mut self, span: &SpanRecord<'_>, shared: &EncodedAttributes) {
        let before = shared.as_bytes();
        let content = encode::span_len(span, before);
        encode::put_span(&mut self.bytes, span, before, content);
        self.spans += 1;
    }

    /// Adds one ended span that is like many others.
    pub fn add_like(&mut self, template: &Template, stamp: &Stamp) {
        template.put(&mut self.bytes, stamp);
        self.spans += 1;
    }

    /// Makes it fit for the next request; the memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn spans(&self) -> u64 {
        self.spans
    }
}
