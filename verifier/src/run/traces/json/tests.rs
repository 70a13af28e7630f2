use super::*;
use crate::run::traces::walk;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue as Any, KeyValue as Pair, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource as Sender;
use opentelemetry_proto::tonic::trace::v1 as proto;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

/// All that a row takes of a span, in words.
fn told(walked: impl FnOnce(&mut dyn FnMut(&[u8], &RawSpan<'_>))) -> Vec<String> {
    let mut all = Vec::new();
    walked(&mut |sender, span| {
        all.push(format!("{:?} {span:?}", String::from_utf8_lossy(sender)));
    });
    all
}

fn pair(key: &str, value: Value) -> Pair {
    Pair {
        key: key.to_owned(),
        value: Some(Any { value: Some(value) }),
        ..Pair::default()
    }
}

fn attributes() -> impl Strategy<Value = Vec<Pair>> {
    let key = prop_oneof![
        Just("http.response.status_code"),
        Just("http.status_code"),
        Just("error.type"),
        Just("k8s.pod.name"),
        Just("service.name"),
        Just("other")
    ];
    let value = prop_oneof![
        "[ -~é\"\\\\]{0,9}".prop_map(Value::StringValue),
        (0_i64..1000).prop_map(Value::IntValue),
        any::<bool>().prop_map(Value::BoolValue),
    ];
    vec((key, value).prop_map(|(key, value)| pair(key, value)), 0..4).prop_map(|pairs| {
        // A key twice is outside the specification, and the two formats may then differ.
        let mut known = Vec::new();
        let new = |pair: &Pair| {
            let new = !known.contains(&pair.key);
            known.push(pair.key.clone());
            new
        };
        pairs.into_iter().filter(new).collect()
    })
}

fn span() -> impl Strategy<Value = proto::Span> {
    let ids = (
        vec(any::<u8>(), 16),
        vec(any::<u8>(), 8),
        vec(any::<u8>(), 0..=1),
    );
    let times = (any::<u64>(), any::<u64>());
    (ids, "[ -~é\"]{0,12}", 0..6, times, 0..3, attributes()).prop_map(
        |((trace_id, span_id, parent), name, kind, (start, end), code, attributes)| proto::Span {
            trace_id,
            parent_span_id: parent.first().map_or(vec![], |byte| vec![*byte; 8]),
            span_id,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            status: (code > 0).then(|| proto::Status {
                message: "told".to_owned(),
                code,
            }),
            ..proto::Span::default()
        },
    )
}

proptest! {
    /// What the kept crate writes as JSON gives what the protobuf of the same spans gives.
    #[test]
    fn json_tells_what_protobuf_tells(spans in vec(span(), 0..5), resource in attributes()) {
        let request = ExportTraceServiceRequest {
            resource_spans: vec![proto::ResourceSpans {
                resource: Some(Sender { attributes: resource, ..Sender::default() }),
                scope_spans: vec![proto::ScopeSpans { spans, ..proto::ScopeSpans::default() }],
                ..proto::ResourceSpans::default()
            }],
        };
        let json = serde_json::to_vec(&request).unwrap();
        let message = request.encode_to_vec();
        let of_json = told(|give| walk_json(&json, give).unwrap());
        prop_assert_eq!(of_json, told(|give| walk(&message, give).unwrap()));
    }

    #[test]
    fn nothing_makes_it_panic(text in "[\\[\\]{}\":,a-zA-Z0-9]{0,80}") {
        let _ = walk_json(text.as_bytes(), |_, _| {});
    }
}

#[test]
fn numbers_and_enums_come_as_text_too() {
    let json = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"XX","kind":"SPAN_KIND_SERVER","startTimeUnixNano":7,"endTimeUnixNano":"18446744073709551615","status":{"code":"STATUS_CODE_ERROR"},"attributes":[{"key":"http.response.status_code","value":{"intValue":"503"}}],"events":[{"name":"x"}]}]}]}]}"#;
    let mut seen = 0;
    walk_json(json, |sender, span| {
        seen += 1;
        assert!(sender.is_empty() && span.span_id.is_empty());
        assert_eq!((span.kind, span.status, span.http_status), (2, 2, 503));
        assert_eq!((span.start_unix_ns, span.end_unix_ns), (7, u64::MAX));
        assert_eq!(span.trace_id[15], 16);
    })
    .unwrap();
    assert_eq!(seen, 1);
    assert!(walk_json(b"{\"resourceSpans\":[{", |_, _| {}).is_err());
    let nulls = br#"{"resourceSpans":[{"resource":null,"scopeSpans":[{"spans":[{"status":null,"kind":null,"name":null,"attributes":null}]}]}]}"#;
    walk_json(nulls, |_, span| assert_eq!(*span, RawSpan::default())).unwrap();
}
