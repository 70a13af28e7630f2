//! The small rules of the HTTP semantic conventions: which methods are known, how a span is named,
//! what of a URL may be shown, how few attributes fit on the stack.

use std::borrow::Cow;

use http::Version;

use crate::telemetry::{Attribute, Value};

/// What a method outside of the list becomes.
pub(super) const OTHER: &str = "_OTHER";

/// A method of the conventions' list, or `_OTHER`.
pub(super) fn known_method(method: &str) -> &'static str {
    match method {
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

/// `network.protocol.version`.
pub(super) fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// The text, or as many of its leading characters as fit.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        text
    } else {
        &text[..text.floor_char_boundary(bytes)]
    }
}

/// A `Host` header as address and port; without one, the scheme's.
pub(super) fn split_host<'a>(host: &'a str, scheme: &str) -> (&'a str, u16) {
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
pub(super) fn redact(query: &str) -> Cow<'_, str> {
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
pub(super) struct Attributes<'a> {
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
    pub(super) fn push(&mut self, key: &'static str, value: Option<Value<'a>>) {
        if let (Some(value), Some(slot)) = (value, self.all.get_mut(self.len)) {
            *slot = (key, value);
            self.len += 1;
        }
    }

    pub(super) fn as_slice(&self) -> &[Attribute<'a>] {
        &self.all[..self.len]
    }
}

/// `{method} {route}`, or the method alone; `HTTP` is the conventions' name for one not in the list.
pub(super) fn span_name(method: &'static str, route: Option<&'static str>) -> Box<str> {
    let method = if method == OTHER { "HTTP" } else { method };
    match route {
        Some(route) => format!("{method} {route}").into(),
        None => method.into(),
    }
}

/// A status code as text without allocation.
pub(super) struct CodeText([u8; 3]);

impl CodeText {
    pub(super) fn new(code: u16) -> CodeText {
        let digit = |n: u16| b'0' + (n % 10) as u8;
        CodeText([digit(code / 100), digit(code / 10), digit(code)])
    }

    pub(super) fn as_str(&self) -> &str {
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
        assert_eq!(&*span_name("POST", Some("/predict")), "POST /predict");
        assert_eq!(&*span_name("GET", None), "GET");
        assert_eq!(&*span_name(OTHER, None), "HTTP");
        assert_eq!(&*span_name(OTHER, Some("/predict")), "HTTP /predict");
    }
}
