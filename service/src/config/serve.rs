//! Options of `serve`, each a flag and an environment variable.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::{LogFormat, size::bytes};
use crate::predict::Limits;
use crate::telemetry::OnPressure;

/// Options of `serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDR",
        env = "IRIS_LISTEN",
        default_value = "0.0.0.0:8080"
    )]
    pub listen: SocketAddr,
    /// Serve this model artifact instead of the built-in one
    #[arg(long, value_name = "PATH", env = "IRIS_MODEL")]
    pub model: Option<PathBuf>,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", env = "IRIS_WORKERS")]
    pub workers: Option<NonZeroUsize>,
    /// Write the bound address to this file once the service is ready
    #[arg(long, value_name = "PATH", env = "IRIS_PORT_FILE")]
    pub port_file: Option<PathBuf>,

    /// After SIGTERM, keep serving this long while /readyz answers 503
    #[arg(long, value_name = "TIME", env = "IRIS_DRAIN_DELAY", default_value = "5s", value_parser = humantime::parse_duration, help_heading = "Shutdown")]
    pub drain_delay: Duration,
    /// Then wait this long for requests under way
    #[arg(long, value_name = "TIME", env = "IRIS_DRAIN_TIMEOUT", default_value = "20s", value_parser = humantime::parse_duration, help_heading = "Shutdown")]
    pub drain_timeout: Duration,
    /// Then wait this long for the collector to acknowledge the last spans
    #[arg(long, value_name = "TIME", env = "IRIS_FLUSH_TIMEOUT", default_value = "10s", value_parser = humantime::parse_duration, help_heading = "Shutdown")]
    pub flush_timeout: Duration,

    /// Most connections at once; more are answered 503
    #[arg(
        long,
        value_name = "N",
        env = "IRIS_MAX_CONNECTIONS",
        default_value = "10000",
        help_heading = "Limits"
    )]
    pub max_connections: NonZeroUsize,
    /// Longest time for a request's head to arrive
    #[arg(long, value_name = "TIME", env = "IRIS_HEADER_TIMEOUT", default_value = "10s", value_parser = humantime::parse_duration, help_heading = "Limits")]
    pub header_timeout: Duration,
    /// Longest time for a body to make no progress
    #[arg(long, value_name = "TIME", env = "IRIS_STALL_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration, help_heading = "Limits")]
    pub stall_timeout: Duration,
    /// Longest time for a connection to be idle; longer than the load balancer's in front
    #[arg(long, value_name = "TIME", env = "IRIS_IDLE_TIMEOUT", default_value = "620s", value_parser = humantime::parse_duration, help_heading = "Limits")]
    pub idle_timeout: Duration,
    /// Largest request body
    #[arg(long, value_name = "BYTES", env = "IRIS_MAX_BODY_BYTES", default_value = "1MiB", value_parser = bytes, help_heading = "Limits")]
    pub max_body_bytes: u64,
    /// Most flowers in one batch
    #[arg(
        long,
        value_name = "N",
        env = "IRIS_MAX_BATCH",
        default_value = "1000",
        help_heading = "Limits"
    )]
    pub max_batch: NonZeroUsize,

    /// Trace probes too (/livez, /readyz, /healthz, /metrics)
    #[arg(long, env = "IRIS_TRACE_PROBES", action = ArgAction::SetTrue, help_heading = "Traces")]
    pub trace_probes: bool,
    /// Believe X-Forwarded-For and X-Forwarded-Proto; only behind a proxy that sets them
    #[arg(long, env = "IRIS_TRUST_FORWARDED", action = ArgAction::SetTrue, help_heading = "Traces")]
    pub trust_forwarded: bool,
    /// Memory for spans that are not acknowledged yet
    #[arg(long, value_name = "BYTES", env = "IRIS_SPAN_BUFFER", default_value = "128MiB", value_parser = bytes, help_heading = "Traces")]
    pub span_buffer: u64,
    /// What yields when that memory is full
    #[arg(
        long,
        value_name = "WHAT",
        env = "IRIS_ON_SPAN_PRESSURE",
        default_value = "shed",
        help_heading = "Traces"
    )]
    pub on_span_pressure: Yield,
    /// How long requests yield to the spans of a collector that takes none; then the oldest spans are lost, and counted
    #[arg(long, value_name = "TIME", env = "IRIS_COLLECTOR_PATIENCE", default_value = "60s", value_parser = humantime::parse_duration, help_heading = "Traces")]
    pub collector_patience: Duration,
    /// Keep undelivered spans in this directory too: they outlive a long outage and this process
    #[arg(
        long,
        value_name = "DIR",
        env = "IRIS_SPAN_SPILL",
        help_heading = "Traces"
    )]
    pub span_spill: Option<PathBuf>,
    /// Largest size of that directory
    #[arg(long, value_name = "BYTES", env = "IRIS_SPAN_SPILL_LIMIT", default_value = "1GiB", value_parser = bytes, help_heading = "Traces")]
    pub span_spill_limit: u64,
    /// Connections to the collector
    #[arg(
        long,
        value_name = "N",
        env = "IRIS_EXPORT_CONNECTIONS",
        default_value = "2",
        help_heading = "Traces"
    )]
    pub export_connections: NonZeroUsize,

    /// What is logged, e.g. `info` or `warn,iris_prediction_api=debug`
    #[arg(
        long,
        value_name = "FILTER",
        env = "IRIS_LOG",
        default_value = "info",
        help_heading = "Logs"
    )]
    pub log: String,
    /// How log lines look
    #[arg(
        long,
        value_name = "FORMAT",
        env = "IRIS_LOG_FORMAT",
        default_value = "json",
        help_heading = "Logs"
    )]
    pub log_format: LogFormat,
    /// Google Cloud project whose traces log lines point to
    #[arg(
        long,
        value_name = "PROJECT",
        env = "GOOGLE_CLOUD_PROJECT",
        help_heading = "Logs"
    )]
    pub google_cloud_project: Option<String>,
}

/// What yields when the memory for spans is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Yield {
    /// Requests: 503 with Retry-After, so that every answered request has its trace
    Shed,
    /// Spans: answered without a trace, and counted
    Drop,
}

impl From<Yield> for OnPressure {
    fn from(yields: Yield) -> OnPressure {
        match yields {
            Yield::Shed => OnPressure::Shed,
            Yield::Drop => OnPressure::Drop,
        }
    }
}

impl ServeArgs {
    /// Bounds on one request.
    pub fn limits(&self) -> Limits {
        let body_bytes = usize::try_from(self.max_body_bytes).unwrap_or(usize::MAX);
        Limits {
            body_bytes,
            batch: self.max_batch.get(),
        }
    }
}
