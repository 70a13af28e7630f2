//! The bodies of `/predict` and `/predict/batch`: how they are read, written and documented.

use std::fmt;

use axum::response::Response;
use http::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use super::Call;
use crate::answer::json;
use crate::model::{CLASS_NAMES, Features, Prediction};

/// Measurements of one iris flower, in centimetres.
#[derive(Clone, Copy, Debug, ToSchema)]
pub struct Flower {
    /// Length of the sepal.
    #[schema(minimum = 0, maximum = 1000, example = 5.1)]
    pub sepal_length: f64,
    /// Width of the sepal.
    #[schema(minimum = 0, maximum = 1000, example = 3.5)]
    pub sepal_width: f64,
    /// Length of the petal.
    #[schema(minimum = 0, maximum = 1000, example = 1.4)]
    pub petal_length: f64,
    /// Width of the petal.
    #[schema(minimum = 0, maximum = 1000, example = 0.2)]
    pub petal_width: f64,
}

impl From<Flower> for Features {
    fn from(flower: Flower) -> Features {
        [
            flower.sepal_length,
            flower.sepal_width,
            flower.petal_length,
            flower.petal_width,
        ]
    }
}

impl<'de> Deserialize<'de> for Flower {
    /// Objects only: what serde derives would take a list of four numbers as well.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Flower, D::Error> {
        #[derive(Deserialize)]
        #[serde(remote = "Flower")]
        struct Fields {
            sepal_length: f64,
            sepal_width: f64,
            petal_length: f64,
            petal_width: f64,
        }
        struct Object;
        impl<'de> de::Visitor<'de> for Object {
            type Value = Flower;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with four measurements")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Flower, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Several flowers.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BatchRequest {
    /// The flowers, at least one.
    pub instances: Vec<Flower>,
}

/// Probability of each species; they sum to one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Probabilities {
    /// Iris setosa.
    #[schema(example = 0.979)]
    pub setosa: f64,
    /// Iris versicolor.
    #[schema(example = 0.021)]
    pub versicolor: f64,
    /// Iris virginica.
    #[schema(example = 0.0)]
    pub virginica: f64,
}

/// What the model says about one flower.
#[derive(Debug, Serialize, ToSchema)]
pub struct PredictResponse<'a> {
    /// The most probable species.
    #[schema(example = "setosa")]
    pub prediction: &'static str,
    /// Its number: 0 setosa, 1 versicolor, 2 virginica.
    #[schema(example = 0)]
    pub class_id: usize,
    /// The probability of each species.
    pub probabilities: Probabilities,
    /// Which model said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1.0.0+1f0c2ab9")]
    pub model_version: Option<&'a str>,
}

/// What the model says about several flowers.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResponse<'a> {
    /// One per instance, in the same order.
    pub predictions: Vec<PredictResponse<'a>>,
    /// Which model said so.
    pub model_version: &'a str,
}

/// Why a request is refused.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "documents the body that error.rs writes")]
pub struct Detail {
    detail: String,
}

/// What is wrong with a body.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "documents the body that error.rs writes")]
pub struct Invalid {
    detail: Vec<InvalidField>,
}

/// One complaint.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "documents the body that error.rs writes")]
pub struct InvalidField {
    /// Kind of error.
    #[schema(example = "missing")]
    r#type: String,
    /// Where.
    #[schema(value_type = Vec<serde_json::Value>, example = json!(["body", "sepal_length"]))]
    loc: Vec<String>,
    /// What is wrong.
    #[schema(example = "Field required")]
    msg: String,
    /// What was given.
    #[schema(value_type = serde_json::Value)]
    input: String,
}

/// Room for the answer about one flower, so that writing it allocates once.
const ANSWER_BYTES: usize = 256;

pub(super) fn answer(call: &Call, prediction: &Prediction) -> Response {
    json(StatusCode::OK, answer_body(call, prediction))
}

/// The body of the answer about one flower.
pub(super) fn answer_body(call: &Call, prediction: &Prediction) -> Vec<u8> {
    let body = PredictResponse {
        model_version: Some(call.predictor.model.version()),
        ..PredictResponse::from(prediction)
    };
    let mut bytes = Vec::with_capacity(ANSWER_BYTES);
    put(&body, &mut bytes);
    bytes
}

/// Appends a value as JSON.
pub(super) fn put(value: &impl Serialize, bytes: &mut Vec<u8>) {
    // Keys are strings, and writing to memory does not fail.
    let _ = serde_json::to_writer(bytes, value);
}

pub(super) fn batch_answer(call: &Call, predictions: &[Prediction]) -> Response {
    let body = BatchResponse {
        predictions: predictions.iter().map(PredictResponse::from).collect(),
        model_version: call.predictor.model.version(),
    };
    write(&body, ANSWER_BYTES * predictions.len())
}

impl From<&Prediction> for PredictResponse<'_> {
    fn from(prediction: &Prediction) -> Self {
        let [setosa, versicolor, virginica] = prediction.probabilities;
        PredictResponse {
            prediction: CLASS_NAMES[prediction.class_id],
            class_id: prediction.class_id,
            probabilities: Probabilities {
                setosa,
                versicolor,
                virginica,
            },
            model_version: None,
        }
    }
}

/// A 200 with this body.
pub(super) fn write(body: &impl Serialize, room_bytes: usize) -> Response {
    let mut bytes = Vec::with_capacity(room_bytes);
    match serde_json::to_writer(&mut bytes, body) {
        Ok(()) => json(StatusCode::OK, bytes),
        // Unreachable for these types: keys are strings, and writing to memory does not fail.
        Err(_) => json(
            StatusCode::INTERNAL_SERVER_ERROR,
            &b"{\"detail\":\"Internal Server Error\"}"[..],
        ),
    }
}
