//! The iris prediction API: a request comes in, is prepared, is inferred, goes out; every step
//! leaves a span, and no span is lost without being counted.
//!
//! `commands` and `config` are for `main`; then the way of a request: `http`, `predict`, `model`.

// A macro that prints panics when whoever read is gone.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod commands;
pub mod config;

pub mod http;

pub mod predict;

pub mod model;

pub mod telemetry;

pub mod answer;
pub mod error;
pub mod logs;
pub mod shards;

use std::ffi::OsString;
use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use commands::{healthcheck, serve, train};
use config::{Cli, Command};

/// What the executable does with its arguments, its own name first: serves until SIGTERM or SIGINT
/// (the default), trains, or asks a running service for its health. Exit code 0 after a clean end, 2
/// for what is wrong in the configuration, 1 for all else.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let done = match Cli::parse_from(args).command() {
        Command::Serve(args) => match serve::prepare(&args) {
            Ok(prepared) => serve::run(&args, prepared),
            Err(error) => return failed(&error, 2),
        },
        Command::Train(args) => train::run(&args).and_then(|report| {
            let written = stdout().write_all(report.as_bytes());
            written.context("cannot write the report to stdout")
        }),
        Command::Healthcheck(args) => healthcheck::run(&args.url()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, 1),
    }
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    let _ = writeln!(stderr(), "iris-prediction-api: {error:#}");
    ExitCode::from(code)
}
