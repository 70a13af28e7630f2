//! The only reader of flags and environment: what comes out is parsed, judged and plain.

mod otlp;
mod serve;
mod size;
mod telemetry;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use serve::ServeArgs;
pub use telemetry::{TelemetryConfigError, TelemetryEnvironment};

/// Predicts the species of iris flowers over HTTP; every request leaves a trace.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_long_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

const AFTER_HELP: &str = "Traces are configured by the standard variables: OTEL_EXPORTER_OTLP_ENDPOINT (unset: no \
export), OTEL_EXPORTER_OTLP_PROTOCOL, _HEADERS, _TIMEOUT, _COMPRESSION and their OTEL_EXPORTER_OTLP_TRACES_* forms, \
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_PROPAGATORS, OTEL_TRACES_EXPORTER, OTEL_SDK_DISABLED, OTEL_LOG_LEVEL. \
POD_NAME, POD_NAMESPACE, POD_UID and NODE_NAME become k8s.* attributes.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve predictions (the default)
    Serve(Box<ServeArgs>),
    /// Train the model, judge it by cross-validation, and write it
    Train(TrainArgs),
    /// Ask a running service whether it is ready; exit 0 if it is, 1 if not
    Healthcheck(HealthcheckArgs),
}

/// Options of `train`.
#[derive(Args, Clone, Debug)]
pub struct TrainArgs {
    /// Write the model artifact here (JSON); without it, only the judgement is printed
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Options of `healthcheck`.
#[derive(Args, Clone, Debug)]
pub struct HealthcheckArgs {
    /// What to ask [default: /readyz where IRIS_LISTEN says, else on port 8080]
    #[arg(long, value_name = "URL", env = "IRIS_HEALTHCHECK_URL")]
    pub url: Option<String>,
    /// Where the service listens, to find its port
    #[arg(
        long,
        hide = true,
        value_name = "ADDR",
        env = "IRIS_LISTEN",
        default_value = "0.0.0.0:8080"
    )]
    pub listen: std::net::SocketAddr,
}

impl ServeArgs {
    /// What `serve` without flags would use: defaults, and the environment's `IRIS_*`.
    ///
    /// # Errors
    /// A variable that can not be used.
    pub fn from_environment() -> Result<ServeArgs, clap::Error> {
        Ok(Cli::try_parse_from(["iris-prediction-api"])?.serve)
    }
}

impl HealthcheckArgs {
    /// The URL to ask.
    pub fn url(&self) -> String {
        let mut address = self.listen;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        let own = || format!("http://{address}/readyz");
        self.url.clone().unwrap_or_else(own)
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// For a person at a terminal
    Text,
}

impl Cli {
    /// What to do; `serve` unless another is named.
    pub fn command(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Serve(Box::new(self.serve)))
    }
}

/// The process's environment; empty values count as unset, as the OpenTelemetry specification asks.
#[allow(
    clippy::disallowed_methods,
    reason = "the home of reading the environment"
)]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}
