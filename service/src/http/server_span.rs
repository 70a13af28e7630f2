//! A request as a server span by the HTTP semantic conventions (1.42, `http/http-spans.md`): what
//! the request says is kept as shared header bytes, and becomes attributes when the span ends.

use std::{borrow::Cow, net::SocketAddr};

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};

use super::traceparent::{self, Parent};
use crate::telemetry::{
    Attribute, Kind, SpanContext, SpanRecord, Status, Value, new_span_id, new_trace_id,
};

// Everything that a caller chooses is cut, so that a request's spans fit what admission reserved.
const PATH_BYTES: usize = 512;
const QUERY_BYTES: usize = 256;
const HOST_BYTES: usize = 255;
const USER_AGENT_BYTES: usize = 256;
const METHOD_BYTES: usize = 64;
const ADDRESS_BYTES: usize = 64;

/// The other end of a connection, with its address as text: written once, not once a request.
#[derive(Clone, Debug)]
pub struct Peer {
    address: String,
    port: u16,
}

impl From<SocketAddr> for Peer {
    fn from(peer: SocketAddr) -> Peer {
        Peer {
            address: peer.ip().to_canonical().to_string(),
            port: peer.port(),
        }
    }
}

/// How an exchange ended, as far as the span tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome<'a> {
    /// `None`: no response was sent.
    pub(super) status: Option<u16>,
    /// In place of the status code, for failures of our own.
    pub(super) error_type: Option<&'a str>,
}

/// What is known of a server span when its request comes in.
#[derive(Debug)]
pub(super) struct ServerSpan {
    pub(super) context: SpanContext,
    parent_span_id: Option<[u8; 8]>,
    pub(super) trace_state: Box<str>,
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    forwarded: Option<Box<Forwarded>>,
}

/// What a trusted proxy says about the request it passes on.
#[derive(Debug)]
struct Forwarded {
    scheme: Option<HeaderValue>,
    client: Option<HeaderValue>,
}

impl ServerSpan {
    pub(super) fn new<B>(
        request: &Request<B>,
        propagate: bool,
        trust_forwarded: bool,
    ) -> ServerSpan {
        let headers = request.headers();
        let parent = if propagate {
            traceparent::parent(headers)
        } else {
            None
        };
        let (trace_id, parent_span_id, trace_state) = match parent {
            Some(Parent {
                trace_id,
                span_id,
                trace_state,
            }) => (trace_id, Some(span_id), trace_state),
            None => (new_trace_id(), None, Box::default()),
        };
        ServerSpan {
            context: SpanContext {
                trace_id,
                span_id: new_span_id(),
            },
            parent_span_id,
            trace_state,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            host: headers.get(header::HOST).cloned(),
            user_agent: headers.get(header::USER_AGENT).cloned(),
            forwarded: trust_forwarded.then(|| Box::new(Forwarded::new(headers))),
        }
    }

