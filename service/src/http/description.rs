//! What a request says about itself, as the attributes of its span: encoded when it comes in, and
//! only once for all the like requests of a connection, as most of a connection's are.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderName, Method, Request, Version, header};

use super::conventions::{
    Attributes, OTHER, cut, known_method, redact, span_name, split_host, version,
};
use crate::telemetry::{EncodedAttributes, Value};

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
}

/// All that the attributes depend on. Bytes of our own: a header shared with hyper would keep the
/// whole buffer it came in.
#[derive(Debug)]
struct Like {
    method: Method,
    version: Version,
    path: Box<str>,
    host: Option<Box<[u8]>>,
    user_agent: Option<Box<[u8]>>,
}

impl Peer {
    /// Describes the request; with `trust_forwarded`, as a proxy says that it came to it.
    pub(super) fn describe<B>(
        &self,
        request: &Request<B>,
        route: Option<&'static str>,
        trust_forwarded: bool,
    ) -> Arc<Description> {
        // A connection has one request at a time: the lock is never waited for.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last
            .as_ref()
            .filter(|known| !trust_forwarded && known.is_of(request))
        {
            return known.clone();
        }
        let uri = request.uri();
        let alone = trust_forwarded || uri.query().is_some() || uri.authority().is_some();
        let description = Arc::new(Description {
            like: (!alone).then(|| Like::new(request)),
            name: span_name(known_method(request.method()), route),
            attributes: self.attributes(request, route, trust_forwarded),
        });
        if !alone {
            *last = Some(description.clone());
        }
        description
    }

    fn attributes<B>(
        &self,
        request: &Request<B>,
        route: Option<&'static str>,
        trust_forwarded: bool,
    ) -> EncodedAttributes {
        let (uri, headers) = (request.uri(), request.headers());
        let forwarded =
            |name| trust_forwarded.then(|| text(headers, &HeaderName::from_static(name)))?;
        let mut all = Attributes::default();
        let method = known_method(request.method());
        all.push("http.request.method", Some(Value::Str(method)));
        let original = (method == OTHER).then(|| cut(request.method().as_str(), METHOD_BYTES));
        all.push("http.request.method_original", original.map(Value::Str));
        all.push("url.path", Some(Value::Str(cut(uri.path(), PATH_BYTES))));
        let query = uri.query().map(redact);
        let query = query.as_deref().map(|query| cut(query, QUERY_BYTES));
        all.push("url.query", query.map(Value::Str));
        let scheme =
            forwarded("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https"));
        let scheme = scheme
            .or(uri.scheme_str())
            .map_or("http", |scheme| cut(scheme, 8));
        all.push("url.scheme", Some(Value::Str(scheme)));
        all.push("http.route", route.map(Value::Str));
        all.push(
            "network.protocol.version",
            Some(Value::Str(version(request.version()))),
        );
        let host = uri.authority().map(http::uri::Authority::as_str);
        if let Some(host) = host
            .or(text(headers, &header::HOST))
            .filter(|host| !host.is_empty())
        {
            let (address, port) = split_host(cut(host, HOST_BYTES), scheme);
            all.push("server.address", Some(Value::Str(address)));
            all.push("server.port", Some(Value::Int(port.into())));
        }
        // The first address in the list is the original client's.
        let client = forwarded("x-forwarded-for").and_then(|list| list.split(',').next());
        let client = client.map(str::trim).filter(|client| !client.is_empty());
        let client = client.map_or(self.address.as_str(), |client| cut(client, ADDRESS_BYTES));
        all.push("client.address", Some(Value::Str(client)));
        all.push("network.peer.address", Some(Value::Str(&self.address)));
        all.push("network.peer.port", Some(Value::Int(self.port.into())));
        let agent = text(headers, &header::USER_AGENT).map(|agent| cut(agent, USER_AGENT_BYTES));
        all.push("user_agent.original", agent.map(Value::Str));
        EncodedAttributes::new(all.as_slice())
    }
}

impl Description {
    fn is_of<B>(&self, request: &Request<B>) -> bool {
        let Some(like) = &self.like else { return false };
        let (uri, headers) = (request.uri(), request.headers());
        let same = |name, value: &Option<Box<[u8]>>| {
            headers.get(name).map(|found| found.as_bytes()) == value.as_deref()
        };
        like.method == *request.method()
            && like.version == request.version()
            && *like.path == *uri.path()
            && uri.query().is_none()
            && uri.authority().is_none()
            && same(header::HOST, &like.host)
            && same(header::USER_AGENT, &like.user_agent)
    }
}

impl Like {
    fn new<B>(request: &Request<B>) -> Like {
        let bytes = |name| {
            request
                .headers()
                .get(name)
                .map(|value| Box::from(value.as_bytes()))
        };
        Like {
            method: request.method().clone(),
            version: request.version(),
            path: request.uri().path().into(),
            host: bytes(header::HOST),
            user_agent: bytes(header::USER_AGENT),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    std::str::from_utf8(headers.get(name)?.as_bytes()).ok()
}
