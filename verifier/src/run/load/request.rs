//! Requests, rendered once; only the traceparent changes from one to the next.

use super::Target;
use crate::plan::Request;
use crate::record::RunKey;
use std::fmt::Write;

/// Rendered requests, one per body of the plan; a copy per worker.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    rendered: Vec<Vec<u8>>,
    traceparent_at: usize,
    pub(super) head_only: bool,
}

impl Requests {
    /// The bytes of request `seq`, its traceparent in place.
    pub(super) fn bytes(&mut self, key: RunKey, seq: u64) -> &[u8] {
        let turn = usize::try_from(seq % self.rendered.len() as u64).unwrap_or(0);
        let bytes = &mut self.rendered[turn];
        bytes[self.traceparent_at..self.traceparent_at + 55].copy_from_slice(&key.traceparent(seq));
        bytes
    }
}

/// Renders the plan's request for HTTP/1.1.
pub(super) fn render(request: &Request, target: &Target) -> Requests {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
    if !request
        .headers
        .keys()
        .any(|name| name.eq_ignore_ascii_case("host"))
    {
        // Writing to a String does not fail.
        let _ = write!(head, "host: {}\r\n", target.host);
    }
    head.push_str("traceparent: ");
    let traceparent_at = head.len();
    head.push_str(&"0".repeat(55));
    head.push_str("\r\n");
    for (name, value) in &request.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let bodiless = matches!(
        request.method.as_str(),
        "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE"
    );
    let with_body = |body: &String| {
        let length = if bodiless && body.is_empty() {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        format!("{head}{length}\r\n{body}").into_bytes()
    };
    Requests {
        rendered: request.bodies.iter().map(with_body).collect(),
        traceparent_at,
        head_only: request.method == "HEAD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_carries_its_own_trace() {
        let target = Target {
            addresses: vec![],
            host: "iris:80".into(),
            tls: None,
        };
        let plan = Request {
            bodies: vec!["{}".into(), "[]".into()],
            ..Request::default()
        };
        let key = RunKey::from_seed(7);
        let mut requests = render(&plan, &target);
        let text = String::from_utf8(requests.bytes(key, 3).to_vec()).unwrap();
        let traceparent = String::from_utf8(key.traceparent(3).to_vec()).unwrap();
        assert_eq!(
            text,
            format!(
                "POST /predict HTTP/1.1\r\nhost: iris:80\r\ntraceparent: {traceparent}\r\n\
                 content-type: application/json\r\ncontent-length: 2\r\n\r\n[]"
            )
        );
    }
}
