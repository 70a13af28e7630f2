//! Why a request is refused, as OTLP says it over HTTP and over gRPC.
//!
//! Which codes are worth another try: opentelemetry.io/docs/specs/otlp, "Failures". Of those below only [`Refusal::not_now`].

use super::intake::NotTaken;
use http::StatusCode;

/// A refusal; what was refused is not recorded.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Over HTTP.
    pub(super) http: StatusCode,
    /// Over gRPC, and in the `google.rpc.Status` of HTTP.
    pub(super) grpc: u8,
    /// For a person: what was wrong, and what to do.
    pub(super) why: String,
}

const INVALID_ARGUMENT: u8 = 3;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;

fn refusal(http: StatusCode, grpc: u8, why: impl Into<String>) -> Refusal {
    Refusal {
        http,
        grpc,
        why: why.into(),
    }
}

impl Refusal {
    /// Nothing of ours is at that path.
    pub(super) fn elsewhere(why: impl Into<String>) -> Refusal {
        refusal(StatusCode::NOT_FOUND, UNIMPLEMENTED, why)
    }

    /// The path is right, the method is not.
    pub(super) fn method(why: impl Into<String>) -> Refusal {
        refusal(StatusCode::METHOD_NOT_ALLOWED, UNIMPLEMENTED, why)
    }

    /// Another format than protobuf.
    pub(super) fn format(why: impl Into<String>) -> Refusal {
        refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_ARGUMENT, why)
    }

    /// A compression that is not known here.
    pub(super) fn compression(why: impl Into<String>) -> Refusal {
        refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, UNIMPLEMENTED, why)
    }

    /// The content is no message.
    pub(super) fn broken(why: impl Into<String>) -> Refusal {
        refusal(StatusCode::BAD_REQUEST, INVALID_ARGUMENT, why)
    }

    /// The frame around the message is not what its protocol asks for.
    pub(super) fn torn(why: impl Into<String>) -> Refusal {
        refusal(StatusCode::BAD_REQUEST, INTERNAL, why)
    }

    /// More than a message may be. Without `RetryInfo` nobody tries this again.
    pub(super) fn too_large(largest: usize) -> Refusal {
        let why = format!("larger than {} MiB: send smaller batches", largest >> 20);
        refusal(StatusCode::PAYLOAD_TOO_LARGE, RESOURCE_EXHAUSTED, why)
    }

    /// Right, but not now: the sender keeps it and tries again.
    pub(super) fn not_now(why: impl Into<String>) -> Refusal {
        refusal(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, why)
    }
}

impl From<NotTaken> for Refusal {
    fn from(error: NotTaken) -> Refusal {
        match error {
            NotTaken::Malformed(_) | NotTaken::NoJson(..) => Refusal::broken(error.to_string()),
            NotTaken::NotRecording(_) => Refusal::not_now(error.to_string()),
        }
    }
}
