//! Answers in JSON: the one place that sets their status and headers.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

/// A JSON answer.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(axum::body::Body::from(body.into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
