//! The collector: where it is, and what every request to it says beside its body.

use std::{fmt::Display, time::Duration};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::{body::Pieces, tls::Tls};
use crate::telemetry::config::{Compression, OtlpConfig, Protocol};

const GRPC_PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The collector, and how to speak to it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    /// `None`: bare TCP.
    pub(super) tls: Option<Tls>,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) protocol: Protocol,
    gzip: bool,
    pub(super) timeout: Duration,
}

impl Target {
    pub(super) fn new(config: &OtlpConfig) -> Result<Target> {
        let endpoint = &config.endpoint;
        let uri: Uri = endpoint
            .parse()
            .with_context(|| format!("OTLP endpoint {endpoint:?} is no URL"))?;
        let secure = uri.scheme_str() == Some("https");
        ensure!(
            secure || uri.scheme_str() == Some("http"),
            "OTLP endpoint {endpoint:?}: only http:// and https:// are supported"
        );
        let host = uri
            .host()
            .with_context(|| format!("OTLP endpoint {endpoint:?} has no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let gzip = config.compression == Compression::Gzip;
        let port = uri.port_u16().unwrap_or(match config.protocol {
            Protocol::Grpc => 4317,
            Protocol::HttpProtobuf if secure => 443,
            Protocol::HttpProtobuf => 80,
        });
        Ok(Target {
            tls: secure.then(|| Tls::new(config, &host)).transpose()?,
            host,
            port,
            headers: headers(&uri, config, gzip)?,
            uri: request_uri(&uri, config.protocol)?,
            protocol: config.protocol,
            gzip,
            timeout: config.timeout,
        })
    }

    /// `host:port`, for a person.
    pub(super) fn origin(&self) -> impl Display {
        let (host, port) = (&self.host, self.port);
        std::fmt::from_fn(move |f| match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        })
    }

    /// Pieces of a message as the body of a request.
    pub(super) fn body(&self, pieces: Vec<Bytes>) -> Pieces {
        let pieces = Pieces::new(pieces);
        let pieces = if self.gzip { pieces.gzip() } else { pieces };
        match self.protocol {
            Protocol::Grpc => pieces.grpc_message(self.gzip),
            Protocol::HttpProtobuf => pieces,
        }
    }
}

fn request_uri(uri: &Uri, protocol: Protocol) -> Result<Uri> {
    let mut parts = uri.clone().into_parts();
    match protocol {
        Protocol::Grpc => {
            let prefix = uri.path().trim_end_matches('/');
            parts.path_and_query = Some(format!("{prefix}{GRPC_PATH}").parse()?);
        }
        // HTTP/1.1 wants the origin form; the host goes into its header.
        Protocol::HttpProtobuf => {
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            return Ok(path.parse()?);
        }
    }
    Ok(Uri::from_parts(parts)?)
}

fn headers(uri: &Uri, config: &OtlpConfig, gzip: bool) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!(
            "OTel-OTLP-Exporter-Rust/",
            env!("CARGO_PKG_VERSION"),
            " ",
            env!("CARGO_PKG_NAME")
        )),
    );
    let encoding = HeaderValue::from_static("gzip");
    match config.protocol {
        Protocol::Grpc => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/grpc"),
            );
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            if gzip {
                headers.insert("grpc-encoding", encoding);
            }
        }
        Protocol::HttpProtobuf => {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-protobuf"),
            );
            let host = uri.authority().map_or("", |authority| authority.as_str());
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            headers.insert(header::HOST, host.parse()?);
            if gzip {
                headers.insert(header::CONTENT_ENCODING, encoding);
            }
        }
    }
    for (name, value) in &config.headers {
        let bad = || format!("OTLP header {name:?} is not a valid HTTP header");
        let value = HeaderValue::from_str(value).with_context(bad)?;
        headers.insert(
            HeaderName::from_bytes(name.as_bytes()).with_context(bad)?,
            value,
        );
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(endpoint: &str, protocol: Protocol) -> Target {
        let authority = rcgen::generate_simple_self_signed([]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, authority.cert.pem()).unwrap();
        let config = OtlpConfig {
            endpoint: endpoint.to_owned(),
            protocol,
            timeout: Duration::from_secs(1),
            headers: Vec::new(),
            compression: Compression::None,
            certificate: Some(path),
            client_certificate: None,
            client_key: None,
        };
        Target::new(&config).unwrap()
    }

    #[test]
    fn scheme_and_protocol_decide_about_tls_and_the_port() {
        use Protocol::{Grpc, HttpProtobuf};
        for (endpoint, protocol, origin, tls) in [
            ("http://c", Grpc, "c:4317", false),
            ("https://c", Grpc, "c:4317", true),
            ("http://c/v1/traces", HttpProtobuf, "c:80", false),
            ("https://c/v1/traces", HttpProtobuf, "c:443", true),
            ("HTTPS://10.0.0.1:1/x", HttpProtobuf, "10.0.0.1:1", true),
            ("https://[::1]:4317", Grpc, "[::1]:4317", true),
        ] {
            let target = target(endpoint, protocol);
            assert_eq!(
                (target.origin().to_string().as_str(), target.tls.is_some()),
                (origin, tls)
            );
        }
        let grpc = target("https://c", Grpc).uri;
        assert_eq!(grpc.to_string(), format!("https://c{GRPC_PATH}"));
    }
}
