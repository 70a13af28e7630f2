//! `/metrics`: counted per thread, summed on a scrape.

use super::{SETOSA, router, send, state};
use axum::body::Body;
use http::{Request, header};
use iris_prediction_api::http::AppState;
use iris_prediction_api::http::trace::Observe as _;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::{MetricType, counter::ConstCounter};
use std::time::Duration;

async fn scrape(state: AppState) -> String {
    let answer = send(
        router(state),
        Request::get("/metrics").body(Body::empty()).unwrap(),
    )
    .await;
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    answer.text().to_owned()
}

/// The value of the sample with this name and labels.
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find(|line| {
        line.strip_prefix(sample)
            .is_some_and(|rest| rest.starts_with(' '))
    });
    let line = line.unwrap_or_else(|| panic!("no {sample} in\n{text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn predictions_are_counted_by_class_and_failures_are_not() {
    let state = state();
    let batch = format!("{{\"instances\":[{SETOSA},{SETOSA}]}}");
    for (path, body) in [
        ("/predict", SETOSA),
        ("/predict/batch", batch.as_str()),
        ("/predict", "{}"),
    ] {
        send(
            router(state),
            Request::post(path)
                .body(Body::from(body.to_owned()))
                .unwrap(),
        )
        .await;
    }
    let text = scrape(state).await;
    assert_eq!(
        value(&text, "iris_predictions_total{class=\"setosa\"}"),
        3.0
    );
    assert_eq!(
        value(&text, "iris_predictions_total{class=\"virginica\"}"),
        0.0
    );
}

#[tokio::test]
async fn requests_of_all_threads_are_in_one_histogram() {
    let state = state();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for us in [8, 30, 2_000] {
                    state.metrics.started();
                    state.metrics.observe(
                        "POST",
                        Some("/predict"),
                        Some(200),
                        Duration::from_micros(us),
                    );
                }
            });
        }
    });
    state.metrics.started();
    state
        .metrics
        .observe("GET", None, Some(404), Duration::from_secs(60));
    state.metrics.started();
    let text = scrape(state).await;
    let labels =
        "http_request_method=\"POST\",http_route=\"/predict\",http_response_status_code=\"200\"";
    let name = "http_server_request_duration_seconds";
    let bucket = |bound: &str| value(&text, &format!("{name}_bucket{{le=\"{bound}\",{labels}}}"));
    assert_eq!(
        [
            bucket("0.00001"),
            bucket("0.00005"),
            bucket("0.001"),
            bucket("+Inf")
        ]
        .map(|n| n as u32),
        [4, 8, 8, 12]
    );
    assert_eq!(value(&text, &format!("{name}_count{{{labels}}}")), 12.0);
    assert!((value(&text, &format!("{name}_sum{{{labels}}}")) - 4.0 * 0.002_038).abs() < 1e-9);
    let unmatched = "http_request_method=\"GET\",http_route=\"\",http_response_status_code=\"404\"";
    assert_eq!(value(&text, &format!("{name}_count{{{unmatched}}}")), 1.0);
    assert_eq!(value(&text, "http_server_active_requests"), 1.0);
    assert!(text.contains(&format!("# TYPE {name} histogram")), "{text}");
}

#[tokio::test]
async fn build_and_start_are_told() {
    let text = scrape(state()).await;
    assert!(value(&text, "process_start_time_seconds") > 1.7e9);
    assert!(
        text.contains(&format!(
            "iris_build_info{{version=\"{}\",model_version=\"1.0.0+",
            env!("CARGO_PKG_VERSION")
        )),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}

#[derive(Debug)]
struct Books;

impl Collector for Books {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        ConstCounter::new(7_u64).encode(encoder.encode_descriptor(
            "otel_sdk_span_started",
            "help",
            None,
            MetricType::Counter,
        )?)
    }
}

#[tokio::test]
async fn another_part_s_numbers_can_be_added() {
    let state = state();
    state.metrics.register(Box::new(Books));
    assert_eq!(
        value(&scrape(state).await, "otel_sdk_span_started_total"),
        7.0
    );
}
