//! Where traces come in, and who tells what became of them.

use crate::run::traces::Source;
use clap::Args;
use std::net::SocketAddr;

/// The sources of traces.
#[derive(Debug, Args)]
pub struct TracesArgs {
    /// Where traces are read: otlp (the verifier receives them), collector-file[=PATH], jaeger[=URL], tempo[=URL],
    /// cloud-trace=PROJECT. Several: the first is judged, the others are held against it [default: otlp]
    #[arg(long, value_name = "SOURCE")]
    pub traces: Vec<Source>,

    /// The metrics of the collector on the way, whose books tell where spans were lost
    /// [default: http://127.0.0.1:8888/metrics, if it answers, where traces are read from somewhere]
    #[arg(long, value_name = "URL")]
    pub collector: Option<String>,

    /// Where traces come in by OTLP/gRPC [default: 127.0.0.1:4317; a free port if the service is started here]
    #[arg(long, value_name = "ADDRESS", env = "VERIFIER_OTLP_GRPC")]
    pub otlp_grpc: Option<SocketAddr>,

    /// Where traces come in by OTLP/HTTP [default: 127.0.0.1:4318; a free port if the service is started here]
    #[arg(long, value_name = "ADDRESS", env = "VERIFIER_OTLP_HTTP")]
    pub otlp_http: Option<SocketAddr>,
}
