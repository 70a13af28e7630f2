//! Our bytes against those of `opentelemetry-proto`, for any span of the SDK.

use opentelemetry::{
    InstrumentationScope, StringValue, TraceFlags, TraceId,
    trace::{Status as SdkStatus, TraceState},
};
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
use proptest::{collection::vec, prelude::*};
use prost::Message;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan());
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        number.prop_map(Value::F64),
        ".{0,150}".prop_map(|text| Value::String(text.into())),
        vec(any::<bool>(), 0..4).prop_map(|all| Value::Array(Array::Bool(all))),
        vec(any::<i64>(), 0..40).prop_map(|all| Value::Array(Array::I64(all))),
        vec(-1e9..1e9_f64, 0..4).prop_map(|all| Value::Array(Array::F64(all))),
        vec(".{0,9}".prop_map(StringValue::from), 0..4)
            .prop_map(|all| Value::Array(Array::String(all))),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(
        ("[a-z.]{0,20}", value()).prop_map(|(key, value)| KeyValue::new(key, value)),
        0..6,
    )
}

fn context() -> impl Strategy<Value = SpanContext> {
    (
        1..=u128::MAX,
        1..=u64::MAX,
        any::<u8>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(trace, span, flags, remote, stateful)| {
            let state = if stateful {
                "a=1,b@c=2".parse().unwrap()
            } else {
                TraceState::NONE
            };
            let (trace, span) = (TraceId::from(trace), SpanId::from(span));
            SpanContext::new(trace, span, TraceFlags::new(flags), remote, state)
        })
}

fn time() -> impl Strategy<Value = SystemTime> {
    (1..=4_000_000_000_000_000_000_u64).prop_map(|ns| UNIX_EPOCH + Duration::from_nanos(ns))
}

fn event() -> impl Strategy<Value = Event> {
    (".{0,20}", time(), attributes(), 0..3_u32)
        .prop_map(|(name, time, attributes, dropped)| Event::new(name, time, attributes, dropped))
}

fn link() -> impl Strategy<Value = Link> {
    (context(), attributes(), 0..3_u32)
        .prop_map(|(to, attributes, dropped)| Link::new(to, attributes, dropped))
}

fn status() -> impl Strategy<Value = SdkStatus> {
    prop_oneof![
        Just(SdkStatus::Unset),
        Just(SdkStatus::Ok),
        ".{0,150}".prop_map(SdkStatus::error)
    ]
}

fn kind() -> impl Strategy<Value = SpanKind> {
    prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer)
    ]
}

proptest! {
    #[test]
    fn every_span_of_the_sdk_is_written_as_its_own_exporter_writes_it(
        ids in (context(), any::<u64>(), any::<bool>()),
        (kind, name, status) in (kind(), ".{0,150}", status()),
        times in (time(), time()),
        attributes in attributes(),
        dropped in any::<(u32, u8, u8)>(),
        events in vec(event(), 0..4),
        links in vec(link(), 0..4),
    ) {
        let mut all_events = SpanEvents::default();
        all_events.events = events;
        all_events.dropped_count = dropped.1.into();
        let mut all_links = SpanLinks::default();
        all_links.links = links;
        all_links.dropped_count = dropped.2.into();
        let span = SpanData {
            span_context: ids.0,
            parent_span_id: SpanId::from(ids.1),
            parent_span_is_remote: ids.2,
            span_kind: kind,
            name: name.into(),
            start_time: times.0,
            end_time: times.1,
            attributes,
            dropped_attributes_count: dropped.0,
            events: all_events,
            links: all_links,
            status,
            instrumentation_scope: InstrumentationScope::default(),
        };
        let trace_state = span.span_context.trace_state().header();
        let encoder = Encoder::new(&span, &trace_state);
        let mut bytes = Vec::new();
        encoder.put(&mut bytes);
        prop_assert_eq!(bytes.len(), encoder.len());
        let expected = WireSpan::from(span.clone());
        prop_assert_eq!(WireSpan::decode(&*bytes).unwrap(), expected.clone());
        prop_assert_eq!(bytes, expected.encode_to_vec());
    }
}
