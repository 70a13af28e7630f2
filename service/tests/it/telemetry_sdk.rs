//! The SDK's spans go the same way, and arrive exactly as OpenTelemetry's own exporter sends them.

use iris_prediction_api::telemetry::{Protocol, Telemetry};
use opentelemetry::{
    Array, InstrumentationScope, KeyValue, StringValue, Value,
    trace::{Span as _, SpanKind, Status, Tracer, TracerProvider},
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tracing_subscriber::layer::SubscriberExt;

use crate::{sink::Sink, telemetry_delivery::LONG};

#[test]
fn a_span_with_everything_arrives_as_the_sdk_describes_it() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
    let scope = InstrumentationScope::builder("training")
        .with_version("2")
        .with_schema_url("https://example.org/schema")
        .with_attributes([KeyValue::new("scope.key", true)])
        .build();
    let tracer = telemetry.tracer_provider().tracer_with_scope(scope);
    let linked = tracer.start("linked").span_context().clone();
    let mut span = tracer
        .span_builder("train")
        .with_kind(SpanKind::Producer)
        .with_attributes([
            KeyValue::new("accuracy", 0.97),
            KeyValue::new("folds", 5),
            KeyValue::new("zero", 0),
            KeyValue::new("negative", -1),
            KeyValue::new("empty", ""),
            KeyValue::new("converged", false),
            KeyValue::new("bools", Value::Array(Array::Bool(vec![true, false]))),
            KeyValue::new("ints", Value::Array(Array::I64(vec![1, -1]))),
            KeyValue::new("doubles", Value::Array(Array::F64(vec![]))),
            KeyValue::new(
                "classes",
                Value::Array(Array::String(vec![
                    StringValue::from("setosa"),
                    StringValue::from(""),
                ])),
            ),
        ])
        .start(&tracer);
    span.add_event("fold", vec![KeyValue::new("n", 1)]);
    span.add_link(linked, vec![KeyValue::new("why", "same data")]);
    for n in 0..200 {
        span.set_attribute(KeyValue::new("many", n));
        span.add_event("many", vec![]);
    }
    span.set_status(Status::error("did not converge"));
    let expected = Span::from(span.exported_data().unwrap());
    span.end();
    let books = telemetry.shutdown(LONG);
    assert_eq!((books.started, books.acknowledged), (2, 2));

    let mut received = sink
        .spans()
        .into_iter()
        .find(|span| span.name == "train")
        .unwrap();
    // The end was not yet known when the expectation was written down.
    received.end_time_unix_nano = expected.end_time_unix_nano;
    assert!(received.dropped_attributes_count > 0 && received.dropped_events_count > 0);
    assert_eq!(received, expected);
    let scope = &sink.resource_spans()[0].scope_spans[0];
    assert_eq!(scope.schema_url, "https://example.org/schema");
    assert_eq!(scope.scope.as_ref().unwrap().attributes[0].key, "scope.key");
}

#[test]
fn spans_of_tracing_go_the_same_way() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::HttpProtobuf)).unwrap();
    let layer =
        tracing_opentelemetry::layer().with_tracer(telemetry.tracer_provider().tracer("start-up"));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let outer = tracing::info_span!("load_model", version = "1");
        outer.in_scope(|| tracing::info_span!("predict_known_flower").in_scope(|| ()));
    });
    assert_eq!(telemetry.shutdown(LONG).acknowledged, 2);
    let spans = sink.spans();
    let outer = spans.iter().find(|span| span.name == "load_model").unwrap();
    let inner = spans
        .iter()
        .find(|span| span.name == "predict_known_flower")
        .unwrap();
    assert_eq!(inner.parent_span_id, outer.span_id);
}
