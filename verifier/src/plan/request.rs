//! The request that exchanges make, and what HTTP allows of it.

use super::duration;
use anyhow::{Result, ensure};
use http::uri::{Authority, PathAndQuery};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Http {
    /// HTTP/1.1: a connection carries one request at a time.
    #[default]
    #[serde(rename = "1.1")]
    One,
    /// HTTP/2: over TLS by ALPN, else with prior knowledge (RFC 9113 section 3). In an open loop a connection
    /// carries as many requests at a time as the target allows.
    #[serde(rename = "2")]
    Two,
}

/// The request that every exchange makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// HTTP method.
    #[serde(deserialize_with = "method")]
    pub method: String,
    /// Path and query.
    #[serde(deserialize_with = "path")]
    pub path: String,
    /// Headers beside `host`, `content-length`, `traceparent`, which the generator sets.
    #[serde(deserialize_with = "headers")]
    pub headers: BTreeMap<String, String>,
    /// Bodies, taken in turn by sequence number; one empty body for none.
    #[serde(deserialize_with = "bodies")]
    pub bodies: Vec<String>,
    /// An exchange without its whole answer by then (from its send) ends as a timeout.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// Version of HTTP.
    pub http: Http,
}

impl Default for Request {
    fn default() -> Request {
        // One flower of each class, so that every class is predicted.
        let bodies = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.3, 3.3, 6.0, 2.5]].map(|[a, b, c, d]| {
            format!(r#"{{"sepal_length":{a:?},"sepal_width":{b:?},"petal_length":{c:?},"petal_width":{d:?}}}"#)
        });
        Request {
            method: "POST".into(),
            path: "/predict".into(),
            headers: BTreeMap::from([("content-type".into(), "application/json".into())]),
            bodies: bodies.into(),
            timeout: Duration::from_secs(5),
            http: Http::One,
        }
    }
}

fn token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

impl Request {
    /// Holds what a deserialized request holds already, for one that was changed since.
    ///
    /// # Errors
    /// When HTTP can not carry it.
    pub(super) fn check(&self) -> Result<()> {
        check_method(&self.method)?;
        check_path(&self.path)?;
        check_headers(&self.headers)?;
        check_bodies(&self.bodies)
    }
}

fn check_method(method: &str) -> Result<()> {
    ensure!(token(method), "method {method:?} is not an HTTP method");
    Ok(())
}

fn check_path(path: &str) -> Result<()> {
    ensure!(path.starts_with('/'), "path {path:?} must start with '/'");
    ensure!(
        path.bytes().all(|b| b.is_ascii_graphic()),
        "path {path:?} has a space, a control character or a letter that is not ASCII: percent-encode it"
    );
    Ok(())
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<()> {
    let own = [
        "content-length",
        "transfer-encoding",
        "traceparent",
        "connection",
    ];
    for (name, value) in headers {
        ensure!(token(name), "headers: {name:?} is not a header name");
        ensure!(
            value.bytes().all(|b| b == b'\t' || (32..127).contains(&b)),
            "headers.{name}: the value has a character that a header can not carry"
        );
        ensure!(
            !own.contains(&name.to_ascii_lowercase().as_str()),
            "headers.{name}: the load generator sets this header itself"
        );
    }
    Ok(())
}

/// Holds what HTTP/2 wants of a request beyond HTTP/1.1.
///
/// # Errors
/// When HTTP/2 can not carry it.
pub(super) fn check_for_http2(
    method: &str,
    path: &str,
    headers: &BTreeMap<String, String>,
) -> Result<()> {
    ensure!(
        method != "CONNECT",
        "method CONNECT: HTTP/2 knows it with a tunnel's meaning only"
    );
    ensure!(
        PathAndQuery::try_from(path).is_ok_and(|parsed| parsed.as_str() == path),
        "path {path:?} has a character that HTTP/2 does not carry in a path: percent-encode it"
    );
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        // RFC 9113 section 8.2.2.
        let of_one_connection = ["keep-alive", "proxy-connection", "upgrade"];
        ensure!(
            !of_one_connection.contains(&lower.as_str()) && (lower != "te" || value == "trailers"),
            "headers.{name}: there is no such header in HTTP/2"
        );
        ensure!(
            lower != "host" || Authority::try_from(value.as_str()).is_ok(),
            "headers.{name}: {value:?} is no host and port"
        );
    }
    Ok(())
}

fn check_bodies(bodies: &[String]) -> Result<()> {
    ensure!(
        !bodies.is_empty(),
        "bodies needs at least one body; \"\" for none"
    );
    Ok(())
}

/// Takes a field in, so that a complaint names the field's line.
fn checked<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    check: impl Fn(&T) -> Result<()>,
) -> Result<T, D::Error> {
    let value = T::deserialize(deserializer)?;
    check(&value).map_err(de::Error::custom)?;
    Ok(value)
}

pub(super) fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text: &String| check_method(text))
}

pub(super) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text: &String| check_path(text))
}

pub(super) fn headers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    checked(deserializer, check_headers)
}

pub(super) fn bodies<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    checked(deserializer, |bodies: &Vec<String>| check_bodies(bodies))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http2_does_not_carry_is_said() {
        let headers = |name: &str, value: &str| BTreeMap::from([(name.into(), value.into())]);
        let check = check_for_http2;
        assert!(check("POST", "/a?b=%7B&c='d'", &headers("host", "a.example:80")).is_ok());
        assert!(check("GET", "/", &headers("TE", "trailers")).is_ok());
        for (method, path, headers, why) in [
            ("CONNECT", "/", headers("a", "b"), "tunnel"),
            ("GET", "/a#b", headers("a", "b"), "percent-encode"),
            ("GET", "/a<b", headers("a", "b"), "percent-encode"),
            ("GET", "/", headers("Upgrade", "h2c"), "headers.Upgrade"),
            ("GET", "/", headers("te", "gzip"), "headers.te"),
            ("GET", "/", headers("Host", "a b"), "no host and port"),
        ] {
            let error = check(method, path, &headers).unwrap_err().to_string();
            assert!(error.contains(why), "{method} {path}: {error}");
        }
    }
}
