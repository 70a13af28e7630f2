//! Spans reach the collector complete, as described, over both protocols; the books say so.

use std::time::Duration;

use iris_prediction_api::telemetry::{
    Compression, Exporter, Kind, Protocol, Recorder, SpanContext, SpanRecord, Status, Telemetry,
    TelemetryConfig, Value, new_span_id, new_trace_id,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

use crate::sink::{Sink, otlp};

pub const LONG: Duration = Duration::from_secs(20);

/// Records `traces` traces of three spans each.
pub fn record(recorder: &Recorder, traces: usize) {
    for _ in 0..traces {
        let _permit = recorder.try_admit();
        let trace_id = new_trace_id();
        let root = new_span_id();
        record_one(
            recorder,
            trace_id,
            new_span_id(),
            Some(root),
            "data_preparation",
        );
        record_one(
            recorder,
            trace_id,
            new_span_id(),
            Some(root),
            "model_inference",
        );
        record_one(recorder, trace_id, root, None, "POST /predict");
    }
}

fn record_one(
    recorder: &Recorder,
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent_span_id: Option<[u8; 8]>,
    name: &str,
) {
    recorder.record(&SpanRecord {
        context: SpanContext { trace_id, span_id },
        parent_span_id,
        trace_state: "",
        name,
        kind: if parent_span_id.is_none() {
            Kind::Server
        } else {
            Kind::Internal
        },
        start_unix_ns: 1_700_000_000_000_000_000,
        end_unix_ns: 1_700_000_000_000_500_000,
        attributes: &[
            ("iris.class", Value::Str("virginica")),
            ("iris.confidence", Value::Double(0.5)),
        ],
        status: Status::Unset,
    });
}

fn complete(config: &TelemetryConfig, sink: &Sink) {
    let telemetry = Telemetry::start(config).unwrap();
    let recorder = telemetry.recorder();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| record(&recorder, 2_500));
        }
    });
    let books = telemetry.shutdown(LONG);
    assert!(books.balanced(), "{books}");
    assert_eq!(
        (books.started, books.acknowledged, books.lost_total()),
        (30_000, 30_000, 0)
    );
    assert_eq!(
        sink.spans().len(),
        30_000,
        "no duplicates when nothing fails"
    );
    assert_eq!(sink.distinct(), 30_000);
    assert!(
        sink.largest() < (1 << 20) + (260 << 10),
        "{} bytes in one message",
        sink.largest()
    );
    assert!(
        sink.headers()
            .iter()
            .all(|headers| headers["x-tenant"] == "flowers")
    );
}

#[test]
fn http_delivers_everything() {
    let sink = Sink::start([]);
    complete(&sink.config(Protocol::HttpProtobuf), &sink);
}

#[test]
fn grpc_delivers_everything() {
    let sink = Sink::start([]);
    complete(&sink.config(Protocol::Grpc), &sink);
}

#[test]
fn gzip_delivers_everything() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let sink = Sink::start([]);
        let mut config = sink.config(protocol);
        otlp(&mut config).compression = Compression::Gzip;
        complete(&config, &sink);
    }
}

#[test]
fn a_single_span_leaves_without_being_pushed() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
    record(&telemetry.recorder(), 1);
    sink.wait_for_spans(3);
    assert!(telemetry.flush(LONG));
    let books = telemetry.books();
    assert_eq!(
        (books.queued, books.in_flight, books.acknowledged),
        (0, 0, 3)
    );
}

#[test]
fn resource_and_scope_stand_before_the_spans() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::HttpProtobuf)).unwrap();
    record(&telemetry.recorder(), 1);
    telemetry.shutdown(LONG);
    let all = sink.resource_spans();
    let resource = all[0].resource.as_ref().unwrap();
    let text = |key: &str| {
        let found = resource.attributes.iter().find(|a| a.key == key);
        let value = found
            .unwrap_or_else(|| panic!("no {key}"))
            .value
            .clone()
            .unwrap()
            .value;
        match value {
            Some(Any::StringValue(text)) => text,
            other => format!("{other:?}"),
        }
    };
    assert_eq!(text("service.name"), "iris-under-test");
    assert_eq!(text("service.version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text("service.instance.id").len(), 36);
    assert_eq!(text("k8s.pod.name"), "pod-1");
    assert_eq!(text("telemetry.sdk.language"), "rust");
    assert_eq!(
        text("process.pid"),
        format!("Some(IntValue({}))", std::process::id())
    );
    for key in [
        "host.name",
        "os.type",
        "process.executable.name",
        "process.runtime.name",
    ] {
        assert!(!text(key).is_empty(), "{key}");
    }
    let scope = &all[0].scope_spans[0];
    assert_eq!(scope.scope.as_ref().unwrap().name, "iris-prediction-api");
    assert!(
        scope
            .schema_url
            .starts_with("https://opentelemetry.io/schemas/")
    );
}

#[test]
fn a_span_that_ends_after_shutdown_is_counted() {
    let sink = Sink::start([]);
    let telemetry = Telemetry::start(&sink.config(Protocol::Grpc)).unwrap();
    let (recorder, books) = (telemetry.recorder(), telemetry.books_handle());
    record(&recorder, 1);
    assert_eq!(telemetry.shutdown(LONG).acknowledged, 3);
    record(&recorder, 1);
    std::thread::scope(|scope| scope.spawn(|| record(&recorder, 1)).join().unwrap());
    let books = books();
    assert_eq!((books.started, books.lost["shutdown"]), (9, 6));
    assert!(books.balanced());
}

#[test]
fn without_exporter_nothing_is_recorded() {
    let sink = Sink::start([]);
    let mut config = sink.config(Protocol::Grpc);
    config.exporter = Exporter::None {
        reason: "not wanted".to_owned(),
    };
    let telemetry = Telemetry::start(&config).unwrap();
    assert!(!telemetry.recorder().enabled());
    record(&telemetry.recorder(), 1);
    assert_eq!(telemetry.shutdown(LONG).started, 0);
}

#[test]
fn an_endpoint_that_cannot_be_used_is_an_error_at_the_start() {
    let sink = Sink::start([]);
    for bad in ["ftp://collector:4317", "collector", "http://"] {
        let mut config = sink.config(Protocol::Grpc);
        otlp(&mut config).endpoint = bad.to_owned();
        assert!(Telemetry::start(&config).is_err(), "{bad}");
    }
}
