//! Starts the iris prediction API: exit 0 after a clean shutdown, 2 for what is wrong in the
//! configuration, 1 for all else.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use iris_prediction_api::commands::{healthcheck, serve, train};
use iris_prediction_api::config::{Cli, Command, ServeArgs};
use iris_prediction_api::http::{AppState, router};
use iris_prediction_api::predict::Predictor;
use iris_prediction_api::telemetry::Recorder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command() {
        Command::Serve(args) => match serve::prepare(&args) {
            Ok(prepared) => run(&args, prepared),
            Err(error) => return failed(&error, 2),
        },
        Command::Train(args) => train::run(&args).map(|report| print!("{report}")),
        Command::Healthcheck(args) => healthcheck::run(&args.url()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("iris-prediction-api: {error:#}");
    ExitCode::from(code)
}

/// A stand-in until the accept loop of `http/serve.rs` is wired in.
#[tokio::main(flavor = "current_thread")]
async fn run(args: &ServeArgs, prepared: serve::Prepared) -> anyhow::Result<()> {
    let state = AppState::new(Predictor::new(
        prepared.model,
        Recorder::disabled(),
        args.limits(),
    ));
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    serve::announce(
        listener.local_addr()?,
        state.predictor.model.version(),
        args.port_file.as_deref(),
    )?;
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let shutdown = async move {
        terminated.recv().await;
        state.readiness.drain();
    };
    axum::serve(listener, router(state))
        .with_graceful_shutdown(shutdown)
        .await?;
    Ok(())
}
