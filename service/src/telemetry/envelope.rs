//! What surrounds spans in an `ExportTraceServiceRequest`, encoded once: resource and scopes in,
//! the pieces of a request out. Span bytes are never copied or looked at again.

use bytes::Bytes;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;

use super::wire::{field_len, key_value_len, put_head, put_key_value, put_text, text_len};

/// The resource of this process as the leading bytes of a `ResourceSpans` message.
#[derive(Debug)]
pub(super) struct ResourceHead(Vec<u8>);

impl ResourceHead {
    pub(super) fn new(resource: &Resource) -> ResourceHead {
        let mut content = Vec::new();
        for (key, value) in resource {
            put_key_value(&mut content, 1, key.as_str(), value);
        }
        let mut head = Vec::new();
        put_head(&mut head, 1, content.len());
        head.extend_from_slice(&content);
        put_text(&mut head, 3, resource.schema_url().unwrap_or_default());
        ResourceHead(head)
    }

    /// As [`ResourceHead::as_bytes`] gave it, in another process.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> ResourceHead {
        ResourceHead(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An instrumentation scope as the leading bytes of a `ScopeSpans` message.
#[derive(Debug)]
pub(super) struct ScopeHead(Vec<u8>);

impl ScopeHead {
    pub(super) fn new(scope: &InstrumentationScope) -> ScopeHead {
        let attributes: Vec<&KeyValue> = scope.attributes().collect();
        let version = scope.version().unwrap_or_default();
        let content = text_len(scope.name())
            + text_len(version)
            + attributes
                .iter()
                .map(|a| field_len(key_value_len(a.key.as_str(), &a.value)))
                .sum::<usize>();
        let mut head = Vec::new();
        put_head(&mut head, 1, content);
        put_text(&mut head, 1, scope.name());
        put_text(&mut head, 2, version);
        for attribute in attributes {
            put_key_value(&mut head, 3, attribute.key.as_str(), &attribute.value);
        }
        // Before the spans though its number is higher: any order is valid, and this one lets the
        // spans be appended as they are.
        put_text(&mut head, 3, scope.schema_url().unwrap_or_default());
        ScopeHead(head)
    }

    /// As [`ScopeHead::as_bytes`] gave it, in another process.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> ScopeHead {
        ScopeHead(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Spans, and what surrounds them.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) resource: &'a ResourceHead,
    pub(super) scope: &'a ScopeHead,
    pub(super) spans: &'a Bytes,
}

/// The pieces of one `ExportTraceServiceRequest`, in order: one `ResourceSpans` per run of parts of
/// one resource, one `ScopeSpans` per part.
pub(super) fn request(parts: &[Part<'_>]) -> Vec<Bytes> {
    let mut head = Vec::with_capacity(1024);
    let mut pieces = Vec::with_capacity(2 * parts.len());
    for parts in parts.chunk_by(|one, next| std::ptr::eq(one.resource, next.resource)) {
        let Some(Part { resource, .. }) = parts.first() else {
            continue;
        };
        let scope_spans = parts
            .iter()
            .map(|part| field_len(part.scope.0.len() + part.spans.len()));
        put_head(&mut head, 1, resource.0.len() + scope_spans.sum::<usize>());
        head.extend_from_slice(&resource.0);
        for Part { scope, spans, .. } in parts {
            put_head(&mut head, 2, scope.0.len() + spans.len());
            head.extend_from_slice(&scope.0);
            pieces.push(Bytes::from(std::mem::take(&mut head)));
            pieces.push((*spans).clone());
        }
    }
    pieces
}
