//! `/metrics`: what requests did, counted per thread and summed when Prometheus asks.

mod books;
mod requests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, header};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::{MetricType, gauge::ConstGauge, info::Info};
use prometheus_client::registry::{Registry, Unit};

use super::AppState;
use super::trace::Observe;
use crate::model::CLASS_NAMES;
use crate::predict::Predictor;
use crate::telemetry::{Books, now_unix_ns};
use requests::Requests;

/// Everything that is exposed to Prometheus.
#[derive(Debug)]
pub struct Metrics {
    requests: &'static Requests,
    registry: Mutex<Registry>,
}

impl Metrics {
    /// Metrics that start at zero, now.
    pub fn new(predictor: &'static Predictor) -> Metrics {
        let requests: &'static Requests = Box::leak(Box::default());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(requests));
        registry.register_collector(Box::new(Predictions(predictor)));
        let build = Info::new(
            [
                ("version", env!("CARGO_PKG_VERSION")),
                ("model_version", predictor.model.version()),
            ]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .to_vec(),
        );
        registry.register(
            "iris_build",
            "Version of the service and of its model",
            build,
        );
        let start = ConstGauge::new(now_unix_ns() as f64 / 1e9);
        registry.register_with_unit(
            "process_start_time",
            "When the process started, Unix time",
            Unit::Seconds,
            start,
        );
        Metrics {
            requests,
            registry: Mutex::new(registry),
        }
    }

    /// Also exposes what this collector gives, e.g. the books of the span pipeline.
    pub fn register(&self, collector: Box<dyn Collector>) {
        self.registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .register_collector(collector);
    }

    /// Also exposes who this process is, in the form that OpenTelemetry gives a resource in Prometheus
    /// (specification/compatibility/prometheus_and_openmetrics.md, "Resource Attributes").
    pub fn register_resource<'a>(&self, attributes: impl Iterator<Item = (&'a str, String)>) {
        let labels = attributes.map(|(key, value)| (key.replace(['.', '-'], "_"), value));
        let target = Info::new(labels.collect::<Vec<_>>());
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        registry.register("target", "Who exposes this", target);
    }

    /// Also exposes the books of the span pipeline.
    pub fn register_books(&self, books: impl Fn() -> Books + Send + Sync + 'static) {
        self.register(Box::new(books::Exposed(books)));
    }

    /// The exposition in OpenMetrics text.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::with_capacity(8 << 10);
        text::encode(
            &mut text,
            &self.registry.lock().unwrap_or_else(PoisonError::into_inner),
        )?;
        Ok(text)
    }
}

impl Observe for &'static Metrics {
    fn started(&self) {
        self.requests.started();
    }

    fn observe(
        &self,
        method: &'static str,
        route: Option<&'static str>,
        status: Option<u16>,
        duration: Duration,
    ) {
        self.requests.observe(method, route, status, duration);
    }
}

/// What Prometheus scrapes.
#[utoipa::path(get, path = "/metrics", tag = "probes", responses(
    (status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text")))]
pub async fn scrape(State(state): State<AppState>) -> Response {
    let mut response = Response::new(Body::from(state.metrics.text().unwrap_or_default()));
    let openmetrics =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, openmetrics);
    response
}

/// Flowers predicted, by class.
#[derive(Debug)]
struct Predictions(&'static Predictor);

impl Collector for Predictions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Flowers predicted, by predicted class";
        let mut family =
            encoder.encode_descriptor("iris_predictions", help, None, MetricType::Counter)?;
        for (class_id, class) in CLASS_NAMES.into_iter().enumerate() {
            let of_thread = |counts: &[AtomicU64; 3]| counts[class_id].load(Ordering::Relaxed);
            let sum: u64 = self.0.predicted.all().map(of_thread).sum();
            ConstCounter::new(sum).encode(family.encode_family(&[("class", class)])?)?;
        }
        Ok(())
    }
}
