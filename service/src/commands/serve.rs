//! `serve`: what is done before a port is bound, and what is said once it answers.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;

use crate::config::{LogFormat, ServeArgs, TelemetryEnvironment, environment};
use crate::logs::{self, LogOptions};
use crate::model::Model;

/// Everything that can be wrong in the configuration, found right.
#[derive(Debug)]
pub struct Prepared {
    /// The model to serve.
    pub model: Model,
    /// What telemetry is told.
    pub telemetry: TelemetryEnvironment,
}

/// Reads the model and the environment, and opens the log. No port is bound yet.
///
/// # Errors
/// What is wrong in the configuration, where, and what to do; the process should exit with 2.
pub fn prepare(args: &ServeArgs) -> anyhow::Result<Prepared> {
    let telemetry = TelemetryEnvironment::read(args, &environment)?;
    let model = model(args.model.as_deref())?;
    logs::init(log_options(args, telemetry.log_level))?;
    for warning in &telemetry.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Prepared { model, telemetry })
}

fn model(path: Option<&Path>) -> anyhow::Result<Model> {
    let Some(path) = path else {
        return Model::built_in().context("the built-in model");
    };
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the model artifact {}", path.display()))?;
    Model::from_json(&text)
        .with_context(|| format!("cannot serve the model artifact {}", path.display()))
}

/// `OTEL_LOG_LEVEL` sets the level of telemetry's own lines.
fn log_options(args: &ServeArgs, telemetry: Option<&str>) -> LogOptions {
    let telemetry = telemetry
        .map(|level| format!(",iris_prediction_api::telemetry={level},opentelemetry={level}"));
    LogOptions {
        filter: args.log.clone() + &telemetry.unwrap_or_default(),
        json: args.log_format == LogFormat::Json,
        google_cloud_project: args.google_cloud_project.clone(),
    }
}

/// Says, in the log and in the port file, that the service answers at `address`.
///
/// # Errors
/// The port file can not be written.
pub fn announce(
    address: SocketAddr,
    model_version: &str,
    port_file: Option<&Path>,
) -> anyhow::Result<()> {
    if let Some(path) = port_file {
        write_whole(path, &format!("{address}\n"))
            .with_context(|| format!("cannot write the port file {}", path.display()))?;
    }
    tracing::info!(%address, model_version, version = env!("CARGO_PKG_VERSION"), "Ready");
    Ok(())
}

/// The whole text or nothing: whoever waits for the file never reads half an address.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = Path::new(&name);
    let written = fs::File::create(temporary).and_then(|mut file| file.write_all(text.as_bytes()));
    written
        .and_then(|()| fs::rename(temporary, path))
        .inspect_err(|_| {
            // Nothing is left behind; that it fails too changes nothing about the first error.
            let _ = fs::remove_file(temporary);
        })
}
