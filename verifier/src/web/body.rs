//! A request's body: so large and so slow at most.

use super::refusal::Refusal;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::time::Duration;

/// A form has no more.
const MOST_BYTES: usize = 64 << 10;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The whole body.
///
/// # Errors
/// When it is too large, too slow, or cut off.
pub(super) async fn whole(body: Body) -> Result<Bytes, Refusal> {
    let too_slow = |_| {
        let error = format!("the body did not come within {} s", TIMEOUT.as_secs());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, error)
    };
    let read = tokio::time::timeout(TIMEOUT, to_bytes(body, MOST_BYTES))
        .await
        .map_err(too_slow)?;
    read.map_err(|error| {
        let error =
            format!("the body can not be read, or has more than {MOST_BYTES} bytes: {error}");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error)
    })
}

/// The body as JSON.
///
/// # Errors
/// As [`whole`], and when it is no such JSON.
pub(super) async fn json<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let bytes = whole(body).await?;
    // An object: a list would be taken for its fields in their order.
    let read = serde_json::from_slice::<Map<String, Value>>(&bytes)
        .and_then(|fields| T::deserialize(Value::Object(fields)));
    read.map_err(|error| {
        Refusal::wrong(format!(
            "the body is not the JSON that is expected here: {error}"
        ))
    })
}
