//! Client spans in, an `ExportTraceServiceRequest` out, and what its answer says.
//!
//! Field numbers: opentelemetry-proto v1.10, `trace/v1/trace.proto` and `collector/trace/v1/trace_service.proto`.

use crate::record::ClientSpan;
use crate::record::client_span::KIND_CLIENT;
use crate::record::span::STATUS_ERROR;
use anyhow::{Context, Result};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

/// The message of these spans, each with its name.
pub(super) fn request(spans: &[(&str, ClientSpan)]) -> Vec<u8> {
    let text = |text: &str| Value::Text(text.to_owned());
    let attributes = vec![
        attribute("service.name", text("verifier")),
        attribute("service.version", text(env!("CARGO_PKG_VERSION"))),
    ];
    let spans = spans.iter().map(|(name, span)| {
        let mut attributes = Vec::new();
        if span.http_status > 0 {
            let status = Value::Number(i64::from(span.http_status));
            attributes.push(attribute("http.response.status_code", status));
        }
        if let Some(error_type) = &span.error_type {
            attributes.push(attribute("error.type", text(error_type)));
        }
        let code = i32::from(STATUS_ERROR);
        Span {
            trace_id: span.trace_id.to_vec(),
            span_id: span.span_id.to_vec(),
            name: (*name).to_owned(),
            kind: i32::from(KIND_CLIENT),
            start_time_unix_nano: span.start_unix_ns,
            end_time_unix_nano: span.end_unix_ns,
            attributes,
            status: span.error_type.as_ref().map(|_| Status { code }),
        }
    });
    let scope_spans = vec![ScopeSpans {
        spans: spans.collect(),
    }];
    let resource = Some(Resource { attributes });
    let resource_spans = vec![ResourceSpans {
        resource,
        scope_spans,
    }];
    Request { resource_spans }.encode_to_vec()
}

/// How many spans an answer of success says were rejected all the same, and why.
///
/// # Errors
/// When it is no answer of an OTLP receiver.
pub(super) fn rejected(answer: &[u8]) -> Result<Option<(u64, String)>> {
    let answer = Response::decode(answer).context("the answer is not one of an OTLP receiver")?;
    let rejected = answer
        .partial_success
        .filter(|part| part.rejected_spans > 0);
    Ok(rejected.map(|part| (part.rejected_spans.unsigned_abs(), part.error_message)))
}
