//! A request as a server span by the HTTP semantic conventions (1.42, `http/http-spans.md`): what
//! the request says is kept as shared header bytes, and becomes attributes when the span ends.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};

use super::{
    conventions::{
        Attributes, CodeText, OTHER, SpanName, cut, known_method, redact, split_host, version,
    },
    traceparent::{self, Parent},
};
use crate::telemetry::{Kind, SpanContext, SpanRecord, Status, Value, new_span_id, new_trace_id};

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
        let code = outcome.status.map(CodeText::new);
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
        let name = SpanName::new(method, route);
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

fn text(value: &HeaderValue) -> Option<&str> {
    std::str::from_utf8(value.as_bytes()).ok()
}
