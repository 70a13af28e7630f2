//! What a gRPC answer means for a batch: status and details from headers or trailers in, the same
//! [`Answer`] as for HTTP out.

use std::time::Duration;

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, StatusCode};
use prost::Message;

use super::answer::{Answer, taken};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The answer of an OTLP/gRPC receiver. `trailers` are the headers of a trailers-only answer.
pub(super) fn answer(status: StatusCode, trailers: &HeaderMap, body: &[u8]) -> Answer {
    let code = trailers
        .get("grpc-status")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    match code {
        // The message follows its five-byte head; we never ask for a compressed one.
        Some(0) => taken(body.get(5..).unwrap_or_default()),
        Some(code) => failure(code, trailers),
        None if status != StatusCode::OK => failure(code_of_http(status), trailers),
        // The stream ended without its verdict: it may or may not have been taken.
        None => Answer::again("grpc_no_status"),
    }
}

fn failure(code: u8, trailers: &HeaderMap) -> Answer {
    let message = trailers
        .get("grpc-message")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let reason = format!("grpc_{}", name(code)).into();
    match code {
        8 if message.contains("larger%20than%20max") || message.contains("larger than max") => {
            Answer::TooLarge
        }
        // RESOURCE_EXHAUSTED without RetryInfo need not be retried by the specification. We do: a
        // collector's memory limiter sends it just so, and giving up would lose what we can keep.
        1 | 4 | 8 | 10 | 11 | 14 | 15 => Answer::Again {
            reason,
            after: retry_delay(trailers),
            cause: None,
        },
        _ => Answer::Never { reason },
    }
}

fn retry_delay(trailers: &HeaderMap) -> Option<Duration> {
    const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let details = ANY_PADDING
        .decode(trailers.get("grpc-status-details-bin")?)
        .ok()?;
    let status = Status::decode(details.as_slice()).ok()?;
    let any = status
        .details
        .into_iter()
        .find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(any.value.as_slice()).ok()?.retry_delay?;
    Some(Duration::new(
        u64::try_from(delay.seconds).ok()?,
        u32::try_from(delay.nanos).ok()?,
    ))
}

/// What an answer without gRPC status means
/// (github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md).
fn code_of_http(status: StatusCode) -> u8 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

fn name(code: u8) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    NAMES.get(usize::from(code)).copied().unwrap_or("UNKNOWN")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers(code: u8) -> HeaderMap {
        HeaderMap::from_iter([("grpc-status".parse().unwrap(), u16::from(code).into())])
    }

    #[test]
    fn statuses_fall_into_the_classes_of_the_specification() {
        for code in [1, 4, 8, 10, 11, 14, 15] {
            let answer = answer(StatusCode::OK, &trailers(code), b"");
            assert!(
                matches!(answer, Answer::Again { after: None, .. }),
                "{code} {answer:?}"
            );
        }
        for code in [2, 3, 5, 6, 7, 9, 12, 13, 16] {
            let answer = answer(StatusCode::OK, &trailers(code), b"");
            assert!(matches!(answer, Answer::Never { .. }), "{code} {answer:?}");
        }
        let proxy = answer(StatusCode::BAD_GATEWAY, &HeaderMap::new(), b"<html>");
        assert!(matches!(proxy, Answer::Again { .. }));
    }

    #[test]
    fn retry_info_is_found_with_and_without_padding() {
        let delay = Some(Delay {
            seconds: 2,
            nanos: 500_000_000,
        });
        let any = Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: RetryInfo { retry_delay: delay }.encode_to_vec(),
        };
        let details = Status { details: vec![any] }.encode_to_vec();
        use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
        for text in [STANDARD.encode(&details), STANDARD_NO_PAD.encode(&details)] {
            let mut trailers = trailers(8);
            trailers.insert("grpc-status-details-bin", text.parse().unwrap());
            let Answer::Again { after, .. } = answer(StatusCode::OK, &trailers, b"") else {
                panic!("retryable");
            };
            assert_eq!(after, Some(Duration::from_millis(2500)));
        }
    }
}
