//! From a request to its answer: read, prepare, infer, answer. The files are named after the spans.

mod api;
pub mod at_once;
mod call;
mod complaints;
mod data_preparation;
mod known;
mod model_inference;
pub mod open_inference;
mod tensor;

use std::sync::atomic::AtomicU64;

use axum::response::Response;

use crate::{
    error::Error,
    model::{CLASS_COUNT, Model},
    shards::Shards,
    telemetry::Recorder,
};

use self::known::Known;

pub use api::{BatchRequest, BatchResponse, Detail, Flower, PredictResponse, Probabilities};
pub use call::Call;
pub use open_inference::{OpenError, infer, infer_version, metadata, metadata_version};
pub use open_inference::{ready, ready_version};

/// What every prediction needs; one for the life of the process.
#[derive(Debug)]
pub struct Predictor {
    /// The model that answers.
    pub model: Model,
    /// Where spans go.
    pub recorder: Recorder,
    /// Bounds on one request.
    pub limits: Limits,
    /// Flowers predicted so far, by class id.
    pub predicted: Shards<[AtomicU64; CLASS_COUNT]>,
    /// What many spans and answers say alike.
    known: Known,
    /// When "Prediction completed" may be logged again at info, Unix nanoseconds.
    next_log_unix_ns: AtomicU64,
}

/// Bounds on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body.
    pub body_bytes: usize,
    /// Most flowers in one batch.
    pub batch: usize,
}

impl Default for Limits {
    /// A batch of a thousand flowers fits well.
    fn default() -> Limits {
        Limits {
            body_bytes: 1 << 20,
            batch: 1_000,
        }
    }
}

impl Predictor {
    /// A predictor that has predicted nothing yet.
    pub fn new(model: Model, recorder: Recorder, limits: Limits) -> Predictor {
        let (predicted, next_log_unix_ns) = (Shards::default(), AtomicU64::new(0));
        Predictor {
            known: Known::new(&model),
            model,
            recorder,
            limits,
            predicted,
            next_log_unix_ns,
        }
    }
}

/// Predicts the species of one iris flower from its measurements.
#[utoipa::path(post, path = "/predict", tag = "predict", request_body = Flower, responses(
    (status = 200, description = "The species, and the probability of each", body = PredictResponse),
    (status = 413, description = "The body is too large", body = Detail),
    (status = 415, description = "The body is not declared as JSON", body = Detail),
    (status = 422, description = "What is wrong, every field at once", body = api::Invalid),
))]
pub async fn predict(call: Call) -> Result<Response, Error> {
    let flower = data_preparation::flower(&call)?;
    let prediction = model_inference::one(&call, &flower);
    Ok(api::answer(&call, &prediction))
}

/// Predicts the species of several iris flowers at once; answers keep the order.
#[utoipa::path(post, path = "/predict/batch", tag = "predict", request_body = BatchRequest, responses(
    (status = 200, description = "One prediction per instance", body = BatchResponse),
    (status = 413, description = "The body is too large", body = Detail),
    (status = 415, description = "The body is not declared as JSON", body = Detail),
    (status = 422, description = "What is wrong, every field at once", body = api::Invalid),
))]
pub async fn predict_batch(call: Call) -> Result<Response, Error> {
    let flowers = data_preparation::batch(&call)?;
    let predictions = model_inference::batch(&call, &flowers);
    Ok(api::batch_answer(&call, &predictions))
}
