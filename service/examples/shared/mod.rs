//! The prediction that `axum_plain` and `axum_stock` answer with: the service's own model and JSON,
//! without its HTTP server and without its tracing.

use std::sync::Arc;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use iris_prediction_api::{
    model::{Features, Model, Prediction},
    predict::{Flower, PredictResponse},
};
use tokio::net::TcpListener;

/// The model, loaded, and a socket on the address that the only argument names.
pub async fn start() -> anyhow::Result<(Arc<Model>, TcpListener)> {
    let address = std::env::args()
        .nth(1)
        .ok_or_else(|| anyhow::anyhow!("one argument: the address to listen on"))?;
    let model = Arc::new(Model::built_in()?);
    Ok((model, TcpListener::bind(address).await?))
}

/// From bytes to features.
pub fn prepare(body: &[u8]) -> serde_json::Result<Features> {
    serde_json::from_slice::<Flower>(body).map(Features::from)
}

/// The same answer as the service's to the same flower.
pub fn answer(model: &Model, prediction: &Prediction) -> Response {
    Json(PredictResponse {
        model_version: Some(model.version()),
        ..PredictResponse::from(prediction)
    })
    .into_response()
}

/// What a body that is no flower gets.
pub fn refuse(error: serde_json::Error) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response()
}
