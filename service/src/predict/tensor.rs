//! Requests and answers of the Open Inference Protocol: tensors to flowers, predictions to tensors.

use serde::{Deserialize, Serialize};

use super::{complaints, data_preparation::believable};
use crate::error::Error;
use crate::model::{CLASS_COUNT, FEATURE_COUNT, FEATURE_NAMES, Features, Prediction};

use super::open_inference::MODEL_NAME;

/// A request of this protocol, understood.
pub(super) struct Tensor {
    /// One per row.
    pub(super) flowers: Vec<Features>,
    id: Option<String>,
    wanted: Option<Vec<Wanted>>,
}

#[derive(Deserialize)]
struct Request {
    id: Option<String>,
    inputs: Vec<Input>,
    outputs: Option<Vec<Wanted>>,
}

#[derive(Deserialize)]
struct Input {
    shape: Vec<usize>,
    datatype: String,
    data: Data,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "data must be numbers, flat or in rows of four")]
enum Data {
    Flat(Vec<f64>),
    Rows(Vec<Features>),
}

#[derive(Deserialize)]
struct Wanted {
    name: String,
}

#[derive(Serialize)]
struct Answer<'a> {
    model_name: &'static str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Output>,
}

#[derive(Serialize)]
struct Output {
    name: &'static str,
    datatype: &'static str,
    shape: Vec<usize>,
    data: Column,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Column {
    Numbers(Vec<f64>),
    Ids(Vec<usize>),
    Names(Vec<&'static str>),
}

const OUTPUTS: [&str; 3] = ["probabilities", "class_id", "prediction"];

fn refuse<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::BadRequest(message.into()))
}

impl Tensor {
    /// Reads a request of at most `most` rows.
    pub(super) fn read(body: &[u8], most: usize) -> Result<Tensor, Error> {
        let request: Request = match serde_json::from_slice(body) {
            Ok(request) => request,
            Err(error) => return refuse(format!("not an inference request: {error}")),
        };
        let [input] = <[Input; 1]>::try_from(request.inputs).map_err(|inputs| {
            Error::BadRequest(format!(
                "inputs has {} tensors, must have one",
                inputs.len()
            ))
        })?;
        if let Some(unknown) = request
            .outputs
            .iter()
            .flatten()
            .find(|wanted| !OUTPUTS.contains(&wanted.name.as_str()))
        {
            return refuse(format!(
                "output {:?} does not exist; there are {OUTPUTS:?}",
                unknown.name
            ));
        }
        Ok(Tensor {
            flowers: input.flowers(most)?,
            id: request.id,
            wanted: request.outputs,
        })
    }

    /// The predictions as tensors: those that were asked for, or all.
    pub(super) fn answer<'a>(
        &'a self,
        model_version: &'a str,
        predictions: &[Prediction],
    ) -> impl Serialize + 'a {
        let wanted = self.wanted.as_ref().filter(|wanted| !wanted.is_empty());
        let asked = |name: &str| {
            wanted.is_none_or(|wanted| wanted.iter().any(|output| output.name == name))
        };
        let outputs = OUTPUTS
            .into_iter()
            .filter(|name| asked(name))
            .map(|name| output(name, predictions));
        Answer {
            model_name: MODEL_NAME,
            model_version,
            id: self.id.as_deref(),
            outputs: outputs.collect(),
        }
    }
}

impl Input {
    fn flowers(self, most: usize) -> Result<Vec<Features>, Error> {
        if !matches!(self.datatype.as_str(), "FP64" | "FP32") {
            return refuse(format!(
                "inputs[0].datatype is {:?}, must be FP64 or FP32",
                self.datatype
            ));
        }
        let rows = match self.shape[..] {
            [FEATURE_COUNT] => 1,
            [rows, FEATURE_COUNT] if (1..=most).contains(&rows) => rows,
            [_, FEATURE_COUNT] => {
                return refuse(format!(
                    "inputs[0].shape is {:?}, must have 1 to {most} rows",
                    self.shape
                ));
            }
            _ => {
                return refuse(format!(
                    "inputs[0].shape is {:?}, must be [n,{FEATURE_COUNT}]",
                    self.shape
                ));
            }
        };
        let (given, flowers) = match self.data {
            Data::Rows(flowers) => (flowers.len() * FEATURE_COUNT, flowers),
            Data::Flat(numbers) => (numbers.len(), numbers.as_chunks().0.to_vec()),
        };
        if given != rows * FEATURE_COUNT {
            let needed = rows * FEATURE_COUNT;
            return refuse(format!(
                "inputs[0].data has {given} numbers, shape {:?} needs {needed}",
                self.shape
            ));
        }
        match flowers.iter().position(|flower| !believable(flower)) {
            Some(row) => refuse(unbelievable(row, &flowers[row])),
            None => Ok(flowers),
        }
    }
}

/// Names each bad number of a row, in the words of `/predict`.
fn unbelievable(row: usize, flower: &Features) -> String {
    let numbers = flower.iter().zip(FEATURE_NAMES).enumerate();
    let complaints = numbers.filter_map(|(column, (number, name))| {
        let (_, message, _) = complaints::in_measurement(&number.to_string())?;
        Some(format!("row {row}, column {column} ({name}): {message}"))
    });
    complaints.collect::<Vec<_>>().join("; ")
}

fn output(name: &'static str, predictions: &[Prediction]) -> Output {
    let rows = predictions.len();
    let (datatype, shape, data) = match name {
        "probabilities" => {
            let numbers = predictions
                .iter()
                .flat_map(|prediction| prediction.probabilities);
            (
                "FP64",
                vec![rows, CLASS_COUNT],
                Column::Numbers(numbers.collect()),
            )
        }
        "class_id" => (
            "INT64",
            vec![rows],
            Column::Ids(predictions.iter().map(|p| p.class_id).collect()),
        ),
        _ => (
            "BYTES",
            vec![rows],
            Column::Names(predictions.iter().map(Prediction::class).collect()),
        ),
    };
    Output {
        name,
        datatype,
        shape,
        data,
    }
}
