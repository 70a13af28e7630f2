//! `OTEL_EXPORTER_OTLP_*`, and before them their `OTEL_EXPORTER_OTLP_TRACES_*` forms.
//!
//! Source: opentelemetry-specification, specification/protocol/exporter.md.

use std::time::Duration;

use http::Uri;

use super::telemetry::{TelemetryConfigError, Variables, milliseconds, pairs, wrong};
use crate::telemetry::{Compression, OtlpConfig, Protocol};

/// The specification's default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A variable's name and value; the form for traces wins.
struct Given {
    variable: String,
    value: String,
    for_traces: bool,
}

fn given(variables: Variables<'_>, name: &str) -> Option<Given> {
    let (traces, general) = (
        format!("OTEL_EXPORTER_OTLP_TRACES_{name}"),
        format!("OTEL_EXPORTER_OTLP_{name}"),
    );
    match variables(&traces) {
        Some(value) => Some(Given {
            variable: traces,
            value,
            for_traces: true,
        }),
        None => Some(Given {
            value: variables(&general)?,
            variable: general,
            for_traces: false,
        }),
    }
}

/// The receiver that the variables name; `None` if they name no endpoint.
pub(super) fn receiver(
    variables: Variables<'_>,
    warnings: &mut Vec<String>,
) -> Result<Option<OtlpConfig>, TelemetryConfigError> {
    let Some(endpoint) = given(variables, "ENDPOINT") else {
        return Ok(None);
    };
    let protocol = protocol(variables)?;
    let timeout = given(variables, "TIMEOUT")
        .and_then(|timeout| milliseconds(&timeout.variable, &timeout.value, warnings));
    let path = |name| given(variables, name).map(|given| given.value.into());
    let receiver = OtlpConfig {
        endpoint: url(&endpoint, protocol, insecure(variables))?,
        protocol,
        timeout: timeout.unwrap_or(TIMEOUT),
        headers: headers(variables)?,
        compression: compression(variables)?,
        certificate: path("CERTIFICATE"),
        client_certificate: path("CLIENT_CERTIFICATE"),
        client_key: path("CLIENT_KEY"),
    };
    if receiver.certificate.is_some()
        || receiver.client_certificate.is_some()
        || receiver.client_key.is_some()
    {
        warnings.push("OTEL_EXPORTER_OTLP_*CERTIFICATE and CLIENT_KEY have no effect: the endpoint is http://".to_owned());
    }
    Ok(Some(receiver))
}

fn protocol(variables: Variables<'_>) -> Result<Protocol, TelemetryConfigError> {
    let Some(Given {
        variable, value, ..
    }) = given(variables, "PROTOCOL")
    else {
        return Ok(Protocol::HttpProtobuf);
    };
    match value.as_str() {
        "grpc" => Ok(Protocol::Grpc),
        "http/protobuf" => Ok(Protocol::HttpProtobuf),
        _ => wrong(
            &variable,
            &value,
            "not supported; use grpc or http/protobuf",
        ),
    }
}

fn insecure(variables: Variables<'_>) -> bool {
    given(variables, "INSECURE").is_some_and(|insecure| insecure.value.eq_ignore_ascii_case("true"))
}

/// The complete URL: only the general endpoint of HTTP/protobuf gets the path of traces.
fn url(
    endpoint: &Given,
    protocol: Protocol,
    insecure: bool,
) -> Result<String, TelemetryConfigError> {
    let wrong = |problem| wrong(&endpoint.variable, &endpoint.value, problem);
    let mut url = endpoint.value.clone();
    if !url.contains("://") {
        match (protocol, insecure) {
            (Protocol::Grpc, true) => url.insert_str(0, "http://"),
            (Protocol::Grpc, false) => {
                return wrong(
                    "has no scheme, which means TLS, and TLS to the collector is not built in yet; use http://",
                );
            }
            (Protocol::HttpProtobuf, _) => return wrong("has no scheme; use http://host:4318"),
        }
    }
    let Ok(parsed) = url.parse::<Uri>() else {
        return wrong("is not a URL; use http://host:port");
    };
    match parsed.scheme_str() {
        Some("http")
            if parsed
                .authority()
                .is_some_and(|authority| !authority.host().is_empty()) => {}
        Some("https") => return wrong("TLS to the collector is not built in yet; use http://"),
        _ => return wrong("is not a URL of a collector; use http://host:port"),
    }
    if protocol == Protocol::HttpProtobuf && !endpoint.for_traces {
        url = format!("{}/v1/traces", url.trim_end_matches('/'));
    }
    Ok(url)
}

fn headers(variables: Variables<'_>) -> Result<Vec<(String, String)>, TelemetryConfigError> {
    let Some(Given {
        variable, value, ..
    }) = given(variables, "HEADERS")
    else {
        return Ok(Vec::new());
    };
    // The value may hold a token: an error names the variable, never the value.
    let secret = "(hidden)";
    let Ok(headers) = pairs(&value) else {
        return wrong(
            &variable,
            secret,
            "is not key=value,key=value in percent-encoded UTF-8",
        );
    };
    let valid = |(name, value): &(String, String)| {
        http::HeaderName::try_from(name.as_str()).is_ok()
            && http::HeaderValue::try_from(value.as_str()).is_ok()
    };
    if !headers.iter().all(valid) {
        return wrong(
            &variable,
            secret,
            "holds a name or value that no header can have",
        );
    }
    Ok(headers)
}

fn compression(variables: Variables<'_>) -> Result<Compression, TelemetryConfigError> {
    let Some(Given {
        variable, value, ..
    }) = given(variables, "COMPRESSION")
    else {
        return Ok(Compression::None);
    };
    match value.as_str() {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        _ => wrong(&variable, &value, "not supported; use gzip or none"),
    }
}
