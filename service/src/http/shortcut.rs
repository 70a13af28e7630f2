//! The short way of the commonest request: a `POST /predict` that came in one piece and is in order
//! is answered without hyper and router, with the same bytes, spans and metrics. Anything else is
//! left untouched for them. What it saves is a third of the service's own work per request.

use std::cell::RefCell;

use httparse::{EMPTY_HEADER, Status};

use super::{
    description::{Head, Peer},
    routes,
    server_span::ServerSpan,
    trace::{Observe, Trace},
    traceparent::{self, Parent},
};
use crate::{
    predict::{Predictor, at_once},
    telemetry::{Gathered, now_unix_ns},
};

/// A request with more headers takes the long way.
const HEADERS: usize = 32;

/// Tries the short way.
pub trait Shortcut {
    /// Answers the request that `received` begins with: appends the answer and tells the request's
    /// length; `None`, with nothing done, if it is not for the short way.
    fn answer(&self, received: &[u8], answer: &mut Vec<u8>) -> Option<usize>;
}

thread_local! {
    /// Room for the spans of the request at hand.
    static GATHERED: RefCell<Gathered> = RefCell::default();
}

/// A request for the short way.
struct Request<'a> {
    host: &'a [u8],
    user_agent: Option<&'a [u8]>,
    traceparent: Option<&'a [u8]>,
    body: &'a [u8],
    bytes: usize,
}

impl<'a> Request<'a> {
    /// Reads it, if it is whole and holds nothing that matters to anybody but us.
    fn read(received: &'a [u8]) -> Option<Request<'a>> {
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        let Ok(Status::Complete(head)) = parsed.parse(received) else {
            return None;
        };
        if parsed.version != Some(1)
            || parsed.method != Some("POST")
            || parsed.path != Some(routes::PREDICT)
        {
            return None;
        }
        let (mut length, mut host) = (None, None);
        let (mut user_agent, mut traceparent) = (None, None);
        for header in parsed.headers {
            let place = match header.name.len() {
                4 if header.name.eq_ignore_ascii_case("host") => &mut host,
                10 if header.name.eq_ignore_ascii_case("user-agent") => &mut user_agent,
                11 if header.name.eq_ignore_ascii_case("traceparent") => &mut traceparent,
                14 if header.name.eq_ignore_ascii_case("content-length") => &mut length,
                12 if header.name.eq_ignore_ascii_case("content-type") => {
                    if header.value != b"application/json" {
                        return None;
                    }
                    continue;
                }
                6 | 15 if is_one_of(header.name, &["accept", "accept-encoding"]) => continue,
                _ if is_one_of(header.name, &LONG_WAY) => return None,
                _ => continue,
            };
            // Twice the same is for those who know what that means.
            if place.replace(header.value).is_some() {
                return None;
            }
        }
        let length = digits(length?)?;
        Some(Request {
            host: host?,
            user_agent,
            traceparent,
            body: received.get(head..)?.get(..length)?,
            bytes: head + length,
        })
    }

    fn head(&self) -> Head<'a> {
        Head {
            method: "POST",
            path: routes::PREDICT,
            query: None,
            authority: None,
            scheme: None,
            version: "1.1",
            host: Some(self.host),
            user_agent: self.user_agent,
            forwarded: None,
        }
    }
}

/// Headers that change what a request means, or what its spans say.
const LONG_WAY: [&str; 6] = [
    "transfer-encoding",
    "connection",
    "expect",
    "upgrade",
    "tracestate",
    "content-encoding",
];

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A length of at most six digits; longer bodies come in several pieces anyway.
fn digits(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > 6 {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + usize::from(digit))
    })
}

