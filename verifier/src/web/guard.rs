//! Who may ask, and what a browser may do with the answer: before each request its host, its origin and its token are
//! looked at, and behind it every answer gets the headers that keep it what it is.

use super::refusal::Refusal;
use super::token::Token;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What the page itself may load and do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// Locust has these as GET, or had; they change something all the same.
const CHANGING: [&str; 2] = ["/stop", "/stats/reset"];

/// What is looked at.
pub(super) struct Guard {
    /// Only this machine reaches the page, by names of its own: whoever comes by another name was sent by somebody else.
    loopback: bool,
    token: Option<Token>,
    /// Cookies know no ports: two verifiers on one machine have two.
    cookie: String,
}

impl Guard {
    pub(super) fn new(address: SocketAddr, token: Option<Token>) -> Guard {
        Guard {
            loopback: address.ip().is_loopback(),
            token,
            cookie: format!("verifier_token_{}", address.port()),
        }
    }
}

/// The guard as a layer around all routes.
pub(super) async fn guard(
    State(guard): State<Arc<Guard>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match guard.look(request.method(), request.uri(), request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(answer)) => answer,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        // Where an answer has one of its own, it has a reason.
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    response
}

impl Guard {
    /// Whether the request may go on (`None`), or is answered here.
    fn look(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Option<Response>, Refusal> {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let host = text(header::HOST).unwrap_or_default();
        if self.loopback && !is_loopback(host) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                format!(
                    "the page is served to this machine alone, and {host:?} is no name of it: open it as localhost or 127.0.0.1"
                ),
            ));
        }
        let path = uri.path();
        let changes = !matches!(*method, Method::GET | Method::HEAD) || CHANGING.contains(&path);
        if changes {
            let foreign = text(header::ORIGIN).filter(|origin| !same_origin(origin, host));
            let site = text(HeaderName::from_static("sec-fetch-site"));
            let elsewhere = site.filter(|site| !matches!(*site, "same-origin" | "none"));
            if let Some(from) = foreign.or(elsewhere) {
                return Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    format!("a page of somebody else ({from:?}) may not change anything here"),
                ));
            }
        }
        match &self.token {
            Some(token) => self.admit(token, method, uri, headers),
            None => Ok(None),
        }
    }

    fn admit(
        &self,
        token: &Token,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Option<Response>, Refusal> {
        let given = uri.query().and_then(|query| parameter(query, "token"));
        if let Some(given) = given {
            if !token.is(&given) {
                return Err(unauthorized(
                    "the token in the address is not this verifier's",
                ));
            }
            // What a person opens: the token leaves the address, so that it is in no history and no picture.
            if *method == Method::GET && uri.path() == "/" {
                return Ok(Some(self.welcome(token)));
            }
            return Ok(None);
        }
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(header::COOKIE).iter();
        let cookies = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|all| all.split(';'));
        let mut cookies = cookies.filter_map(|one| one.trim().split_once('='));
        let known = bearer.is_some_and(|given| token.is(given.trim()))
            || cookies.any(|(name, given)| name == self.cookie && token.is(given));
        match known {
            true => Ok(None),
            false => Err(unauthorized(
                "this page needs the token of the verifier that serves it",
            )),
        }
    }

    fn welcome(&self, token: &Token) -> Response {
        let cookie = format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/",
            self.cookie,
            token.text()
        );
        let headers = [
            (header::LOCATION, "/".to_owned()),
            (header::SET_COOKIE, cookie),
        ];
        (StatusCode::SEE_OTHER, headers, Body::empty()).into_response()
    }
}

fn unauthorized(why: &str) -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        format!(
            "{why}: open the address that it printed when it started, with ?token=..., or send `Authorization: Bearer TOKEN`"
        ),
    )
}

/// A parameter of a query, decoded.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = { pairs }
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)?;
    Some(
        percent_decode_str(&value.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned(),
    )
}

/// The name without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
    if host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost") {
        return true;
    }
    let ip = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    ip.is_ok_and(|ip| ip.is_loopback())
}

/// A reverse proxy may speak TLS: only the name and the port are held against the host's.
fn same_origin(origin: &str, host: &str) -> bool {
    let scheme = origin.split_once("://");
    scheme.is_some_and(|(scheme, authority)| {
        matches!(scheme, "http" | "https")
            && !host.is_empty()
            && authority.eq_ignore_ascii_case(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine() {
        for own in [
            "localhost",
            "localhost:1",
            "LOCALHOST:8089",
            "a.localhost",
            "127.0.0.1:8089",
            "127.1.2.3",
            "[::1]:8089",
            "[::1]",
        ] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "",
            "evil.example",
            "evil.example:8089",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "[::2]:1",
            "0.0.0.0:1",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn origins() {
        assert!(same_origin("http://localhost:8089", "localhost:8089"));
        assert!(same_origin("https://run.example", "run.example"));
        for (origin, host) in [
            ("null", "localhost:8089"),
            ("http://evil.example", "localhost:8089"),
            ("http://localhost:9", "localhost:8089"),
            ("file://localhost:8089", "localhost:8089"),
            ("http://", ""),
        ] {
            assert!(!same_origin(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn parameters() {
        assert_eq!(
            parameter("a=b&token=x%20y+z", "token").as_deref(),
            Some("x y z")
        );
        assert_eq!(parameter("tokens=1", "token"), None);
    }
}
