//! Starts the iris prediction API: exit 0 after a clean shutdown, 2 for what is wrong in the
//! configuration, 1 for all else.

use std::process::ExitCode;

use clap::Parser as _;
use iris_prediction_api::commands::{healthcheck, serve, train};
use iris_prediction_api::config::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command() {
        Command::Serve(args) => match serve::prepare(&args) {
            Ok(prepared) => serve::run(&args, prepared),
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
