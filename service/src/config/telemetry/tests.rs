//! Each variable against what the OpenTelemetry specification says of it.

use super::*;
use crate::config::{Cli, Command};
use crate::telemetry::{Compression, OtlpConfig, Protocol};
use clap::Parser as _;

fn read(variables: &[(&str, &str)]) -> Result<TelemetryEnvironment, TelemetryConfigError> {
    let Command::Serve(args) = Cli::parse_from(["iris-prediction-api"]).command() else {
        panic!("serve is the default")
    };
    let lookup = |name: &str| {
        variables
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| (*value).to_owned())
    };
    TelemetryEnvironment::read(&args, &lookup)
}

fn otlp(variables: &[(&str, &str)]) -> OtlpConfig {
    match read(variables).unwrap().config.exporter {
        Exporter::Otlp(otlp) => otlp,
        Exporter::None { reason } => panic!("no exporter: {reason}"),
    }
}

fn reason(variables: &[(&str, &str)]) -> String {
    match read(variables).unwrap().config.exporter {
        Exporter::None { reason } => reason,
        Exporter::Otlp(otlp) => panic!("exports to {}", otlp.endpoint),
    }
}

const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

#[test]
fn without_an_endpoint_nothing_is_exported_and_the_reason_is_said() {
    assert_eq!(reason(&[]), "OTEL_EXPORTER_OTLP_ENDPOINT is not set");
    assert_eq!(
        reason(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]),
        "OTEL_SDK_DISABLED is true"
    );
    assert_eq!(
        reason(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]),
        "OTEL_TRACES_EXPORTER is none"
    );
    assert_eq!(
        otlp(&[ENDPOINT, ("OTEL_SDK_DISABLED", "1")]).endpoint,
        "http://collector:4318/v1/traces"
    );
}

#[test]
fn only_the_general_endpoint_gets_the_path_of_traces() {
    assert_eq!(
        otlp(&[ENDPOINT]).endpoint,
        "http://collector:4318/v1/traces"
    );
    assert_eq!(
        otlp(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/base/")]).endpoint,
        "http://c:1/base/v1/traces"
    );
    let verbatim = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:1/x");
    assert_eq!(otlp(&[ENDPOINT, verbatim]).endpoint, "http://c:1/x");
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(
        otlp(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"), grpc]).endpoint,
        "http://c:4317"
    );
    let bare = ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317");
    assert_eq!(
        otlp(&[bare, grpc, ("OTEL_EXPORTER_OTLP_INSECURE", "true")]).endpoint,
        "http://c:4317"
    );
}

#[test]
fn the_scheme_decides_about_tls_and_grpc_without_one_means_tls() {
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let bare = ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317");
    assert_eq!(otlp(&[bare, grpc]).endpoint, "https://c:4317");
    let no = ("OTEL_EXPORTER_OTLP_INSECURE", "false");
    assert_eq!(otlp(&[bare, grpc, no]).endpoint, "https://c:4317");
    let https = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c");
    let files = [
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/general.pem"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/tls.crt"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/tls.key"),
    ];
    let all = [&files[..], &[https]].concat();
    let secure = otlp(&all);
    assert_eq!(secure.endpoint, "https://c/v1/traces");
    let paths = [
        secure.certificate,
        secure.client_certificate,
        secure.client_key,
    ];
    let expected = ["/ca.pem", "/tls.crt", "/tls.key"].map(|path| Some(path.into()));
    assert_eq!(paths, expected);
    let warnings = |variables: &[_]| read(variables).unwrap().warnings.join("\n");
    assert_eq!(warnings(&all), "");
    let yes = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    assert_eq!(
        warnings(&[https, yes]),
        "OTEL_EXPORTER_OTLP_INSECURE has no effect: the endpoint is https://"
    );
    for file in files {
        let plain = [ENDPOINT, file];
        assert!(warnings(&plain).ends_with("have no effect: the endpoint is http://"));
    }
}

#[test]
fn defaults_are_the_specification_s_and_the_form_for_traces_wins() {
    let plain = otlp(&[ENDPOINT]);
    assert_eq!(
        (plain.protocol, plain.timeout),
        (Protocol::HttpProtobuf, Duration::from_secs(10))
    );
    assert_eq!(
        (plain.compression, plain.headers.len()),
        (Compression::None, 0)
    );
    let given = otlp(&[
        ENDPOINT,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20abc, x-tenant=1",
        ),
    ]);
    assert_eq!(
        (given.protocol, given.timeout),
        (Protocol::HttpProtobuf, Duration::from_millis(2_500))
    );
    assert_eq!(given.compression, Compression::Gzip);
    let expected = [("authorization", "Bearer abc"), ("x-tenant", "1")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(given.headers, expected);
}

#[test]
fn what_can_not_be_obeyed_is_refused_in_words() {
    let cases: [&[(&str, &str)]; 8] = [
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector:4318")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")],
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://")],
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")],
        &[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization Bearer abc"),
        ],
        &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "console")],
    ];
    let errors = cases.map(|variables| read(variables).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn what_has_no_effect_is_warned_about() {
    let read = read(&[
        ENDPOINT,
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "4096"),
        ("OTEL_PROPAGATORS", "b3,tracecontext"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b"),
        ("OTEL_LOG_LEVEL", "loud"),
    ]);
    let read = read.unwrap();
    assert!(read.config.propagate);
    insta::assert_snapshot!(read.warnings.join("\n"));
}

#[test]
fn propagation_is_w3c_or_none() {
    assert!(read(&[]).unwrap().config.propagate);
    assert!(
        !read(&[("OTEL_PROPAGATORS", "none")])
            .unwrap()
            .config
            .propagate
    );
    assert!(
        !read(&[("OTEL_PROPAGATORS", "b3")])
            .unwrap()
            .config
            .propagate
    );
}

#[test]
fn the_resource_is_read_in_order_and_decoded() {
    let config = read(&[
        ("POD_NAME", "iris-7d4"),
        ("NODE_NAME", "node-1"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=ignored,team=a%2Cb,k8s.node.name=better",
        ),
        ("OTEL_SERVICE_NAME", "iris"),
    ]);
    let config = config.unwrap().config;
    assert_eq!(config.service_name, "iris");
    let keys: Vec<_> = config
        .resource_attributes
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        keys,
        [
            version,
            "k8s.pod.name=iris-7d4",
            "k8s.node.name=node-1",
            "team=a,b",
            "k8s.node.name=better"
        ]
    );
    let named = read(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-attributes")]).unwrap();
    assert_eq!(named.config.service_name, "from-attributes");
    assert_eq!(
        read(&[]).unwrap().config.service_name,
        "iris-prediction-api"
    );
}
