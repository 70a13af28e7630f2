//! Our collector with the configurations of `otel-collector/`, by name: `collector(&["local", "durable"], &[])`.

use super::{Process, built, checkout, free_address, get};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;

/// A collector, running; see [`Process`] for its life.
pub struct Collector {
    process: Process,
    grpc: SocketAddr,
    http: SocketAddr,
    metrics: SocketAddr,
}

/// A healthy collector with `base` and these configurations. The environment goes over what this sets; unless it
/// names them, nobody listens where Jaeger and the verifier should be.
pub fn collector(configs: &[&str], environment: &[(&str, String)]) -> Option<Collector> {
    let program = built()?.join("collector");
    let [grpc, http, health, metrics, jaeger, verifier] = std::array::from_fn(|_| free_address());
    let mut process = Process::new(program, (health, "/"));
    process.args = files(configs);
    for (name, value) in [
        ("COLLECTOR_GRPC", grpc.to_string()),
        ("COLLECTOR_HTTP", http.to_string()),
        ("COLLECTOR_HEALTH", health.to_string()),
        ("COLLECTOR_METRICS_PORT", metrics.port().to_string()),
        ("JAEGER_OTLP", jaeger.to_string()),
        ("VERIFIER_OTLP", verifier.to_string()),
    ]
    .iter()
    .chain(environment)
    {
        process
            .environment
            .push(((*name).to_owned(), value.clone()));
    }
    process.start();
    Some(Collector {
        process,
        grpc,
        http,
        metrics,
    })
}

/// What the collector itself says of `base` with these configurations.
pub fn validate(configs: &[&str]) -> Option<Result<(), String>> {
    let output = Command::new(built()?.join("collector"))
        .arg("validate")
        .args(files(configs))
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    Some(if output.status.success() {
        Ok(())
    } else {
        Err(complaint)
    })
}

fn files(configs: &[&str]) -> Vec<String> {
    let arg = |name: &&str| format!("--config={}", config(name).display());
    ["base"].iter().chain(configs).map(arg).collect()
}

/// The file of a configuration.
pub fn config(name: &str) -> PathBuf {
    checkout().join(format!("otel-collector/{name}.yaml"))
}

impl Collector {
    /// Where it takes OTLP over gRPC.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// Where it takes OTLP over HTTP, at `/v1/traces`.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where it tells its counters, at `/metrics`.
    pub fn metrics(&self) -> SocketAddr {
        self.metrics
    }

    /// The file of its `file` exporter: an OTLP/JSON object a line.
    pub fn traces_file(&self) -> PathBuf {
        self.folder().join("traces.json")
    }

    /// A counter, as `name` or `name{label="value"}`: the sum over all series that have these labels; `None` where the
    /// collector tells none, as it does for failures that never happened.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let labels = labels.strip_suffix('}').expect("name{label=\"value\"}");
        let (_, text) = get(self.metrics, "/metrics")?;
        let series = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (of, has) = series.split_once('{').unwrap_or((series, ""));
            let all = labels.split(',').all(|label| has.contains(label));
            (of == name && all).then(|| value.parse::<f64>().unwrap())
        });
        series.reduce(|sum, value| sum + value)
    }
}

impl Deref for Collector {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Collector {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
