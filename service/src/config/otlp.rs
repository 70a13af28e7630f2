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
    warn_of_ignored(&receiver, insecure(variables), warnings);
    Ok(Some(receiver))
}

/// What is said of TLS and does not fit the endpoint's scheme, which decides.
fn warn_of_ignored(receiver: &OtlpConfig, insecure: bool, warnings: &mut Vec<String>) {
    let files = [
        &receiver.certificate,
        &receiver.client_certificate,
        &receiver.client_key,
    ];
    if !has_scheme(&receiver.endpoint, "http") {
        if insecure {
            warnings.push(
                "OTEL_EXPORTER_OTLP_INSECURE has no effect: the endpoint is https://".to_owned(),
            );
        }
    } else if files.into_iter().any(Option::is_some) {
        warnings.push("OTEL_EXPORTER_OTLP_*CERTIFICATE and CLIENT_KEY have no effect: the endpoint is http://".to_owned());
    }
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once("://")
        .is_some_and(|(given, _)| given.eq_ignore_ascii_case(scheme))
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
            // TLS is what the specification means by none.
            (Protocol::Grpc, false) => url.insert_str(0, "https://"),
            (Protocol::HttpProtobuf, _) => {
                return wrong("has no scheme; use http://host:4318 or https://host");
            }
        }
    }
    let Ok(parsed) = url.parse::<Uri>() else {
        return wrong("is not a URL; use http://host:port or https://host:port");
    };
    let known = matches!(parsed.scheme_str(), Some("http" | "https"));
    if !known || parsed.host().is_none_or(str::is_empty) {
        return wrong("is not a URL of a collector; use http://host:port or https://host:port");
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
