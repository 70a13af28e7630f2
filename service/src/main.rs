//! Starts the iris prediction API.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    iris_prediction_api::run(std::env::args_os())
}
