//! prost is the oracle: what it sees in the bytes of a request, the lean walk sees.

use super::*;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue as Any, ArrayValue, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use prost::encoding::encode_varint;

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,8}".prop_map(Value::StringValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<f64>().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..8).prop_map(Value::BytesValue),
        Just(Value::ArrayValue(ArrayValue {
            values: vec![Any {
                value: Some(Value::IntValue(7))
            }]
        })),
        Just(Value::StringValueStrindex(3)),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        Just("http.response.status_code".to_owned()),
        Just("http.status_code".to_owned()),
        Just("error.type".to_owned()),
        Just("service.name".to_owned()),
        Just("service.instance.id".to_owned()),
        Just("k8s.pod.name".to_owned()),
        "[a-z.]{0,12}",
    ];
    vec((key, any_value()), 0..5).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(key, value)| KeyValue {
                key,
                value: Some(Any { value: Some(value) }),
                ..KeyValue::default()
            })
            .collect()
    })
}

prop_compose! {
    fn span()(
        trace_id in vec(any::<u8>(), 0..20), span_id in vec(any::<u8>(), 0..10), parent in vec(any::<u8>(), 0..10),
        name in ".{0,12}", kind: i32, start: u64, end: u64, attributes in attributes(),
        status in proptest::option::of((".{0,6}", any::<i32>())), dropped: u32, event in proptest::option::of(".{0,6}"),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id: parent, name, kind, start_time_unix_nano: start, end_time_unix_nano: end,
            attributes, dropped_attributes_count: dropped, flags: 0x101, trace_state: "a=b".into(),
            events: event.map(|name| Event { name, ..Event::default() }).into_iter().collect(),
            status: status.map(|(message, code)| Status { message, code }), ..Span::default()
        }
    }
}

prop_compose! {
    fn request()(groups in vec((proptest::option::of(attributes()), vec(span(), 0..4)), 0..4)) -> ExportTraceServiceRequest {
        let resource_spans = groups.into_iter().map(|(resource, spans)| ResourceSpans {
            resource: resource.map(|attributes| Resource { attributes, ..Resource::default() }),
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            schema_url: "https://opentelemetry.io/schemas/1.40.0".into(),
        }).collect();
        ExportTraceServiceRequest { resource_spans }
    }
}

fn last_text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let mut texts = attributes.iter().filter(|a| a.key == key).filter_map(|a| {
        match a.value.as_ref()?.value.as_ref()? {
            Value::StringValue(text) => Some(text.as_str()),
            _ => None,
        }
    });
    texts.next_back().unwrap_or("")
}

fn last_int(attributes: &[KeyValue], key: &str) -> Option<u64> {
    let mut ints = attributes.iter().filter(|a| a.key == key).filter_map(|a| {
        match a.value.as_ref()?.value.as_ref()? {
            Value::IntValue(int) => Some(int.cast_unsigned()),
            _ => None,
        }
    });
    ints.next_back()
}

fn assert_same(request: &ExportTraceServiceRequest, bytes: &[u8]) {
    let mut expected = Vec::new();
    for group in &request.resource_spans {
        let attributes = group.resource.as_ref().map_or(&[][..], |r| &r.attributes);
        let sender = ["k8s.pod.name", "service.instance.id", "service.name"]
            .iter()
            .map(|key| last_text(attributes, key))
            .find(|text| !text.is_empty())
            .unwrap_or("");
        for span in group.scope_spans.iter().flat_map(|s| &s.spans) {
            expected.push((
                sender.as_bytes(),
                RawSpan {
                    trace_id: &span.trace_id,
                    span_id: &span.span_id,
                    parent_span_id: &span.parent_span_id,
                    name: span.name.as_bytes(),
                    kind: span.kind,
                    start_unix_ns: span.start_time_unix_nano,
                    end_unix_ns: span.end_time_unix_nano,
                    status: span.status.as_ref().map_or(0, |s| s.code),
                    status_message: span.status.as_ref().map_or(b"", |s| s.message.as_bytes()),
                    http_status: last_int(&span.attributes, "http.response.status_code")
                        .or(last_int(&span.attributes, "http.status_code"))
                        .unwrap_or(0),
                    error_type: last_text(&span.attributes, "error.type").as_bytes(),
                },
            ));
        }
    }
    let mut seen = Vec::new();
    walk(bytes, |sender, span| seen.push((sender, *span))).unwrap();
    assert_eq!(seen, expected);
}

