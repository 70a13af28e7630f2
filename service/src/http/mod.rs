//! HTTP: the router (which path leads where, and what a path that leads nowhere is told), the accept
//! loop, and the layer that traces every request.

mod connection;
mod conventions;
mod description;
pub mod docs;
pub mod health;
mod listeners;
pub mod metrics;
pub mod routes;
pub mod serve;
mod server_span;
mod short_way;
pub mod shortcut;
pub mod trace;
mod traceparent;
mod worker;

use axum::Router;
use axum::extract::FromRef;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use http::Uri;

use crate::error::Error;
use crate::predict::{self, OpenError, Predictor};
use health::Readiness;
use metrics::Metrics;

/// What the handlers share: three references, so that no request counts up a reference that
/// another core's request counts up too.
#[derive(Clone, Copy, Debug)]
pub struct AppState {
    /// Model, spans and limits.
    pub predictor: &'static Predictor,
    /// Whether traffic is welcome.
    pub readiness: &'static Readiness,
    /// What is exposed to Prometheus.
    pub metrics: &'static Metrics,
}

impl AppState {
    /// State for the life of the process: it is never freed.
    pub fn new(predictor: Predictor) -> AppState {
        let predictor: &'static Predictor = Box::leak(Box::new(predictor));
        AppState {
            predictor,
            readiness: Box::leak(Box::new(Readiness::default())),
            metrics: Box::leak(Box::new(Metrics::new(predictor))),
        }
    }
}

impl FromRef<AppState> for &'static Predictor {
    fn from_ref(state: &AppState) -> &'static Predictor {
        state.predictor
    }
}

/// Every path of the service. Build one per worker thread: then no two cores share its counters.
pub fn router(state: AppState) -> Router {
    Router::new()
        .route(routes::PREDICT, post(predict::predict))
        .route(routes::BATCH, post(predict::predict_batch))
        .merge(probes())
        .merge(docs::routes())
        .merge(open_inference())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(state)
}

fn probes() -> Router<AppState> {
    Router::new()
        .route(routes::LIVEZ, get(health::livez))
        .route(routes::READYZ, get(health::readyz))
        .route(routes::HEALTHZ, get(health::healthz))
        .route(routes::METRICS, get(metrics::scrape))
}

fn open_inference() -> Router<AppState> {
    Router::new()
        .route(routes::V2, get(health::v2_server))
        .route(routes::V2_LIVE, get(health::v2_live))
        .route(routes::V2_READY, get(health::v2_ready))
        .route(routes::MODEL, get(predict::metadata))
        .route(routes::MODEL_READY, get(predict::ready))
        .route(routes::MODEL_INFER, post(predict::infer))
        .route(routes::VERSION, get(predict::metadata_version))
        .route(routes::VERSION_READY, get(predict::ready_version))
        .route(routes::VERSION_INFER, post(predict::infer_version))
}

async fn not_found(uri: Uri) -> Response {
    refuse(&uri, Error::NotFound("Not Found".into()))
}

/// The router adds the `Allow` header.
async fn method_not_allowed(uri: Uri) -> Response {
    refuse(&uri, Error::MethodNotAllowed)
}

/// In the words of whichever API the path belongs to.
fn refuse(uri: &Uri, error: Error) -> Response {
    let path = uri.path();
    if path == routes::V2 || path.starts_with("/v2/") {
        return OpenError(error).into_response();
    }
    error.into_response()
}
