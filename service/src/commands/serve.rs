//! `serve`: configuration, telemetry, the accept loop, drain, flush.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{LogFormat, ServeArgs, TelemetryEnvironment, environment};
use crate::http::serve::{Listeners, ServeOptions, serve};
use crate::http::trace::{self, Trace, TraceOptions};
use crate::http::{AppState, router, routes};
use crate::logs::{self, LogOptions};
use crate::model::Model;
use crate::predict::Predictor;
use crate::telemetry::Telemetry;

/// Everything that can be wrong in the configuration, found right.
#[derive(Debug)]
pub struct Prepared {
    /// The model to serve.
    pub model: Model,
    /// The way of spans to the collector, open.
    pub telemetry: Telemetry,
    /// Whether a caller's trace is continued.
    pub propagate: bool,
    /// Where the process's own spans go.
    pub spans: logs::Spans,
}

/// Reads the model and the environment, opens the log and starts telemetry, which reads its
/// certificates. No port is bound yet.
///
/// # Errors
/// What is wrong in the configuration, where, and what to do; the process should exit with 2.
pub fn prepare(args: &ServeArgs) -> anyhow::Result<Prepared> {
    let environment = TelemetryEnvironment::read(args, &environment)?;
    let model = model(args.model.as_deref())?;
    let spans = logs::init(log_options(args, environment.log_level))?;
    for warning in &environment.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Prepared {
        model,
        telemetry: Telemetry::start(&environment.config)?,
        propagate: environment.config.propagate,
        spans,
    })
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
pub(super) fn log_options(args: &ServeArgs, telemetry: Option<&str>) -> LogOptions {
    let telemetry = telemetry
        .map(|level| format!(",iris_prediction_api::telemetry={level},opentelemetry={level}"));
    LogOptions {
        filter: args.log.clone() + &telemetry.unwrap_or_default(),
        json: args.log_format == LogFormat::Json,
        google_cloud_project: args.google_cloud_project.clone(),
    }
}

/// Serves until SIGTERM or SIGINT; then drains and flushes.
///
/// # Errors
/// The address is taken, the port file can not be written, or a worker failed.
pub fn run(args: &ServeArgs, prepared: Prepared) -> anyhow::Result<()> {
    let telemetry = prepared.telemetry;
    prepared.spans.go_to(telemetry.tracer_provider())?;
    let starting = tracing::info_span!("startup", version = env!("CARGO_PKG_VERSION"));
    let predictor = Predictor::new(prepared.model, telemetry.recorder(), args.limits());
    let state = AppState::new(predictor);
    state.metrics.register_resource(telemetry.resource());
    state.metrics.register_books(telemetry.books_handle());

    let workers = args.workers.map_or_else(cores, NonZeroUsize::get);
    let listeners = Listeners::bind(args.listen, workers)
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let options = trace_options(args, prepared.propagate);
    let worker = |_| {
        let trace = Arc::new(Trace::new(telemetry.recorder(), options, state.metrics));
        let router = router(state);
        move |peer| trace::connection(trace.clone(), router.clone(), Some(state.predictor), peer)
    };

    let address = listeners.address();
    let mut announced = Ok(());
    let mut stopping = tracing::Span::none();
    let announce = || {
        let announced = announce(address, &state, args.port_file.as_deref());
        drop(starting);
        announced
    };
    let shutdown = async {
        announced = until_told(announce).await;
    };
    let served = serve(listeners, &serve_options(args), worker, shutdown, || {
        stopping = tracing::info_span!("shutdown");
        state.readiness.drain();
        tracing::info!("Shutdown has begun");
    });
    drop(stopping);
    // Whatever went wrong, spans that are already there are sent.
    telemetry.shutdown(args.flush_timeout);
    announced?;
    let served = served?;
    tracing::info!(
        served.refused_connections,
        served.aborted_connections,
        "Shutdown is complete"
    );
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

fn trace_options(args: &ServeArgs, propagate: bool) -> TraceOptions {
    TraceOptions {
        route_of: routes::route_of,
        propagate,
        trace_probes: args.trace_probes,
        trust_forwarded: args.trust_forwarded,
    }
}

fn serve_options(args: &ServeArgs) -> ServeOptions {
    ServeOptions {
        max_connections: args.max_connections.get(),
        header_read_timeout: args.header_timeout,
        stall_timeout: args.stall_timeout,
        idle_timeout: args.idle_timeout,
        drain_delay: args.drain_delay,
        drain_timeout: args.drain_timeout,
        ..ServeOptions::default()
    }
}

/// Announces, and is ready when a signal asks for shutdown. Signals are caught before: whoever has
/// read the announcement may send one at once.
async fn until_told(announce: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
    announce()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Says, in the log and in the port file, that the service answers at `address`.
fn announce(address: SocketAddr, state: &AppState, port_file: Option<&Path>) -> anyhow::Result<()> {
    if let Some(path) = port_file {
        write_whole(path, &format!("{address}\n"))
            .with_context(|| format!("cannot write the port file {}", path.display()))?;
    }
    let model_version = state.predictor.model.version();
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
