//! What the pipeline is told: plain values, already parsed and judged by `config.rs`.

use std::{path::PathBuf, time::Duration};

/// Everything telemetry needs to know to start.
#[derive(Clone, Debug, PartialEq)]
pub struct TelemetryConfig {
    /// `service.name`.
    pub service_name: String,
    /// Resource attributes in order, percent-decoded; a later key replaces an earlier one.
    /// `service.name` is not repeated here.
    pub resource_attributes: Vec<(String, String)>,
    /// Where spans go.
    pub exporter: Exporter,
    /// Whether an incoming W3C `traceparent` is continued.
    pub propagate: bool,
    /// Memory for spans that are not acknowledged yet, in bytes.
    pub span_buffer_bytes: u64,
    /// What yields when that memory is full.
    pub on_pressure: OnPressure,
    /// Once the collector has taken nothing for this long and memory is full, requests are served
    /// and the oldest spans are lost. (A collector that never took any gets 5 s at most.)
    pub collector_patience: Duration,
    /// Where spans are kept on disk, too.
    pub spill: Option<SpillConfig>,
    /// Number of connections to the collector.
    pub export_connections: usize,
    /// How long shutdown waits for the collector to acknowledge the rest.
    pub flush_timeout: Duration,
}

/// A directory of this process alone, for spans that are not delivered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillConfig {
    /// It is made if need be.
    pub directory: PathBuf,
    /// Its files take no more than this, in bytes.
    pub limit_bytes: u64,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq)]
pub enum Exporter {
    /// Nowhere: no span is recorded.
    None {
        /// Why, in words for the one log line that says so.
        reason: String,
    },
    /// To an OTLP receiver.
    Otlp(OtlpConfig),
}

/// An OTLP receiver and how to speak to it.
#[derive(Clone, Debug, PartialEq)]
pub struct OtlpConfig {
    /// Complete URL, by whose scheme TLS is used (`https`) or not (`http`): for HTTP/protobuf with its path (`/v1/traces` is already
    /// there), for gRPC the origin.
    pub endpoint: String,
    /// Wire protocol.
    pub protocol: Protocol,
    /// Deadline of one export attempt.
    pub timeout: Duration,
    /// Headers (gRPC: metadata) of every export, percent-decoded.
    pub headers: Vec<(String, String)>,
    /// Compression of the request body.
    pub compression: Compression,
    /// PEM file of the certificate authorities to trust instead of the system's
    /// (`OTEL_EXPORTER_OTLP_CERTIFICATE`).
    pub certificate: Option<PathBuf>,
    /// PEM file of our certificate, for mutual TLS.
    pub client_certificate: Option<PathBuf>,
    /// PEM file of our key, for mutual TLS.
    pub client_key: Option<PathBuf>,
}

/// OTLP's wire protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `grpc`.
    Grpc,
    /// `http/protobuf`.
    HttpProtobuf,
}

/// OTLP's body compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// gzip.
    Gzip,
}

/// What yields when the span buffer is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPressure {
    /// Requests: 503 with `Retry-After`, so that every answered request has its trace.
    Shed,
    /// Spans: answered without trace, and counted.
    Drop,
}
