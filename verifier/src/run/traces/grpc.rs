//! OTLP/gRPC: one framed protobuf message to the trace service's Export.
//!
//! Protocol: github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md and doc/compression.md.

use super::answer::{Body, Desk, export_response};
use super::body;
use super::intake::Taken;
use super::refusal::Refusal;
use bytes::{Buf, Bytes};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Takes the message of a call.
pub(super) async fn take(head: &Parts, body: &mut Incoming, desk: &Desk) -> Result<Taken, Refusal> {
    let path = head.uri.path();
    if path != EXPORT {
        return Err(Refusal::elsewhere(format!(
            "{path}: only the trace service is here"
        )));
    }
    let encoding = head.headers.get("grpc-encoding");
    let mut body = body::read(body, &desk.room).await?;
    let wire_bytes = body.len() as u64;
    let torn = || Refusal::torn("a gRPC message is torn, or more than one came");
    // Length-prefixed message: one byte of compression flag, four of length, big endian.
    if body.len() < 5 {
        return Err(torn());
    }
    let (compressed, length) = (body.get_u8(), body.get_u32() as usize);
    if body.len() != length || compressed > 1 {
        return Err(torn());
    }
    let named = encoding.filter(|name| *name != "identity");
    if compressed == 1 && named.is_none() {
        let why = "a gRPC message is compressed, and grpc-encoding does not say how";
        return Err(Refusal::torn(why));
    }
    let message = body::decompress(body, named.filter(|_| compressed == 1))?;
    desk.take(&message, wire_bytes)
}

/// The answer to a call: status 0 in the trailers, or a refusal in the headers of an answer without a body.
pub(super) fn response(taken: Result<Taken, Refusal>) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(
        "grpc-accept-encoding",
        HeaderValue::from_static("identity,gzip"),
    );
    let body = match taken {
        Ok(taken) => {
            let message = export_response(taken);
            let frame = [&[0, 0, 0, 0, message.len() as u8][..], &message].concat();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let trailers = std::future::ready(Some(Ok(trailers)));
            Either::Right(Full::new(Bytes::from(frame)).with_trailers(trailers))
        }
        Err(refusal) => {
            headers.insert("grpc-status", HeaderValue::from(u16::from(refusal.grpc)));
            if let Ok(why) = HeaderValue::from_str(&percent_encoded(&refusal.why)) {
                headers.insert("grpc-message", why);
            }
            Either::Left(Full::new(Bytes::new()))
        }
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// As `grpc-message` has it: printable ASCII as it is, every other byte, and `%`, as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
