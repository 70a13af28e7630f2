//! Starts the iris prediction API.

// A macro that prints panics when whoever read is gone.
#![warn(clippy::print_stdout, clippy::print_stderr)]

fn main() -> std::process::ExitCode {
    iris_prediction_api::run(std::env::args_os())
}
