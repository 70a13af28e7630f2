//! OTLP/HTTP: a POST of one protobuf message to /v1/traces.
//!
//! Protocol: opentelemetry.io/docs/specs/otlp, "OTLP/HTTP".

use super::answer::{Body, Desk, export_response};
use super::body;
use super::intake::Taken;
use super::refusal::Refusal;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;

/// Takes the message of a request.
pub(super) async fn take(head: &Parts, body: &mut Incoming, desk: &Desk) -> Result<Taken, Refusal> {
    let path = head.uri.path();
    if path != "/v1/traces" {
        return Err(Refusal::elsewhere(format!(
            "{path}: only traces are taken here, at /v1/traces"
        )));
    }
    if head.method != Method::POST {
        return Err(Refusal::method("POST is the method of /v1/traces"));
    }
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if !kind.starts_with("application/x-protobuf") {
        return Err(Refusal::format(format!(
            "content type {kind:?}: set OTEL_EXPORTER_OTLP_PROTOCOL to http/protobuf or grpc"
        )));
    }
    let body = body::read(body, &desk.room).await?;
    let wire_bytes = body.len() as u64;
    let message = body::decompress(body, head.headers.get(header::CONTENT_ENCODING))?;
    desk.take(&message, wire_bytes)
}

/// The answer to a request.
pub(super) fn response(taken: Result<Taken, Refusal>) -> Response<Body> {
    let (status, body) = match taken {
        Ok(taken) => (StatusCode::OK, export_response(taken)),
        Err(refusal) => (refusal.http, status_message(&refusal)),
    };
    let mut response = Response::new(Either::Left(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-protobuf"),
    );
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// `google.rpc.Status`: `int32 code = 1; string message = 2`.
fn status_message(refusal: &Refusal) -> Vec<u8> {
    // Cut where a character ends: a protobuf string is UTF-8. 127 is the longest one-byte length.
    let why = &refusal.why.as_bytes()[..refusal.why.floor_char_boundary(127)];
    [&[0x08, refusal.grpc, 0x12, why.len() as u8], why].concat()
}
