//! The service's peer without tracing in `bench/service`: `axum::serve` on tokio's default runtime,
//! the same `POST /predict`, nothing else. `cargo run --release --example axum_plain -- 127.0.0.1:8080`

mod shared;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::Response,
    routing::{get, post},
};
use iris_prediction_api::model::Model;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (model, listener) = shared::start().await?;
    let app = Router::new()
        .route("/predict", post(predict))
        .route("/healthz", get(|| async { "ok" }))
        .with_state(model);
    Ok(axum::serve(listener, app).await?)
}

async fn predict(State(model): State<Arc<Model>>, body: Bytes) -> Response {
    match shared::prepare(&body) {
        Ok(features) => shared::answer(&model, &model.predict(&features)),
        Err(error) => shared::refuse(error),
    }
}
