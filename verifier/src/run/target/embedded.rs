//! The iris service as a child process of this executable: what is started, and what the child itself does.

use anyhow::{Context, Result};
use rustix::process::{Signal, kill_process};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// The hidden first argument that makes this executable the service.
const SERVE: &str = "__serve";

/// In a child, serves until SIGTERM, SIGINT or the end of standard input (the parent's death ends
/// it, too), and gives the exit code; in every other process, `None`.
pub fn child_main() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != SERVE {
        return None;
    }
    std::thread::spawn(stop_at_end_of_stdin);
    let words = [
        OsString::from("iris-prediction-api"),
        OsString::from("serve"),
    ];
    Some(iris_prediction_api::run(words.into_iter().chain(args)))
}

/// Asks this process to shut down when nobody holds the other end of its standard input any more.
fn stop_at_end_of_stdin() {
    // Whatever ends the copy, an error included, there is no parent to serve.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    // A process may always signal itself.
    let _ = kill_process(rustix::process::getpid(), Signal::TERM);
}

/// What is started as a replica.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Arguments before `--listen` and `--port-file`.
    pub args: Vec<OsString>,
}

impl Program {
    /// This executable in its role as the service.
    ///
    /// # Errors
    /// When the operating system does not tell its path.
    pub fn this_executable() -> Result<Program> {
        let path = std::env::current_exe().context("cannot find this executable's own path")?;
        // No load balancer stands before it that would have to notice: it may drain at once.
        let args = [SERVE, "--drain-delay", "0s"].map(OsString::from).into();
        Ok(Program { path, args })
    }
}
