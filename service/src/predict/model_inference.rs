//! Span `model_inference`: from features to classes, counted and logged.

use std::sync::atomic::Ordering;

use super::Call;
use super::known::confidence;
use crate::model::{Features, Prediction};
use crate::telemetry::{self, Status, Value};

/// Predictions are logged at info at most this often; at debug, each.
const LOG_EVERY_NS: u64 = 1_000_000_000;

/// Predicts one flower.
pub(super) fn one(call: &Call, flower: &Features) -> Prediction {
    one_since(call, flower, call.now_unix_ns())
}

/// The same, begun at a time that is known already.
pub(super) fn one_since(call: &Call, flower: &Features, start_unix_ns: u64) -> Prediction {
    let prediction = call.predictor.model.predict(flower);
    let known = &call.predictor.known.one_prediction[prediction.class_id];
    let confidence = confidence(prediction.confidence());
    call.record_known(known, start_unix_ns, Some(confidence));
    completed(call, start_unix_ns, std::slice::from_ref(&prediction));
    prediction
}

/// Predicts several flowers under one span.
pub(super) fn batch(call: &Call, flowers: &[Features]) -> Vec<Prediction> {
    let start = call.now_unix_ns();
    let predictions: Vec<_> = flowers
        .iter()
        .map(|flower| call.predictor.model.predict(flower))
        .collect();
    let least = predictions
        .iter()
        .map(Prediction::confidence)
        .fold(1.0, f64::min);
    call.record(
        "model_inference",
        start,
        &[
            (
                "iris.model.version",
                Value::Str(call.predictor.model.version()),
            ),
            ("iris.prediction.least_confidence", Value::Double(least)),
            ("iris.batch.size", Value::Int(predictions.len() as i64)),
        ],
        Status::Unset,
    );
    completed(call, start, &predictions);
    predictions
}

fn completed(call: &Call, start_unix_ns: u64, predictions: &[Prediction]) {
    let counts = call.predictor.predicted.mine();
    for prediction in predictions {
        counts[prediction.class_id].fetch_add(1, Ordering::Relaxed);
    }
    if tracing::enabled!(tracing::Level::DEBUG) {
        log(
            call,
            predictions,
            |class, confidence, size, trace_id, span_id| {
                tracing::debug!(
                    trace_id,
                    span_id,
                    class,
                    confidence,
                    size,
                    "Prediction completed"
                );
            },
        );
    } else if due(call, start_unix_ns) && tracing::enabled!(tracing::Level::INFO) {
        log(
            call,
            predictions,
            |class, confidence, size, trace_id, span_id| {
                tracing::info!(
                    trace_id,
                    span_id,
                    class,
                    confidence,
                    size,
                    "Prediction completed"
                );
            },
        );
    }
}

/// Whether a second has passed since the last sampled line. Mostly a read of a line that no one writes.
fn due(call: &Call, start_unix_ns: u64) -> bool {
    let next = &call.predictor.next_log_unix_ns;
    let at = next.load(Ordering::Relaxed);
    // A traced call has read the clock already.
    let now = if start_unix_ns > 0 {
        start_unix_ns
    } else {
        telemetry::now_unix_ns()
    };
    now >= at
        && next
            .compare_exchange(at, now + LOG_EVERY_NS, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
}

fn log(
    call: &Call,
    predictions: &[Prediction],
    write: impl FnOnce(&str, f64, usize, Option<&str>, Option<&str>),
) {
    let Some(first) = predictions.first() else {
        return;
    };
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let ids = call
        .server_span()
        .map(|span| (hex(&span.trace_id), hex(&span.span_id)));
    let (trace_id, span_id) = (
        ids.as_ref().map(|ids| ids.0.as_str()),
        ids.as_ref().map(|ids| ids.1.as_str()),
    );
    write(
        first.class(),
        first.confidence(),
        predictions.len(),
        trace_id,
        span_id,
    );
}
