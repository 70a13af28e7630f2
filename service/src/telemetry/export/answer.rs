//! What the collector's answer means for a batch, by the OTLP specification
//! (opentelemetry.io/docs/specs/otlp: "Failures", "Partial success").

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use prost::Message;

use crate::telemetry::{ledger::Reason, now_unix_ns};

/// What to do with the batch.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// It is the collector's now, but for the rejected spans, which must not be sent again.
    Taken { rejected: u64, message: String },
    /// Send it again, not before `after` if the collector said so.
    Again {
        reason: Reason,
        after: Option<Duration>,
        /// For the log, where the reason does not say it all.
        cause: Option<String>,
    },
    /// Too large for this receiver: send it in halves.
    TooLarge,
    /// It will never be taken.
    Never { reason: Reason },
}

impl Answer {
    pub(super) fn again(reason: impl Into<Reason>) -> Answer {
        Answer::Again {
            reason: reason.into(),
            after: None,
            cause: None,
        }
    }
}

/// `ExportTraceServiceResponse`, as far as it matters.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// The body of a success. One that cannot be read still comes from a collector that said yes.
pub(super) fn taken(body: &[u8]) -> Answer {
    let partial = ExportResponse::decode(body)
        .unwrap_or_default()
        .partial_success
        .unwrap_or_default();
    Answer::Taken {
        rejected: u64::try_from(partial.rejected_spans).unwrap_or(0),
        message: partial.error_message,
    }
}

/// The answer of an OTLP/HTTP receiver.
pub(super) fn http(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    match status.as_u16() {
        200..=299 => taken(body),
        429 | 502 | 503 | 504 => Answer::Again {
            reason: format!("http_{}", status.as_u16()).into(),
            after: retry_after(headers, now_unix_ns()),
            cause: None,
        },
        413 => Answer::TooLarge,
        other => Answer::Never {
            reason: format!("http_{other}").into(),
        },
    }
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); a date in the past means now.
fn retry_after(headers: &HeaderMap, now_unix_ns: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = UNIX_EPOCH + Duration::from_nanos(now_unix_ns);
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_answers_fall_into_the_classes_of_the_specification() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, "7".parse().unwrap());
        for code in [429, 502, 503, 504] {
            let Answer::Again { after, .. } =
                http(StatusCode::from_u16(code).unwrap(), &headers, b"")
            else {
                panic!("{code} is retryable");
            };
            assert_eq!(after, Some(Duration::from_secs(7)));
        }
        for code in [400, 401, 404, 500, 301] {
            let answer = http(StatusCode::from_u16(code).unwrap(), &headers, b"");
            assert_eq!(
                answer,
                Answer::Never {
                    reason: format!("http_{code}").into()
                }
            );
        }
        assert_eq!(
            http(StatusCode::PAYLOAD_TOO_LARGE, &headers, b""),
            Answer::TooLarge
        );
    }

    #[test]
    fn a_collector_may_say_when_in_seconds_or_as_a_date() {
        // Tue, 14 Nov 2023 22:13:20 GMT, and half a second.
        let now = 1_700_000_000_500_000_000;
        let asked = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now)
        };
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(asked("120"), ms(120_000));
        assert_eq!(asked(" Tue, 14 Nov 2023 22:13:30 GMT"), ms(9_500));
        // The two obsolete forms, which a recipient must still read (RFC 9110, 5.6.7).
        assert_eq!(asked("Tuesday, 14-Nov-23 22:14:20 GMT"), ms(59_500));
        assert_eq!(asked("Tue Nov 14 22:13:21 2023"), ms(500));
        assert_eq!(asked("Tue, 14 Nov 2023 22:13:20 GMT"), ms(0));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), ms(0));
        for rubbish in ["soon", "-5", "1.5", "Tue, 14 Nov 2023", ""] {
            assert_eq!(asked(rubbish), None, "{rubbish}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn partial_success_is_read_and_rubbish_is_still_a_yes() {
        let partial = PartialSuccess {
            rejected_spans: 3,
            error_message: "too old".to_owned(),
        };
        let body = ExportResponse {
            partial_success: Some(partial),
        }
        .encode_to_vec();
        assert_eq!(
            taken(&body),
            Answer::Taken {
                rejected: 3,
                message: "too old".to_owned()
            }
        );
        assert_eq!(
            taken(b"\xff"),
            Answer::Taken {
                rejected: 0,
                message: String::new()
            }
        );
    }
}
