//! The iris service as child processes of this executable: started, watched, stopped; and what the child itself does.

use crate::record::{Observation, Recorder};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use std::ffi::OsString;
use std::fs::{self, File, remove_file};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// The hidden first argument that makes this executable the service.
const SERVE: &str = "__serve";
/// How long a replica may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long a replica may take to drain and flush after SIGTERM.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

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

/// The replicas of one run, on one port.
pub struct Replicas {
    address: SocketAddr,
    children: Vec<Child>,
    ended: Vec<bool>,
    stopped_within: Duration,
    // Bound, never listening: keeps the port for the run, so that a replica can end and come back.
    _reserved: Socket,
}

impl Replicas {
    /// Starts them and waits until each is ready.
    ///
    /// # Errors
    /// When one can not be started, ends early or is not ready in time.
    pub fn start(
        program: &Program,
        replicas: u16,
        otlp_grpc: SocketAddr,
        folder: &Path,
    ) -> Result<Replicas> {
        let reserved = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        reserved.set_reuse_port(true)?;
        reserved
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .context("no free port for the service")?;
        let address = reserved
            .local_addr()?
            .as_socket()
            .context("no address for the service")?;
        let mut started = Replicas {
            address,
            children: Vec::new(),
            ended: Vec::new(),
            stopped_within: STOPPED_WITHIN,
            _reserved: reserved,
        };
        for number in 0..replicas {
            let child = spawn(program, number, address, otlp_grpc, folder)?;
            started.children.push(child);
            started.ended.push(false);
        }
        for number in 0..replicas {
            started.wait_ready(number, folder)?;
        }
        Ok(started)
    }

    /// Where they listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Their process ids.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Sets how long each may take to drain and flush after SIGTERM, before SIGKILL.
    pub fn set_stopped_within(&mut self, deadline: Duration) {
        self.stopped_within = deadline;
    }

    fn wait_ready(&mut self, number: u16, folder: &Path) -> Result<()> {
        let port_file = port_file(folder, number);
        let child = &mut self.children[usize::from(number)];
        for _ in 0..READY_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
            if port_file.is_file() {
                remove_file(&port_file).context("cannot remove the port file")?;
                return Ok(());
            }
            if let Some(status) = child.try_wait()? {
                bail!(
                    "the service ended before it was ready ({status}); the end of its log:\n{}",
                    log_end(folder, number)
                );
            }
            sleep(LOOK_EVERY);
        }
        bail!(
            "the service was not ready within {READY_WITHIN:?}; the end of its log:\n{}",
            log_end(folder, number)
        )
    }

    /// Journals those that have ended since the last look, unasked.
    pub fn poll(&mut self, recorder: &Recorder) {
        for (child, ended) in self.children.iter_mut().zip(&mut self.ended) {
            if let (false, Ok(Some(status))) = (*ended, child.try_wait()) {
                *ended = true;
                let status = status.to_string();
                recorder.observe(Observation::TargetExited {
                    pid: child.id(),
                    status,
                    expected: false,
                });
            }
        }
    }

    /// SIGTERM to each, and SIGKILL to one that has not ended in time.
    pub fn stop(mut self, recorder: &Recorder) {
        self.poll(recorder);
        for (child, _) in self
            .children
            .iter()
            .zip(&self.ended)
            .filter(|(_, ended)| !**ended)
        {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                // Fails only when it has ended in this very moment; then the wait below tells.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for (child, ended) in self
            .children
            .iter_mut()
            .zip(&mut self.ended)
            .filter(|(_, ended)| !**ended)
        {
            *ended = true;
            let status = wait_or_kill(child, self.stopped_within);
            recorder.observe(Observation::TargetExited {
                pid: child.id(),
                status,
                expected: true,
            });
        }
    }
}

impl Drop for Replicas {
    /// A start that failed half-way, or a panic: no child is left behind.
    fn drop(&mut self) {
        for (child, _) in self
            .children
            .iter_mut()
            .zip(&self.ended)
            .filter(|(_, ended)| !**ended)
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn wait_or_kill(child: &mut Child, within: Duration) -> String {
    for _ in 0..within.as_millis() / LOOK_EVERY.as_millis() {
        match child.try_wait() {
            Ok(Some(status)) => return status.to_string(),
            Ok(None) => sleep(LOOK_EVERY),
            Err(error) => return error.to_string(),
        }
    }
    let killed = child.kill().and_then(|()| child.wait());
    let how = killed.map_or_else(|error| error.to_string(), |status| status.to_string());
    format!("{how}, after {within:?} without an end to SIGTERM")
}

fn port_file(folder: &Path, number: u16) -> PathBuf {
    folder.join(format!("target-{number}.port"))
}

fn log_file(folder: &Path, number: u16) -> PathBuf {
    folder.join(format!("target-{number}.log"))
}

/// The last lines of a replica's log.
fn log_end(folder: &Path, number: u16) -> String {
    let log = fs::read(log_file(folder, number)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

fn spawn(
    program: &Program,
    number: u16,
    address: SocketAddr,
    otlp_grpc: SocketAddr,
    folder: &Path,
) -> Result<Child> {
    let log = File::create(log_file(folder, number)).context("cannot create the service's log")?;
    let mut command = Command::new(&program.path);
    command
        .args(&program.args)
        .args(["--listen", &address.to_string()])
        .arg("--port-file")
        .arg(port_file(folder, number));
    // What the person's shell exports must not change what is measured.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{otlp_grpc}"))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            format!("service.instance.id=replica-{number}"),
        )
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C in the terminal is for the verifier: it still needs the service to flush its traces.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", program.path.display()))
}

fn is_setting(name: &str) -> bool {
    name.starts_with("OTEL_") || name.starts_with("IRIS_") || name == "GOOGLE_CLOUD_PROJECT"
}
