//! The same prediction by the Open Inference Protocol v2, as KServe and Triton clients speak it.
//!
//! Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::{Call, Predictor, api, data_preparation, model_inference};
use crate::answer;
use crate::error::Error;
use crate::model::{CLASS_COUNT, FEATURE_COUNT};

/// The one model that is served.
pub const MODEL_NAME: &str = "iris";

/// An error in this protocol's shape, `{"error": ".."}`.
#[derive(Debug)]
pub struct OpenError(pub Error);

impl From<Error> for OpenError {
    fn from(error: Error) -> OpenError {
        OpenError(error)
    }
}

impl IntoResponse for OpenError {
    fn into_response(self) -> Response {
        answer::json(
            self.0.status(),
            json!({"error": self.0.message()}).to_string(),
        )
    }
}

type Answer = Result<Response, OpenError>;

/// Predicts the species of `n` flowers given as a tensor of shape `[n,4]`.
#[utoipa::path(post, path = "/v2/models/{model}/infer", tag = "open inference protocol v2",
    params(("model" = String, Path, example = "iris")),
    request_body(content = serde_json::Value, example = json!({"id": "1", "inputs": [
        {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}]})),
    responses((status = 200, description = "probabilities [n,3], class_id [n], prediction [n]", body = serde_json::Value),
        (status = 400, description = "The tensor is wrong"), (status = 404, description = "No such model")))]
pub async fn infer(Path(model): Path<String>, call: Result<Call, Error>) -> Answer {
    inferred(&model, None, call)
}

/// The same, for a named version.
pub async fn infer_version(
    Path((model, version)): Path<(String, String)>,
    call: Result<Call, Error>,
) -> Answer {
    inferred(&model, Some(&version), call)
}

fn inferred(model: &str, version: Option<&str>, call: Result<Call, Error>) -> Answer {
    let call = call?;
    served(call.predictor, model, version)?;
    let tensor = data_preparation::tensor(&call)?;
    let predictions = model_inference::batch(&call, &tensor.flowers);
    Ok(api::write(
        &tensor.answer(call.predictor.model.version(), &predictions),
        256 + 128 * predictions.len(),
    ))
}

/// What the model takes and gives.
#[utoipa::path(get, path = "/v2/models/{model}", tag = "open inference protocol v2",
    params(("model" = String, Path, example = "iris")),
    responses((status = 200, description = "Inputs and outputs", body = serde_json::Value), (status = 404, description = "No such model")))]
pub async fn metadata(
    Path(model): Path<String>,
    State(predictor): State<&'static Predictor>,
) -> Answer {
    described(&model, None, predictor)
}

/// The same, for a named version.
pub async fn metadata_version(
    Path((model, version)): Path<(String, String)>,
    State(predictor): State<&'static Predictor>,
) -> Answer {
    described(&model, Some(&version), predictor)
}

fn described(model: &str, version: Option<&str>, predictor: &Predictor) -> Answer {
    served(predictor, model, version)?;
    let tensor = |name: &str, datatype: &str, shape: &[i64]| json!({"name": name, "datatype": datatype, "shape": shape});
    let body = json!({
        "name": MODEL_NAME,
        "versions": [predictor.model.version()],
        "platform": "rust_linfa_multinomial_logistic_regression",
        "inputs": [tensor("input", "FP64", &[-1, FEATURE_COUNT as i64])],
        "outputs": [
            tensor("probabilities", "FP64", &[-1, CLASS_COUNT as i64]),
            tensor("class_id", "INT64", &[-1]),
            tensor("prediction", "BYTES", &[-1]),
        ],
    });
    Ok(answer::json(StatusCode::OK, body.to_string()))
}

/// Whether the model can be asked.
#[utoipa::path(get, path = "/v2/models/{model}/ready", tag = "open inference protocol v2",
    params(("model" = String, Path, example = "iris")),
    responses((status = 200, description = "It can"), (status = 404, description = "No such model")))]
pub async fn ready(
    Path(model): Path<String>,
    State(predictor): State<&'static Predictor>,
) -> Answer {
    readiness(&model, None, predictor)
}

/// The same, for a named version.
pub async fn ready_version(
    Path((model, version)): Path<(String, String)>,
    State(predictor): State<&'static Predictor>,
) -> Answer {
    readiness(&model, Some(&version), predictor)
}

fn readiness(model: &str, version: Option<&str>, predictor: &Predictor) -> Answer {
    served(predictor, model, version)?;
    let ready = predictor.model.recognises_known_flowers().is_ok();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(answer::json(
        status,
        json!({"name": MODEL_NAME, "ready": ready}).to_string(),
    ))
}

fn served(predictor: &Predictor, model: &str, version: Option<&str>) -> Result<(), OpenError> {
    let ours = predictor.model.version();
    if model != MODEL_NAME {
        return Err(Error::NotFound(
            format!("model {model:?} is not served here; {MODEL_NAME:?} is").into(),
        )
        .into());
    }
    match version {
        Some(version) if version != ours => Err(Error::NotFound(
            format!("version {version:?} is not served here; {ours:?} is").into(),
        )
        .into()),
        _ => Ok(()),
    }
}
