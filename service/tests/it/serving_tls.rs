//! The binary and its variables for TLS: what it refuses to start with, and what its log says while
//! it and the collector do not trust each other.

use std::{fs, path::Path, process::Stdio};

use crate::{
    certificates::Authority,
    cli::refused,
    serving::{predict, start_logging, terminate},
    sink::Sink,
    telemetry_faults::wait_until,
    tls_front::Front,
};

const HTTPS: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:4318");
const CA: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const CLIENT: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
const KEY: &str = "OTEL_EXPORTER_OTLP_CLIENT_KEY";

#[test]
fn files_that_can_not_be_used_are_refused_at_the_start() {
    let authority = Authority::new("private");
    let (client, other) = (authority.client(), authority.server("other"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let garbage = file("garbage", "no PEM at all\n");
    let begun = file("begun", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let broken = file(
        "broken",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    let empty = file(
        "empty",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let (ca, certificate, key) = (
        text(&authority.certificate),
        text(&client.certificate),
        text(&client.key),
    );
    let other_key = text(&other.key);
    let cases: [&[(&str, &str)]; 12] = [
        &[(CA, "/nonexistent/ca.pem")],
        &[(CA, "/")],
        &[(CA, &garbage)],
        &[(CA, &begun)],
        &[(CA, &broken)],
        &[(CA, &empty)],
        &[(CA, &key)],
        &[(CA, &ca), (CLIENT, &certificate)],
        &[(CA, &ca), (KEY, &key)],
        &[(CA, &ca), (CLIENT, &certificate), (KEY, &certificate)],
        &[(CA, &ca), (CLIENT, &certificate), (KEY, &other_key)],
        &[("SSL_CERT_FILE", "/nonexistent/system.pem")],
    ];
    let said = cases.map(|variables| refused(&["serve"], &[&[HTTPS], variables].concat(), 2));
    let folders = [folder.path(), authority.certificate.parent().unwrap()];
    let said = folders.iter().fold(said.concat(), |said, folder| {
        said.replace(folder.to_str().unwrap(), "<folder>")
    });
    insta::assert_snapshot!(said);
}

#[test]
fn the_log_says_why_a_collector_is_not_trusted_and_then_that_it_is() {
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    let (sink, folder) = (Sink::start([]), tempfile::tempdir().unwrap());
    let front = Front::start(&sink, wrong.server("localhost").config(None));
    let endpoint = format!("localhost:{}", front.address.port());
    // gRPC without a scheme; the system's authorities are the ones in this file.
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("SSL_CERT_FILE", right.certificate.to_str().unwrap()),
        ("IRIS_LISTEN", "127.0.0.1:0"),
        ("IRIS_DRAIN_DELAY", "0s"),
        ("IRIS_LOG_FORMAT", "json"),
    ];
    let path = folder.path().join("log");
    let log = Stdio::from(fs::File::create(&path).unwrap());
    let mut service = start_logging(log, folder.path(), &["serve"], &variables);
    predict(&service.address);
    let line = |of: &str| {
        let log = fs::read_to_string(&path).unwrap();
        log.lines()
            .find(|line| line.contains(of))
            .map(str::to_owned)
    };
    wait_until(|| line("tls_error").is_some());
    let line_of_error: serde_json::Value =
        serde_json::from_str(&line("tls_error").unwrap()).unwrap();
    assert_eq!(line_of_error["severity"], "WARNING");
    assert_eq!(
        line_of_error["cause"],
        format!("TLS with {endpoint}: invalid peer certificate: UnknownIssuer")
    );
    front.show(right.server("localhost").config(None));
    sink.wait_for_spans(3);
    terminate(&mut service);
    assert!(line("the collector takes spans again").is_some());
    // The request's three, start-up and shutdown.
    assert_eq!(sink.distinct(), 5);
}