proptest! {
    #[test]
    fn sees_what_prost_sees(request in request()) {
        assert_same(&request, &request.encode_to_vec());
    }

    #[test]
    fn a_resource_behind_its_spans_counts(resource in attributes(), span in span()) {
        let resource = ResourceSpans { resource: Some(Resource { attributes: resource, ..Resource::default() }), ..ResourceSpans::default() };
        let spans = ResourceSpans { scope_spans: vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }], ..ResourceSpans::default() };
        // Messages concatenate: the parts of one ResourceSpans in the order given.
        let inner = [spans.encode_to_vec(), resource.encode_to_vec()].concat();
        let bytes = delimited(1, &inner);
        let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        assert_same(&request, &bytes);
    }

    /// Unknown fields of every wire type, known ones twice and in any order.
    #[test]
    fn fields_of_other_versions_are_skipped_and_the_last_of_one_counts(
        parts in vec(prop_oneof![
            span().prop_map(|span| span.encode_to_vec()),
            (17_u32..1 << 29, any::<u64>()).prop_map(|(field, value)| key(field, 0, |out| encode_varint(value, out))),
            (17_u32..1 << 29, any::<u64>()).prop_map(|(field, value)| key(field, 1, |out| out.extend(value.to_le_bytes()))),
            (17_u32..1 << 29, vec(any::<u8>(), 0..200)).prop_map(|(field, bytes)| delimited(field, &bytes)),
            (17_u32..1 << 29, any::<u32>()).prop_map(|(field, value)| key(field, 5, |out| out.extend(value.to_le_bytes()))),
            (17_u32..1 << 29, 1_u32..4).prop_map(|(field, depth)| group(field, depth)),
        ], 1..6),
    ) {
        let bytes = delimited(1, &delimited(2, &delimited(2, &parts.concat())));
        let request = ExportTraceServiceRequest::decode(&bytes[..]).unwrap();
        assert_same(&request, &bytes);
    }

    #[test]
    fn damage_never_panics_and_what_prost_still_reads_is_the_same(
        request in request(), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3), cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = request.encode_to_vec();
        if !bytes.is_empty() {
            for (at, byte) in damage {
                let index = at.index(bytes.len());
                bytes[index] = byte;
            }
            bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len()) + 1));
        }
        // Where prost refuses, we may not: we skip what it reads (events, links, UTF-8).
        match ExportTraceServiceRequest::decode(&bytes[..]) {
            Ok(request) => assert_same(&request, &bytes),
            Err(_) => drop(walk(&bytes, |_, _| {})),
        }
    }

    #[test]
    fn noise_never_panics_and_what_prost_reads_is_the_same(bytes in vec(any::<u8>(), 0..300)) {
        match ExportTraceServiceRequest::decode(&bytes[..]) {
            Ok(request) => assert_same(&request, &bytes),
            Err(_) => drop(walk(&bytes, |_, _| {})),
        }
    }
}

fn key(field: u32, kind: u32, value: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(u64::from(field << 3 | kind), &mut out);
    value(&mut out);
    out
}

fn delimited(field: u32, bytes: &[u8]) -> Vec<u8> {
    key(field, 2, |out| {
        encode_varint(bytes.len() as u64, out);
        out.extend(bytes);
    })
}

fn group(field: u32, depth: u32) -> Vec<u8> {
    let inner = if depth > 1 {
        group(field + 1, depth - 1)
    } else {
        key(3, 0, |out| out.push(1))
    };
    [key(field, 3, |_| {}), inner, key(field, 4, |_| {})].concat()
}

#[test]
fn groups_end_where_they_began_and_are_not_followed_without_end() {
    let read = |bytes: &[u8]| walk(bytes, |_, _| {}).is_ok();
    assert!(read(&group(50, 90)));
    for bytes in [
        group(50, 101),
        key(50, 3, |_| {}).repeat(1 << 20),
        key(50, 3, |_| {}),
        key(50, 4, |_| {}),
        [key(50, 3, |_| {}), key(51, 4, |_| {})].concat(),
        [key(1, 3, |_| {}), key(1, 4, |_| {})].concat(),
    ] {
        assert!(!read(&bytes) && ExportTraceServiceRequest::decode(&bytes[..]).is_err());
    }
}
