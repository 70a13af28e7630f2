//! Jaeger with `testbed/jaeger.yaml`: traces in memory, the newest so many.

use super::{Process, built, checkout, free_address};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};

/// A Jaeger, running; see [`Process`] for its life.
pub struct Jaeger {
    process: Process,
    otlp: SocketAddr,
    query_http: SocketAddr,
    query_grpc: SocketAddr,
}

/// A healthy Jaeger that keeps so many traces.
pub fn jaeger(max_traces: u32) -> Option<Jaeger> {
    jaeger_with(max_traces, &[])
}

/// One with these variables of `testbed/jaeger.yaml`, too.
pub fn jaeger_with(max_traces: u32, environment: &[(&str, &str)]) -> Option<Jaeger> {
    let program = built()?.join("jaeger");
    let [otlp, query_http, query_grpc, health, metrics] = std::array::from_fn(|_| free_address());
    let mut process = Process::new(program, (health, "/status"));
    let config = checkout().join("testbed/jaeger.yaml");
    process.args = vec![format!("--config={}", config.display())];
    process.environment = [
        ("JAEGER_OTLP", otlp.to_string()),
        ("JAEGER_QUERY_HTTP", query_http.to_string()),
        ("JAEGER_QUERY_GRPC", query_grpc.to_string()),
        ("JAEGER_HEALTH", health.to_string()),
        ("JAEGER_METRICS_PORT", metrics.port().to_string()),
        ("JAEGER_MAX_TRACES", max_traces.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let more = environment.iter();
    process
        .environment
        .extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    process.start();
    Some(Jaeger {
        process,
        otlp,
        query_http,
        query_grpc,
    })
}

impl Jaeger {
    /// Where it takes OTLP over gRPC.
    pub fn otlp(&self) -> SocketAddr {
        self.otlp
    }

    /// Where it answers `/api/v3/..`.
    pub fn query_http(&self) -> SocketAddr {
        self.query_http
    }

    /// Where it answers `jaeger.api_v3.QueryService`.
    pub fn query_grpc(&self) -> SocketAddr {
        self.query_grpc
    }
}

impl Deref for Jaeger {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Jaeger {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
