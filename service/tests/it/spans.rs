//! The children of a request's server span: what they say, and that they hang where they belong.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use iris_prediction_api::http::trace::{Peer, Trace, TraceOptions};
use iris_prediction_api::http::{AppState, router, routes::route_of};
use iris_prediction_api::model::Model;
use iris_prediction_api::predict::{Limits, Predictor};
use iris_prediction_api::telemetry::{Protocol, Telemetry};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tower::ServiceExt as _;

use super::{SETOSA, sink::Sink, telemetry_delivery::LONG};

/// The spans that one request leaves: server span, data_preparation, model_inference.
struct Trace3 {
    server: Span,
    preparation: Option<Span>,
    inference: Option<Span>,
}

fn trace_of(path: &str, body: &str) -> Trace3 {
    trace_below(&[], path, body)
}

/// The same for a caller that sends these headers.
fn trace_below(headers: &[(&str, &str)], path: &str, body: &str) -> Trace3 {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::HttpProtobuf)).unwrap();
    let predictor = Predictor::new(
        Model::built_in().unwrap(),
        telemetry.recorder(),
        Limits::default(),
    );
    let state = AppState::new(predictor);
    let options = TraceOptions {
        route_of,
        propagate: true,
        trace_probes: false,
        trust_forwarded: false,
    };
    let trace = Arc::new(Trace::new(telemetry.recorder(), options, state.metrics));
    let request = headers
        .iter()
        .fold(Request::post(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    let request = request
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let peer = Peer::from(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
        let next = |request| async { answer(state, request).await };
        let response = trace.serve(&peer, request, next).await;
        response.into_body().collect().await.unwrap();
    });
    telemetry.shutdown(LONG);
    let mut spans = sink.spans();
    let mut take = |name: &str| {
        let place = spans.iter().position(|span| span.name == name)?;
        Some(spans.remove(place))
    };
    let (preparation, inference) = (take("data_preparation"), take("model_inference"));
    let [server] = <[Span; 1]>::try_from(spans).unwrap();
    for child in [&preparation, &inference].into_iter().flatten() {
        assert_eq!(
            (&child.trace_id, &child.parent_span_id),
            (&server.trace_id, &server.span_id)
        );
        assert!(server.start_time_unix_nano <= child.start_time_unix_nano);
        assert!(child.start_time_unix_nano <= child.end_time_unix_nano);
        assert!(child.end_time_unix_nano <= server.end_time_unix_nano);
        assert_eq!(child.kind, 1);
        assert_eq!(child.trace_state, server.trace_state);
    }
    Trace3 {
        server,
        preparation,
        inference,
    }
}

async fn answer(state: AppState, request: Request<Body>) -> Response<Body> {
    router(state).oneshot(request).await.unwrap()
}

/// Attributes and status, for a snapshot.
fn shown(span: &Span) -> String {
    let attribute = |key: &str, value: &Option<Value>| match value {
        Some(Value::StringValue(text)) => format!("{key}={text:?}"),
        Some(Value::IntValue(number)) => format!("{key}={number}"),
        Some(Value::DoubleValue(number)) => format!("{key}={number:.6}"),
        other => panic!("{key}={other:?}"),
    };
    let attributes = span
        .attributes
        .iter()
        .map(|a| attribute(&a.key, &a.value.as_ref().unwrap().value));
    let mut lines: Vec<String> = attributes.collect();
    if let Some(status) = span.status.as_ref().filter(|status| status.code != 0) {
        lines.push(format!("status {} {:?}", status.code, status.message));
    }
    let version = Model::built_in().unwrap().version().to_owned();
    lines.join("\n").replace(&version, "<model version>")
}

#[test]
fn a_prediction_leaves_both_steps() {
    let trace = trace_of("/predict", SETOSA);
    let (preparation, inference) = (trace.preparation.unwrap(), trace.inference.unwrap());
    assert_eq!(trace.server.name, "POST /predict");
    assert_ne!(preparation.span_id, inference.span_id);
    assert!(preparation.end_time_unix_nano <= inference.start_time_unix_nano);
    insta::assert_snapshot!(shown(&preparation), @"iris.batch.size=1");
    insta::assert_snapshot!(shown(&inference), @r#"
    iris.model.version="<model version>"
    iris.prediction.class="setosa"
    iris.batch.size=1
    iris.prediction.confidence=0.998236
    "#);
}

#[test]
fn the_callers_trace_state_stands_in_every_span() {
    let caller = [
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("tracestate", "vendor=a:1,other=2"),
    ];
    let trace = trace_below(&caller, "/predict", SETOSA);
    for span in [trace.preparation.unwrap(), trace.inference.unwrap()] {
        assert_eq!(span.trace_state, "vendor=a:1,other=2");
    }
    // Without a parent there is nothing that a state could belong to.
    let orphan = trace_below(&caller[1..], "/predict", SETOSA);
    assert_eq!(orphan.inference.unwrap().trace_state, "");
}

#[test]
fn a_batch_leaves_one_inference() {
    let trace = trace_of(
        "/predict/batch",
        &format!("{{\"instances\":[{SETOSA},{SETOSA}]}}"),
    );
    assert_eq!(trace.server.name, "POST /predict/batch");
    insta::assert_snapshot!(shown(&trace.preparation.unwrap()), @"iris.batch.size=2");
    insta::assert_snapshot!(shown(&trace.inference.unwrap()), @r#"
    iris.model.version="<model version>"
    iris.prediction.least_confidence=0.998236
    iris.batch.size=2
    "#);
}

#[test]
fn a_tensor_leaves_both_steps() {
    let body =
        r#"{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[5.1,3.5,1.4,0.2]}]}"#;
    let trace = trace_of("/v2/models/iris/infer", body);
    assert_eq!(trace.server.name, "POST /v2/models/{model}/infer");
    assert!(trace.preparation.is_some() && trace.inference.is_some());
}

#[test]
fn an_input_outside_the_training_range_is_marked() {
    let trace = trace_of("/predict", &SETOSA.replace("5.1", "50").replace("0.2", "9"));
    insta::assert_snapshot!(shown(&trace.preparation.unwrap()), @r#"
    iris.batch.size=1
    iris.input.out_of_range="sepal_length,petal_width"
    "#);
    assert!(trace.inference.is_some());
}

#[test]
fn a_bad_input_says_which_field_and_leaves_no_inference() {
    let trace = trace_of(
        "/predict",
        r#"{"sepal_length":5.1,"sepal_width":"secret","petal_length":-1}"#,
    );
    assert!(trace.inference.is_none());
    let preparation = shown(&trace.preparation.unwrap());
    insta::assert_snapshot!(preparation, @r#"
    error.type="float_type"
    iris.invalid_fields="sepal_width,petal_length,petal_width"
    status 2 "sepal_width: Input should be a valid number; petal_length: Input should be greater than or equal to 0; petal_width: Field required"
    "#);
    assert!(!preparation.contains("secret"), "a body is never recorded");
    // 4xx: the server did its work, so its own span carries no error.
    assert_eq!(trace.server.status.map_or(0, |status| status.code), 0);
}

#[test]
fn what_is_refused_before_its_body_is_read_leaves_only_the_server_span() {
    let trace = trace_of("/predict/nothing", SETOSA);
    assert!(trace.preparation.is_none() && trace.inference.is_none());
    assert_eq!(trace.server.name, "POST");
}