/// One connection's short way.
pub(super) fn answer<O: Observe>(
    trace: &Trace<O>,
    predictor: &'static Predictor,
    peer: &Peer,
    received: &[u8],
    answer: &mut Vec<u8>,
) -> Option<usize> {
    let options = trace.options();
    if options.trust_forwarded {
        return None;
    }
    let start = now_unix_ns();
    let request = Request::read(received)?;
    let prepared = at_once::prepare(predictor, request.body)?;
    let recorder = trace.recorder();
    // Without room for its spans it waits, or is refused, on the long way.
    let permit = recorder.try_admit()?;
    trace.observer().started();
    let span = recorder.enabled().then(|| {
        let parent = request.traceparent.filter(|_| options.propagate);
        let parent = parent.and_then(traceparent::traceparent);
        let parent = parent.map(|(trace_id, span_id)| Parent {
            trace_id,
            span_id,
            trace_state: Box::default(),
        });
        ServerSpan::new(&request.head(), parent, peer, Some(routes::PREDICT))
    });
    let context = span.as_ref().map(|span| span.context);
    let mut gathered = GATHERED.take();
    gathered.clear();
    write(start, answer, |body| {
        let spans = std::mem::take(&mut gathered);
        gathered = at_once::answer(predictor, context, prepared, spans, body);
    });
    let end = now_unix_ns().max(start);
    if let Some(span) = &span {
        span.end_ok((start, end), &mut gathered);
    }
    recorder.record_gathered(&gathered, permit);
    GATHERED.set(gathered);
    let duration = std::time::Duration::from_nanos(end - start);
    trace
        .observer()
        .observe("POST", Some(routes::PREDICT), Some(200), duration);
    Some(request.bytes)
}

/// The answer as hyper writes it, around a body of less than a thousand bytes.
fn write(now_unix_ns: u64, answer: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    answer.extend_from_slice(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ",
    );
    let length = answer.len();
    answer.extend_from_slice(b"000\r\ndate: ");
    with_date(now_unix_ns / 1_000_000_000, |date| {
        answer.extend_from_slice(date);
    });
    answer.extend_from_slice(b"\r\n\r\n");
    let start = answer.len();
    body(answer);
    let bytes = answer.len() - start;
    let digits = [bytes / 100 % 10, bytes / 10 % 10, bytes % 10].map(|digit| b'0' + digit as u8);
    answer[length..length + 3].copy_from_slice(&digits);
}

/// The date of this second (RFC 9110, IMF-fixdate), written once a second.
fn with_date(unix_seconds: u64, read: impl FnOnce(&[u8])) {
    thread_local!(static DATE: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) });
    DATE.with_borrow_mut(|(written, date)| {
        if *written != unix_seconds {
            let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_seconds);
            *date = httpdate::fmt_http_date(now);
            *written = unix_seconds;
        }
        read(date.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str, body: &str) -> Option<usize> {
        let request = format!("{head}\r\n\r\n{body}");
        Request::read(request.as_bytes()).map(|request| {
            assert_eq!(request.body, &body.as_bytes()[..request.body.len()]);
            request.bytes
        })
    }

    #[test]
    fn what_is_whole_and_plain_is_read() {
        for head in [
            "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 2",
            "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nAccept: */*\r\nX-Request-Id: 7",
            "POST /predict HTTP/1.1\r\nHOST: x\r\ncontent-type: application/json\r\ncontent-length: 002",
        ] {
            assert_eq!(read(head, "{}"), Some(head.len() + 4 + 2), "{head}");
            assert!(read(head, "{}POST").is_some(), "the next may follow");
            assert_eq!(read(head, "{"), None, "{head}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        let plain = "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 2";
        for more in [
            "host: x",
            "content-length: 2",
            "Transfer-Encoding: chunked",
            "connection: close",
            "Connection: keep-alive",
            "expect: 100-continue",
            "upgrade: h2c",
            "tracestate: a=1",
            "content-encoding: gzip",
            "content-type: text/plain",
            "Content-Type: application/json; charset=utf-8",
            "traceparent: a\r\ntraceparent: a",
            "user-agent: a\r\nUser-Agent: b",
            "bad header: 1",
        ] {
            assert_eq!(read(&format!("{plain}\r\n{more}"), "{}"), None, "{more}");
        }
        for head in [
            "GET /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 2",
            "POST /predict HTTP/1.0\r\nhost: x\r\ncontent-length: 2",
            "POST /predict?a HTTP/1.1\r\nhost: x\r\ncontent-length: 2",
            "POST /predict/ HTTP/1.1\r\nhost: x\r\ncontent-length: 2",
            "POST http://x/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 2",
            "POST /predict HTTP/1.1\r\ncontent-length: 2",
            "POST /predict HTTP/1.1\r\nhost: x",
            "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: +2",
            "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 2, 2",
            "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999",
        ] {
            assert_eq!(read(head, "{}"), None, "{head}");
        }
        let many = "x: y\r\n".repeat(HEADERS);
        assert_eq!(read(&format!("{plain}\r\n{}", many.trim_end()), "{}"), None);
    }
}
