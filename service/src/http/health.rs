//! Probes: is the process alive, is traffic welcome.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::AppState;
use crate::answer;

/// Whether traffic is welcome, as far as the process's life decides it; the model is asked each time.
#[derive(Debug, Default)]
pub struct Readiness {
    draining: AtomicBool,
}

impl Readiness {
    /// Shutdown has begun: from now on `/readyz` answers 503, while requests are still served.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether shutdown has begun.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

impl AppState {
    /// Why traffic is not welcome now; `None` if it is.
    fn unready(&self) -> Option<&'static str> {
        if self.readiness.draining() {
            return Some("draining");
        }
        // Twelve multiplications: cheap enough to prove on each probe that the model answers.
        let recognises = self.predictor.model.recognises_known_flowers().is_ok();
        (!recognises).then_some("the model misses known flowers")
    }
}

fn told(status: StatusCode, body: &Value) -> Response {
    answer::json(status, body.to_string())
}

fn status_of(unready: Option<&str>) -> StatusCode {
    if unready.is_some() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    }
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/livez", tag = "probes", responses((status = 200, description = "It does")))]
pub async fn livez() -> Response {
    told(StatusCode::OK, &json!({"status": "alive"}))
}

/// Whether traffic is welcome: the model has just recognised known flowers, and no shutdown has begun.
#[utoipa::path(get, path = "/readyz", tag = "probes", responses(
    (status = 200, description = "Send requests"), (status = 503, description = "Send them elsewhere")))]
pub async fn readyz(State(state): State<AppState>) -> Response {
    let unready = state.unready();
    let body = json!({"status": unready.unwrap_or("ready"), "model_version": state.predictor.model.version()});
    told(status_of(unready), &body)
}

/// The service's health in words; 200 as long as the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "probes", responses((status = 200, description = "Alive, and how ready")))]
pub async fn healthz(State(state): State<AppState>) -> Response {
    let unready = state.unready();
    let body = json!({
        "status": "alive",
        "ready": unready.is_none(),
        "reason": unready,
        "model_version": state.predictor.model.version(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    told(StatusCode::OK, &body)
}

/// Name and version of this server.
#[utoipa::path(get, path = "/v2", tag = "open inference protocol v2", responses((status = 200, description = "Server metadata")))]
pub async fn v2_server() -> Response {
    let body = json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"), "extensions": []});
    told(StatusCode::OK, &body)
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/v2/health/live", tag = "open inference protocol v2", responses((status = 200, description = "It does")))]
pub async fn v2_live() -> Response {
    told(StatusCode::OK, &json!({"live": true}))
}

/// Whether traffic is welcome.
#[utoipa::path(get, path = "/v2/health/ready", tag = "open inference protocol v2", responses(
    (status = 200, description = "Send requests"), (status = 503, description = "Send them elsewhere")))]
pub async fn v2_ready(State(state): State<AppState>) -> Response {
    let unready = state.unready();
    told(status_of(unready), &json!({"ready": unready.is_none()}))
}