    /// Builds the ended span and passes it to `record`.
    pub(super) fn end(
        &self,
        peer: &Peer,
        route: Option<&'static str>,
        times_unix_ns: (u64, u64),
        outcome: Outcome<'_>,
        record: impl FnOnce(&SpanRecord<'_>),
    ) {
        let mut attributes = Attributes::default();
        let method = known_method(&self.method);
        self.describe_request(peer, method, &mut attributes);
        attributes.push("http.route", route.map(Value::Str));
        let code = outcome.status.map(|status| CodeText::new(status));
        attributes.push(
            "http.response.status_code",
            outcome.status.map(|s| Value::Int(s.into())),
        );
        // 4xx is the client's mistake: on a server span neither an error nor a type of one.
        let failed = outcome.status.is_none_or(|status| status >= 500);
        let error_type = outcome.error_type.or(code.as_ref().map(CodeText::as_str));
        attributes.push("error.type", error_type.filter(|_| failed).map(Value::Str));
        let query = self.uri.query().map(redact);
        attributes.push(
            "url.query",
            query
                .as_deref()
                .map(|query| Value::Str(cut(query, QUERY_BYTES))),
        );
        let name = Name::new(method, route);
        record(&SpanRecord {
            context: self.context,
            parent_span_id: self.parent_span_id,
            trace_state: &self.trace_state,
            name: name.as_str(),
            kind: Kind::Server,
            start_unix_ns: times_unix_ns.0,
            end_unix_ns: times_unix_ns.1.max(times_unix_ns.0),
            attributes: attributes.as_slice(),
            // No description: the code says it all.
            status: if failed {
                Status::Error("")
            } else {
                Status::Unset
            },
        });
    }

    fn describe_request<'a>(
        &'a self,
        peer: &'a Peer,
        method: &'static str,
        to: &mut Attributes<'a>,
    ) {
        to.push("http.request.method", Some(Value::Str(method)));
        let original =
            (method == OTHER).then(|| Value::Str(cut(self.method.as_str(), METHOD_BYTES)));
        to.push("http.request.method_original", original);
        to.push(
            "url.path",
            Some(Value::Str(cut(self.uri.path(), PATH_BYTES))),
        );
        let scheme = self.scheme();
        to.push("url.scheme", Some(Value::Str(scheme)));
        to.push(
            "network.protocol.version",
            Some(Value::Str(version(self.version))),
        );
        let host = self.uri.authority().map(http::uri::Authority::as_str);
        if let Some(host) = host
            .or(self.host.as_ref().and_then(text))
            .filter(|host| !host.is_empty())
        {
            let (address, port) = split_host(cut(host, HOST_BYTES), scheme);
            to.push("server.address", Some(Value::Str(address)));
            to.push("server.port", Some(Value::Int(port.into())));
        }
        let client = self
            .forwarded
            .as_ref()
            .and_then(|forwarded| forwarded.client());
        to.push(
            "client.address",
            Some(Value::Str(client.unwrap_or(&peer.address))),
        );
        to.push("network.peer.address", Some(Value::Str(&peer.address)));
        to.push("network.peer.port", Some(Value::Int(peer.port.into())));
        let agent = self.user_agent.as_ref().and_then(text);
        to.push(
            "user_agent.original",
            agent.map(|agent| Value::Str(cut(agent, USER_AGENT_BYTES))),
        );
    }

    fn scheme(&self) -> &str {
        let forwarded = self
            .forwarded
            .as_ref()
            .and_then(|f| f.scheme.as_ref())
            .and_then(text);
        let known = forwarded.filter(|scheme| matches!(*scheme, "http" | "https"));
        known
            .or(self.uri.scheme_str().map(|scheme| cut(scheme, 8)))
            .unwrap_or("http")
    }
}

impl Forwarded {
    fn new(headers: &HeaderMap) -> Forwarded {
        Forwarded {
            scheme: headers.get("x-forwarded-proto").cloned(),
            client: headers.get("x-forwarded-for").cloned(),
        }
    }

    /// The first address in the list is the original client's.
    fn client(&self) -> Option<&str> {
        let list = self.client.as_ref().and_then(text)?;
        let first = list.split(',').next()?.trim();
        (!first.is_empty()).then(|| cut(first, ADDRESS_BYTES))
    }
}

const OTHER: &str = "_OTHER";

/// A method of the conventions' list, or `_OTHER`.
pub(super) fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "POST" => "POST",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        "QUERY" => "QUERY",
        _ => OTHER,
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}

fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        text
    } else {
        &text[..text.floor_char_boundary(bytes)]
    }
}

fn split_host<'a>(host: &'a str, scheme: &str) -> (&'a str, u16) {
    let default = if scheme == "https" { 443 } else { 80 };
    let (address, port) = match host.rsplit_once(':') {
        // The last colon of a bare IPv6 address is none of ours.
        Some((address, port)) if !port.ends_with(']') => (address, port.parse().ok()),
        _ => (host, None),
    };
    (
        address.trim_start_matches('[').trim_end_matches(']'),
        port.unwrap_or(default),
    )
}

