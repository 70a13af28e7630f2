//! What a request says about itself, as the attributes of its span: encoded when it comes in, and
//! only once for all the like requests of a connection, as most of a connection's are.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderName, Request, header};

use super::conventions::{
    Attributes, OTHER, cut, known_method, redact, span_name, split_host, version,
};
use crate::telemetry::{EncodedAttributes, Kind, SpanContext, SpanRecord, Status, Template, Value};

// Everything that a caller chooses is cut, so that a request's spans fit what admission reserved.
const PATH_BYTES: usize = 512;
const QUERY_BYTES: usize = 256;
const HOST_BYTES: usize = 255;
const USER_AGENT_BYTES: usize = 256;
const METHOD_BYTES: usize = 64;
const ADDRESS_BYTES: usize = 64;

/// The other end of a connection: its address as text, and how its last request was described.
#[derive(Debug)]
pub struct Peer {
    address: String,
    port: u16,
    last: Mutex<Option<Arc<Description>>>,
}

impl From<SocketAddr> for Peer {
    fn from(peer: SocketAddr) -> Peer {
        let address = peer.ip().to_canonical().to_string();
        Peer {
            address,
            port: peer.port(),
            last: Mutex::default(),
        }
    }
}

/// A request described.
#[derive(Debug)]
pub(super) struct Description {
    /// Of which requests this is the description; `None`: of one only.
    like: Option<Like>,
    /// The span's name.
    pub(super) name: Box<str>,
    /// Its attributes, but for those that only the response tells.
    pub(super) attributes: EncodedAttributes,
    /// The span of a request that was answered with 200, as most are; with a parent or without, as
    /// that of the request that was described.
    pub(super) ok: Template,
}

/// All that the attributes depend on. Bytes of our own: a header shared with hyper would keep the
/// whole buffer it came in.
#[derive(Debug)]
struct Like {
    method: Box<str>,
    version: &'static str,
    path: Box<str>,
    host: Option<Box<[u8]>>,
    user_agent: Option<Box<[u8]>>,
}

/// A request's head, as far as a span tells of it; whoever has parsed it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
    pub(super) authority: Option<&'a str>,
    pub(super) scheme: Option<&'a str>,
    /// `network.protocol.version`.
    pub(super) version: &'static str,
    pub(super) host: Option<&'a [u8]>,
    pub(super) user_agent: Option<&'a [u8]>,
    /// `X-Forwarded-Proto` and `X-Forwarded-For`, where they are believed.
    pub(super) forwarded: Option<[Option<&'a str>; 2]>,
}

impl<'a> Head<'a> {
    pub(super) fn new<B>(request: &'a Request<B>, trust_forwarded: bool) -> Head<'a> {
        let (uri, headers) = (request.uri(), request.headers());
        let bytes = |name: HeaderName| headers.get(name).map(http::HeaderValue::as_bytes);
        let forwarded =
            || ["x-forwarded-proto", "x-forwarded-for"].map(|name| header_text(headers, name));
        Head {
            method: request.method().as_str(),
            path: uri.path(),
            query: uri.query(),
            authority: uri.authority().map(http::uri::Authority::as_str),
            scheme: uri.scheme_str(),
            version: version(request.version()),
            host: bytes(header::HOST),
            user_agent: bytes(header::USER_AGENT),
            forwarded: trust_forwarded.then(forwarded),
        }
    }

    /// Whether it may be described as another one was.
    fn is_plain(&self) -> bool {
        self.forwarded.is_none() && self.query.is_none() && self.authority.is_none()
    }
}

impl Peer {
    /// Describes the request.
    pub(super) fn describe(
        &self,
        head: &Head<'_>,
        route: Option<&'static str>,
        has_parent: bool,
    ) -> Arc<Description> {
        // A connection has one request at a time: the lock is never waited for.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|known| known.is_of(head)) {
            return known.clone();
        }
        let attributes = self.attributes(head, route);
        let name = span_name(known_method(head.method), route);
        let description = Arc::new(Description {
            like: head.is_plain().then(|| Like::new(head)),
            ok: ok(&name, &attributes, has_parent),
            name,
            attributes,
        });
        if head.is_plain() {
            *last = Some(description.clone());
        }
        description
    }

    fn attributes(&self, head: &Head<'_>, route: Option<&'static str>) -> EncodedAttributes {
        let [proto, list] = head.forwarded.unwrap_or_default();
        let mut all = Attributes::default();
        let method = known_method(head.method);
        all.push("http.request.method", Some(Value::Str(method)));
        let original = (method == OTHER).then(|| cut(head.method, METHOD_BYTES));
        all.push("http.request.method_original", original.map(Value::Str));
        all.push("url.path", Some(Value::Str(cut(head.path, PATH_BYTES))));
        let query = head.query.map(redact);
        let query = query.as_deref().map(|query| cut(query, QUERY_BYTES));
        all.push("url.query", query.map(Value::Str));
        let scheme = proto.filter(|scheme| matches!(*scheme, "http" | "https"));
        let scheme = scheme
            .or(head.scheme)
            .map_or("http", |scheme| cut(scheme, 8));
        all.push("url.scheme", Some(Value::Str(scheme)));
        all.push("http.route", route.map(Value::Str));
        all.push("network.protocol.version", Some(Value::Str(head.version)));
        let host = head.authority.or(head.host.and_then(text));
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            let (address, port) = split_host(cut(host, HOST_BYTES), scheme);
            all.push("server.address", Some(Value::Str(address)));
            all.push("server.port", Some(Value::Int(port.into())));
        }
        // The first address in the list is the original client's.
        let client = list.and_then(|list| list.split(',').next()).map(str::trim);
        let client = client.filter(|client| !client.is_empty());
        let client = client.map_or(self.address.as_str(), |client| cut(client, ADDRESS_BYTES));
        all.push("client.address", Some(Value::Str(client)));
        all.push("network.peer.address", Some(Value::Str(&self.address)));
        all.push("network.peer.port", Some(Value::Int(self.port.into())));
        let agent = head.user_agent.and_then(text);
        let agent = agent.map(|agent| cut(agent, USER_AGENT_BYTES));
        all.push("user_agent.original", agent.map(Value::Str));
        EncodedAttributes::new(all.as_slice())
    }
}

fn ok(name: &str, attributes: &EncodedAttributes, has_parent: bool) -> Template {
    let span = SpanRecord {
        context: SpanContext {
            trace_id: [0; 16],
            span_id: [0; 8],
        },
        parent_span_id: has_parent.then_some([0; 8]),
        trace_state: "",
        name,
        kind: Kind::Server,
        start_unix_ns: 0,
        end_unix_ns: 0,
        attributes: &[("http.response.status_code", Value::Int(200))],
        status: Status::Unset,
    };
    Template::new(&span, attributes)
}

impl Description {
    fn is_of(&self, head: &Head<'_>) -> bool {
        let Some(like) = &self.like else { return false };
        head.is_plain()
            && *like.method == *head.method
            && like.version == head.version
            && *like.path == *head.path
            && like.host.as_deref() == head.host
            && like.user_agent.as_deref() == head.user_agent
    }
}

impl Like {
    fn new(head: &Head<'_>) -> Like {
        Like {
            method: head.method.into(),
            version: head.version,
            path: head.path.into(),
            host: head.host.map(Box::from),
            user_agent: head.user_agent.map(Box::from),
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    text(headers.get(name)?.as_bytes())
}
