//! Span `data_preparation`: from bytes to features that the model may be asked about.

use super::api::{BatchRequest, Flower};
use super::tensor::Tensor;
use super::{Call, complaints};
use crate::error::Error;
use crate::model::{Features, OutOfRange};
use crate::telemetry::{Status, Value};

/// Largest measurement that is believed, in cm: no flower has a petal of ten metres.
pub(super) const LARGEST_CM: f64 = 1_000.0;

/// Takes the body of `POST /predict`.
pub(super) fn flower(call: &Call) -> Result<Features, Error> {
    let start = call.now_unix_ns();
    let flower =
        features(&call.body).ok_or_else(|| Error::Invalid(complaints::about_flower(&call.body)));
    record(call, start, flower.as_ref().map(std::slice::from_ref));
    flower
}

/// The flower that a body describes, if it does.
pub(super) fn features(body: &[u8]) -> Option<Features> {
    let flower = serde_json::from_slice::<Flower>(body).ok()?;
    Some(Features::from(flower)).filter(believable)
}

/// Takes the body of `POST /predict/batch`.
pub(super) fn batch(call: &Call) -> Result<Vec<Features>, Error> {
    let start = call.now_unix_ns();
    let most = call.predictor.limits.batch;
    let flowers = match serde_json::from_slice::<BatchRequest>(&call.body) {
        Ok(batch) if (1..=most).contains(&batch.instances.len()) => Some(
            batch
                .instances
                .into_iter()
                .map(Features::from)
                .collect::<Vec<_>>(),
        ),
        _ => None,
    };
    let flowers = flowers
        .filter(|flowers| flowers.iter().all(believable))
        .ok_or_else(|| Error::Invalid(complaints::about_batch(&call.body, most)));
    record(call, start, flowers.as_deref());
    flowers
}

/// Takes the body of `POST /v2/models/iris/infer`.
pub(super) fn tensor(call: &Call) -> Result<Tensor, Error> {
    let start = call.now_unix_ns();
    let tensor = Tensor::read(&call.body, call.predictor.limits.batch);
    record(
        call,
        start,
        tensor.as_ref().map(|tensor| tensor.flowers.as_slice()),
    );
    tensor
}

#[inline]
pub(super) fn believable(features: &Features) -> bool {
    features
        .iter()
        .all(|feature| (0.0..=LARGEST_CM).contains(feature))
}

/// Gives the time of the span's end; 0 when the call is not traced.
pub(super) fn record(
    call: &Call,
    start_unix_ns: u64,
    prepared: Result<&[Features], &Error>,
) -> u64 {
    if call.server_span().is_none() {
        return 0;
    }
    let known = &call.predictor.known.one_flower;
    let record = |attributes: &[_], status| {
        call.record("data_preparation", start_unix_ns, attributes, status)
    };
    match prepared {
        Ok(flowers) => {
            let model = &call.predictor.model;
            let outside = flowers.iter().fold(OutOfRange::default(), |all, flower| {
                all.union(model.out_of_range(flower))
            });
            let (one, names) = (flowers.len() == 1, outside.names());
            let outside = ("iris.input.out_of_range", Value::Str(&names));
            let size = ("iris.batch.size", Value::Int(flowers.len() as i64));
            match (one, names.is_empty()) {
                (true, true) => call.record_known(known, start_unix_ns, None),
                (true, false) => call.record_known(known, start_unix_ns, Some(outside)),
                (false, true) => record(&[size], Status::Unset),
                (false, false) => record(&[size, outside], Status::Unset),
            }
        }
        Err(error) => {
            let (kind, fields, message) = (error.kind(), invalid_fields(error), error.message());
            let kind = ("error.type", Value::Str(kind));
            let fields = ("iris.invalid_fields", Value::Str(&fields));
            record(&[kind, fields], Status::Error(cut(&message)))
        }
    }
}

/// Places of the invalid fields, joined by commas: a batch of a thousand names its first eight.
fn invalid_fields(error: &Error) -> String {
    let Error::Invalid(errors) = error else {
        return String::new();
    };
    errors
        .iter()
        .take(8)
        .map(|error| error.place())
        .collect::<Vec<_>>()
        .join(",")
}

/// At most 256 bytes: a span is read by a person, and memory for spans is bounded.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(256)]
}
