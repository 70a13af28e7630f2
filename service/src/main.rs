//! Starts the iris prediction API.

fn main() -> std::process::ExitCode {
    iris_prediction_api::run(std::env::args_os())
}
