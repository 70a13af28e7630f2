//! Our bytes against prost's, for any span: equal to the byte, hence field by field.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value::Value as Any},
    trace::v1::{ScopeSpans, Span, Status as WireStatus},
};
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::telemetry::SpanContext;

fn wire(key: &str, value: &Value<'_>) -> KeyValue {
    let value = match value {
        Value::Str(text) => Any::StringValue((*text).to_owned()),
        Value::Int(number) => Any::IntValue(*number),
        Value::Double(number) => Any::DoubleValue(*number),
        Value::Bool(yes) => Any::BoolValue(*yes),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    }
}

fn expected(span: &SpanRecord<'_>) -> Span {
    let remote = matches!(span.kind, Kind::Server) && span.parent_span_id.is_some();
    let (code, message) = match span.status {
        Status::Unset => (0, ""),
        Status::Error(message) => (2, message),
    };
    Span {
        trace_id: span.context.trace_id.to_vec(),
        span_id: span.context.span_id.to_vec(),
        trace_state: span.trace_state.to_owned(),
        parent_span_id: span
            .parent_span_id
            .map(|id| id.to_vec())
            .unwrap_or_default(),
        flags: if remote { 0x301 } else { 0x101 },
        name: span.name.to_owned(),
        kind: span.kind as i32,
        start_time_unix_nano: span.start_unix_ns,
        end_time_unix_nano: span.end_unix_ns,
        attributes: span
            .attributes
            .iter()
            .map(|(key, value)| wire(key, value))
            .collect(),
        status: Some(WireStatus {
            message: message.to_owned(),
            code,
        }),
        ..Span::default()
    }
}

#[derive(Clone, Debug)]
enum Owned {
    Str(String),
    Int(i64),
    Double(f64),
    Bool(bool),
}

fn value() -> impl Strategy<Value = Owned> {
    prop_oneof![
        ".{0,200}".prop_map(Owned::Str),
        any::<i64>().prop_map(Owned::Int),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |n| !n.is_nan())
            .prop_map(Owned::Double),
        any::<bool>().prop_map(Owned::Bool),
    ]
}

proptest! {
    #[test]
    fn every_span_is_written_as_prost_writes_it(
        ids in any::<([u8; 16], [u8; 8], Option<[u8; 8]>)>(),
        trace_state in "[a-z=,]{0,150}",
        name in ".{0,60}",
        server in any::<bool>(),
        times in (1..=u64::MAX, 1..=u64::MAX),
        values in proptest::collection::vec(value(), 0..20),
        error in proptest::option::of(".{0,150}"),
    ) {
        const KEYS: [&str; 4] = ["http.route", "k", "", "iris.prediction.confidence"];
        let attributes: Vec<_> = values.iter().enumerate().map(|(n, value)| (KEYS[n % 4], match value {
            Owned::Str(text) => Value::Str(text),
            Owned::Int(number) => Value::Int(*number),
            Owned::Double(number) => Value::Double(*number),
            Owned::Bool(yes) => Value::Bool(*yes),
        })).collect();
        let span = SpanRecord {
            context: SpanContext { trace_id: ids.0, span_id: ids.1 },
            parent_span_id: ids.2,
            trace_state: &trace_state,
            name: &name,
            kind: if server { Kind::Server } else { Kind::Internal },
            start_unix_ns: times.0,
            end_unix_ns: times.1,
            attributes: &attributes,
            status: error.as_deref().map_or(Status::Unset, Status::Error),
        };
        let mut bytes = Vec::new();
        // However many of the attributes are encoded beforehand, the bytes are the same.
        let (first, rest) = attributes.split_at(attributes.len() / 2);
        let first = EncodedAttributes::new(first);
        let part = SpanRecord { attributes: rest, ..span };
        put_span(&mut bytes, &part, first.as_bytes(), span_len(&part, first.as_bytes()));
        let expected = expected(&span);
        prop_assert_eq!(ScopeSpans::decode(&*bytes).unwrap().spans, vec![expected.clone()]);
        let prost = ScopeSpans { spans: vec![expected], ..ScopeSpans::default() }.encode_to_vec();
        prop_assert_eq!(bytes, prost);
    }
}
