//! TLS to the collector: whom the service trusts, who it says it is, and what happens while they do
//! not agree: spans wait, the books say `tls_error`, nothing is lost.

use iris_prediction_api::telemetry::{OtlpConfig, Protocol, Telemetry, TelemetryConfig};

use crate::{
    certificates::{Authority, Identity},
    sink::{Sink, otlp},
    telemetry_delivery::{LONG, record},
    telemetry_faults::wait_until,
    tls_front::Front,
};

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::HttpProtobuf];

fn trusting(mut config: TelemetryConfig, authority: &Authority) -> TelemetryConfig {
    otlp(&mut config).certificate = Some(authority.certificate.clone());
    config
}

fn showing(mut config: TelemetryConfig, client: &Identity) -> TelemetryConfig {
    let otlp: &mut OtlpConfig = otlp(&mut config);
    otlp.client_certificate = Some(client.certificate.clone());
    otlp.client_key = Some(client.key.clone());
    config
}

/// 300 spans arrive, at the first attempt, and the right protocol was agreed on.
fn delivers(config: &TelemetryConfig, front: &Front, sink: &Sink, alpn: &str) {
    let telemetry = Telemetry::start(config).unwrap();
    record(&telemetry.recorder(), 100);
    let books = telemetry.shutdown(LONG);
    assert_eq!((books.acknowledged, books.lost_total()), (300, 0));
    assert!(books.export_retries.is_empty(), "{books:?}");
    assert_eq!((sink.distinct(), sink.spans().len()), (300, 300));
    let protocols = front.protocols();
    assert!(!protocols.is_empty());
    for protocol in protocols {
        assert_eq!(protocol.as_deref(), Some(alpn.as_bytes()));
    }
}

fn alpn(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "h2",
        Protocol::HttpProtobuf => "http/1.1",
    }
}

#[test]
fn a_private_authority_is_trusted_for_a_name_and_for_an_address() {
    let authority = Authority::new("private");
    for protocol in BOTH {
        for host in ["localhost", "127.0.0.1"] {
            let sink = Sink::start([]);
            let front = Front::start(&sink, authority.server(host).config(None));
            let config = trusting(front.config(host, protocol), &authority);
            delivers(&config, &front, &sink, alpn(protocol));
        }
    }
}

#[test]
fn a_collector_that_asks_who_we_are_is_told() {
    let (ours, theirs) = (Authority::new("services"), Authority::new("collectors"));
    for protocol in BOTH {
        let sink = Sink::start([]);
        let shows = theirs.server("localhost").config(Some(&ours));
        let front = Front::start(&sink, shows);
        let config = trusting(front.config("localhost", protocol), &theirs);
        let config = showing(config, &ours.client());
        delivers(&config, &front, &sink, alpn(protocol));
    }
}

/// Records, waits for failures of TLS, lets the right collector come up: everything is delivered.
fn waits_and_delivers(config: &TelemetryConfig, sink: &Sink, repair: impl FnOnce()) {
    let telemetry = Telemetry::start(config).unwrap();
    record(&telemetry.recorder(), 100);
    let retries = || {
        let retries = telemetry.books().export_retries;
        retries.get("tls_error").copied().unwrap_or_default()
    };
    wait_until(|| retries() >= 3);
    let books = telemetry.books();
    assert_eq!((books.acknowledged, books.lost_total()), (0, 0));
    assert_eq!(books.export_retries.len(), 1, "{books:?}");
    assert_eq!(sink.distinct(), 0);
    repair();
    let books = telemetry.shutdown(LONG);
    assert_eq!((books.acknowledged, books.lost_total()), (300, 0));
    assert_eq!((sink.distinct(), sink.spans().len()), (300, 300));
}

#[test]
fn whoever_is_not_trusted_gets_nothing_and_nothing_is_lost() {
    let (right, wrong) = (Authority::new("right"), Authority::new("wrong"));
    for protocol in BOTH {
        for shown in [wrong.server("localhost"), right.server("elsewhere")] {
            let sink = Sink::start([]);
            let front = Front::start(&sink, shown.config(None));
            let config = trusting(front.config("localhost", protocol), &right);
            let repair = || front.show(right.server("localhost").config(None));
            waits_and_delivers(&config, &sink, repair);
        }
    }
}

#[test]
fn a_collector_that_does_not_know_us_yet_gets_everything_later() {
    let authority = Authority::new("both sides");
    for protocol in BOTH {
        let sink = Sink::start([]);
        let server = authority.server("localhost");
        let front = Front::start(&sink, server.config(Some(&authority)));
        let nameless = trusting(front.config("localhost", protocol), &authority);
        // The refusal comes after our side of the handshake is done (TLS 1.3).
        waits_and_delivers(&nameless, &sink, || front.show(server.config(None)));
    }
}

#[test]
fn a_collector_without_tls_is_no_collector_for_https() {
    let authority = Authority::new("unused");
    for protocol in BOTH {
        let sink = Sink::start([]);
        let mut config = trusting(sink.config(protocol), &authority);
        let endpoint = &mut otlp(&mut config).endpoint;
        *endpoint = endpoint.replace("http://", "https://");
        let telemetry = Telemetry::start(&config).unwrap();
        record(&telemetry.recorder(), 100);
        wait_until(|| telemetry.books().export_retries.contains_key("tls_error"));
        assert_eq!(telemetry.books().lost_total(), 0);
        assert_eq!(sink.distinct(), 0);
        let books = telemetry.shutdown(std::time::Duration::ZERO);
        assert_eq!(books.lost["shutdown"], 300);
    }
}
