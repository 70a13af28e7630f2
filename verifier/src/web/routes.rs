//! All routes.

use super::guard::{Guard, guard};
use super::refusal::Refusal;
use super::site::Site;
use super::{api, download, events, locust, traces};
use crate::verdict::report::asset;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, Uri, header};
use std::sync::Arc;

/// What is served, behind the guard.
pub(super) fn routes(site: Arc<Site>, who: Guard) -> Router {
    Router::new()
        .route("/events", get(events::events))
        .route("/api/plans", get(api::plans))
        .route("/api/runs", get(api::runs).post(api::start))
        .route("/api/stop", post(api::stop))
        .route("/api/users", post(api::users))
        .route("/api/show", post(api::show))
        .route("/api/traces/{id}", get(traces::trace))
        .route("/files/{*path}", get(download::file))
        .route("/swarm", post(locust::swarm))
        .route("/stop", post(locust::stop).get(locust::stop))
        .route("/stats/reset", post(locust::reset).get(locust::reset))
        .route("/stats/requests", get(locust::requests))
        .route("/stats/requests/csv", get(locust::requests_csv))
        .route("/stats/requests_full_history/csv", get(locust::history_csv))
        .route("/stats/failures/csv", get(locust::failures_csv))
        .route("/stats/report", get(locust::report))
        .route("/exceptions", get(locust::exceptions))
        .route("/exceptions/csv", get(locust::exceptions_csv))
        .route("/tasks", get(locust::tasks))
        .route("/logs", get(locust::logs))
        .fallback(get(page))
        .method_not_allowed_fallback(not_so)
        .with_state(site)
        .layer(from_fn_with_state(Arc::new(who), guard))
}

/// The page, and what it is made of.
async fn page(uri: Uri) -> Response {
    let name = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        name => name,
    };
    match asset(name) {
        Some((kind, text)) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        None => Refusal::nothing(format!("there is nothing at {}", uri.path())).into_response(),
    }
}

async fn not_so(uri: Uri) -> Refusal {
    let error = format!("{} is not asked in this way: try GET or POST", uri.path());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, error)
}
