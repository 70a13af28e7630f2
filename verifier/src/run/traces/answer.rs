//! One request in, one answer out: whichever of the two protocols it speaks, on whichever port.
//!
//! Every request that is no trace export is refused and counted, those for logs and metrics included: a sender that
//! exports all signals to one endpoint then shows in the books why. A refusal is no loss: nothing of ours was in it.

use super::body::{self, Room};
use super::intake::{Intake, Taken};
use super::refusal::Refusal;
use super::{grpc, http};
use ::http::{HeaderMap, HeaderValue, Request, Response, header};
use bytes::Bytes;
use http_body_util::{Either, Full, combinators::WithTrailers};
use hyper::body::Incoming;
use std::cell::RefCell;
use std::convert::Infallible;
use tokio_util::task::TaskTracker;

/// What the connections of one receiver share, all on one thread.
pub(super) struct Desk {
    pub(super) intake: RefCell<Intake>,
    pub(super) room: Room,
    /// Holds a token of each request that has no answer yet.
    pub(super) under_way: TaskTracker,
}

type Trailers = std::future::Ready<Option<Result<HeaderMap, Infallible>>>;
pub(super) type Body = Either<Full<Bytes>, WithTrailers<Full<Bytes>, Trailers>>;

/// Never an error: what is refused is told in the answer.
pub(super) async fn answer(
    request: Request<Incoming>,
    desk: &Desk,
) -> Result<Response<Body>, Infallible> {
    let _under_way = desk.under_way.token();
    let (head, mut body) = request.into_parts();
    let kind = head
        .headers
        .get(header::CONTENT_TYPE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let grpc = kind.starts_with(b"application/grpc");
    let taken = if grpc {
        grpc::take(&head, &mut body, desk).await
    } else {
        http::take(&head, &mut body, desk).await
    };
    if let Err(refusal) = &taken {
        desk.intake.borrow_mut().refuse(&refusal.why);
        body::read_rest(&mut body).await;
    }
    Ok(if grpc {
        grpc::response(taken)
    } else {
        http::response(taken)
    })
}

impl Desk {
    /// Hands a message over.
    pub(super) fn take(&self, message: &[u8], wire_bytes: u64) -> Result<Taken, Refusal> {
        Ok(self.intake.borrow_mut().take(message, wire_bytes)?)
    }
}

/// `ExportTraceServiceResponse`: empty when every span was taken, else `partial_success = 1` with
/// `rejected_spans = 1` and `error_message = 2`.
pub(super) fn export_response(taken: Taken) -> Vec<u8> {
    if taken.malformed == 0 {
        return Vec::new();
    }
    let why = b"spans without usable ids";
    let mut partial = vec![0x08];
    let mut left = taken.malformed;
    while left >= 0x80 {
        partial.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    partial.extend([left as u8, 0x12, why.len() as u8]);
    partial.extend(why);
    [&[0x0a, partial.len() as u8][..], &partial].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message;

    #[test]
    fn any_number_of_rejected_spans_is_told() {
        for malformed in [1, 127, 128, 300, 1 << 40, u64::MAX >> 1] {
            let message = export_response(Taken {
                malformed,
                ..Taken::default()
            });
            let response = ExportTraceServiceResponse::decode(&message[..]).unwrap();
            let partial = response.partial_success.unwrap();
            assert_eq!(partial.rejected_spans.cast_unsigned(), malformed);
            assert_eq!(partial.error_message, "spans without usable ids");
        }
    }
}