/// The values that the conventions ask to hide: signatures and keys of signed URLs.
fn redact(query: &str) -> Cow<'_, str> {
    const SECRET: [&str; 4] = ["AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature"];
    let secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(key, _)| SECRET.contains(&key))
    };
    if !query.split('&').any(secret) {
        return Cow::Borrowed(query);
    }
    let shown = |pair: &str| match pair.split_once('=') {
        Some((key, _)) if secret(pair) => format!("{key}=REDACTED"),
        _ => pair.to_owned(),
    };
    Cow::Owned(query.split('&').map(shown).collect::<Vec<_>>().join("&"))
}

/// Attributes on the stack.
struct Attributes<'a> {
    all: [Attribute<'a>; 16],
    len: usize,
}

impl Default for Attributes<'_> {
    fn default() -> Self {
        Attributes {
            all: [("", Value::Bool(false)); 16],
            len: 0,
        }
    }
}

impl<'a> Attributes<'a> {
    fn push(&mut self, key: &'static str, value: Option<Value<'a>>) {
        if let (Some(value), Some(slot)) = (value, self.all.get_mut(self.len)) {
            *slot = (key, value);
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[Attribute<'a>] {
        &self.all[..self.len]
    }
}

/// `{method} {route}`, put together on the stack; the route alone decides if it is too long.
struct Name {
    bytes: [u8; 96],
    len: usize,
    alone: &'static str,
}

impl Name {
    fn new(method: &'static str, route: Option<&'static str>) -> Name {
        // The conventions' name for a method outside the list is `HTTP`.
        let method = if method == OTHER { "HTTP" } else { method };
        let mut name = Name {
            bytes: [0; 96],
            len: 0,
            alone: method,
        };
        if let Some(route) = route {
            let len = method.len() + 1 + route.len();
            if let Some(bytes) = name.bytes.get_mut(..len) {
                bytes[..method.len()].copy_from_slice(method.as_bytes());
                bytes[method.len()] = b' ';
                bytes[method.len() + 1..].copy_from_slice(route.as_bytes());
                name.len = len;
            }
        }
        name
    }

    fn as_str(&self) -> &str {
        let whole = std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default();
        if whole.is_empty() { self.alone } else { whole }
    }
}

/// A status code as text without allocation.
struct CodeText([u8; 3]);

impl CodeText {
    fn new(code: u16) -> CodeText {
        let digit = |n: u16| b'0' + (n % 10) as u8;
        CodeText([digit(code / 100), digit(code / 10), digit(code)])
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_split_into_address_and_port() {
        assert_eq!(
            split_host("iris.example:8080", "http"),
            ("iris.example", 8080)
        );
        assert_eq!(split_host("iris.example", "https"), ("iris.example", 443));
        assert_eq!(split_host("[::1]:8080", "http"), ("::1", 8080));
        assert_eq!(split_host("[::1]", "http"), ("::1", 80));
    }

    #[test]
    fn secrets_in_queries_are_hidden_and_texts_are_cut_at_characters() {
        assert_eq!(redact("a=1&sig=abc&b"), "a=1&sig=REDACTED&b");
        assert_eq!(redact("signature=x"), "signature=x");
        assert_eq!(cut("aé", 2), "a");
    }

    #[test]
    fn names_never_hold_what_a_caller_chose() {
        assert_eq!(
            Name::new("POST", Some("/predict")).as_str(),
            "POST /predict"
        );
        assert_eq!(Name::new("GET", None).as_str(), "GET");
        assert_eq!(Name::new(OTHER, None).as_str(), "HTTP");
        assert_eq!(Name::new(OTHER, Some("/predict")).as_str(), "HTTP /predict");
    }
}
