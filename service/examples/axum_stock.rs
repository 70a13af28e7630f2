//! The service's peer with stock tracing in `bench/service`: axum, `tracing-opentelemetry`, and the
//! SDK's batch processor and OTLP/gRPC exporter, all with their defaults; AlwaysOn, and the same three
//! spans. The exporter reads `OTEL_EXPORTER_OTLP_ENDPOINT`.
//! `cargo run --release --example axum_stock -- 127.0.0.1:8080`

mod shared;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use http::{HeaderMap, header};
use iris_prediction_api::model::Model;
use opentelemetry::{
    global,
    propagation::Extractor,
    trace::{Status, TracerProvider as _},
};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{Instrument as _, Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let provider = start_tracing()?;
    let (model, listener) = shared::start().await?;
    let app = Router::new()
        .route("/predict", post(predict))
        .route_layer(middleware::from_fn(trace))
        .route("/healthz", get(|| async { "ok" }))
        .with_state(model)
        .into_make_service_with_connect_info::<SocketAddr>();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        served = axum::serve(listener, app) => served?,
        _ = terminate.recv() => {}
    }
    // It waits for its own thread, which needs this runtime.
    Ok(tokio::task::spawn_blocking(move || provider.shutdown()).await??)
}

fn start_tracing() -> anyhow::Result<SdkTracerProvider> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .build()?;
    let resource = Resource::builder().with_service_name("iris-prediction-api");
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_sampler(Sampler::AlwaysOn)
        .with_batch_exporter(exporter)
        .build();
    // Without a filter, the exporter's own HTTP/2 spans would be exported as well.
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("iris-prediction-api")))
        .init();
    Ok(provider)
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(header::HeaderName::as_str).collect()
    }
}

async fn trace(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let span = server_span(peer, &request);
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    if response.status().is_server_error() {
        span.set_status(Status::error(""));
    }
    response
}

fn server_span(peer: SocketAddr, request: &Request) -> Span {
    let text = |name| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    let span = info_span!(
        "request",
        otel.name = "POST /predict",
        otel.kind = "server",
        http.request.method = request.method().as_str(),
        http.route = "/predict",
        http.response.status_code = Empty,
        url.path = request.uri().path(),
        url.scheme = "http",
        network.protocol.version = "1.1",
        network.peer.address = %peer.ip(),
        network.peer.port = peer.port(),
        client.address = %peer.ip(),
        server.address = text(header::HOST),
        user_agent.original = text(header::USER_AGENT),
    );
    let parent = global::get_text_map_propagator(|propagator| {
        propagator.extract(&Headers(request.headers()))
    });
    // It fails only where no layer exports the span.
    let _ = span.set_parent(parent);
    span
}

async fn predict(State(model): State<Arc<Model>>, body: Bytes) -> Response {
    let prepared =
        info_span!("data_preparation", iris.batch.size = 1).in_scope(|| shared::prepare(&body));
    let features = match prepared {
        Ok(features) => features,
        Err(error) => return shared::refuse(error),
    };
    let span = info_span!(
        "model_inference",
        iris.model.version = model.version(),
        iris.batch.size = 1,
        iris.prediction.class = Empty,
        iris.prediction.confidence = Empty,
    );
    let prediction = span.in_scope(|| model.predict(&features));
    span.record("iris.prediction.class", prediction.class());
    span.record("iris.prediction.confidence", prediction.confidence());
    drop(span);
    shared::answer(&model, &prediction)
}
