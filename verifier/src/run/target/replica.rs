//! One child process under test: started with our settings, its output in the run folder, never left behind.

use super::embedded::Program;
use crate::record::ServiceBooks;
use crate::run::last_words;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File, remove_file};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A started replica. Dropped, it is killed.
pub(super) struct Replica {
    child: Child,
    /// Its `service.instance.id`.
    name: String,
    port_file: PathBuf,
    log_file: PathBuf,
    number: u16,
    /// It has said that it serves.
    ready: bool,
    /// A fault ends it: its end is no surprise, and another takes its place.
    condemned: bool,
    /// Its end was seen.
    ended: bool,
}

impl Replica {
    /// Starts number `number` of the program on `address`.
    pub(super) fn start(
        program: &Program,
        number: u16,
        address: SocketAddr,
        otlp_grpc: SocketAddr,
        folder: &Path,
    ) -> Result<Replica> {
        let port_file = folder.join(format!("target-{number}.port"));
        let log_file = folder.join(format!("target-{number}.log"));
        let log = File::create(&log_file).context("cannot create the service's log")?;
        let name = format!("replica-{number}");
        let mut command = Command::new(&program.path);
        command
            .args(&program.args)
            .args(["--listen", &address.to_string()])
            .arg("--port-file")
            .arg(&port_file);
        // What the person's shell exports must not change what is measured.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy()))
        {
            command.env_remove(name);
        }
        let child = command
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{otlp_grpc}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .env(
                "OTEL_RESOURCE_ATTRIBUTES",
                format!("service.instance.id={name}"),
            )
            // Its end tells the child that we are gone, whatever ended us.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C in the terminal is for the verifier: it still needs the service to flush its traces.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.path.display()))?;
        Ok(Replica {
            child,
            name,
            port_file,
            log_file,
            number,
            ready: false,
            condemned: false,
            ended: false,
        })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has said that it is ready.
    ///
    /// # Errors
    /// When it has ended instead; the end of its log is part of the error.
    pub(super) fn is_ready(&mut self) -> Result<bool> {
        if self.says_ready()? {
            return Ok(true);
        }
        match self.has_ended() {
            Some(status) => bail!(
                "the service ended before it was ready ({status}){}",
                self.log_end()
            ),
            None => Ok(false),
        }
    }

    /// The same, whether or not it has ended.
    ///
    /// # Errors
    /// When its port file can not be removed.
    pub(super) fn says_ready(&mut self) -> Result<bool> {
        if !self.ready && self.port_file.is_file() {
            remove_file(&self.port_file).context("cannot remove the port file")?;
            self.ready = true;
        }
        Ok(self.ready)
    }

    /// The last lines of its log, as the end of a complaint.
    pub(super) fn log_end(&self) -> String {
        let log = fs::read(&self.log_file).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        format!(
            "; the end of its log:\n{}",
            lines[lines.len().saturating_sub(10)..].join("\n")
        )
    }

    /// What became of its spans, as it said itself when it ended; `None` if it had no time for it.
    pub(super) fn last_books(&self) -> Option<ServiceBooks> {
        let log = fs::read(&self.log_file).ok()?;
        last_words::books(&String::from_utf8_lossy(&log), &self.name)
    }

    /// How it ended, the first time that its end is seen.
    pub(super) fn has_ended(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let status = self.child.try_wait().ok()??;
        Some(self.end(status))
    }

    /// Its end was seen.
    pub(super) fn is_over(&self) -> bool {
        self.ended
    }

    /// Its number among all that were started.
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// It serves, and nothing has been done to end it.
    pub(super) fn serves(&self) -> bool {
        self.ready && !self.condemned && !self.ended
    }

    /// A fault has ended it, or will have.
    pub(super) fn is_condemned(&self) -> bool {
        self.condemned
    }

    /// Sends it a signal on behalf of a fault.
    ///
    /// # Errors
    /// In words, when it has ended already.
    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), String> {
        if self.ended {
            return Err("it has ended already".to_owned());
        }
        kill_process(Pid::from_child(&self.child), signal).map_err(|error| error.to_string())?;
        self.condemned |= matches!(signal, Signal::TERM | Signal::KILL);
        Ok(())
    }

    /// Asks it to drain and end.
    pub(super) fn terminate(&self) {
        if !self.ended {
            // Fails only when it has ended in this very moment, which `has_ended` then tells.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
    }

    /// Ends it at once, with whatever it has started itself, and says how it ended.
    pub(super) fn kill(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        // It leads its group, and its id is its own until we have waited for it.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait().ok()?;
        Some(self.end(status))
    }

    fn end(&mut self, status: ExitStatus) -> String {
        self.ended = true;
        status.to_string()
    }
}

impl Drop for Replica {
    /// A start that failed half-way, or a panic: no child is left behind.
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_setting(name: &str) -> bool {
    name.starts_with("OTEL_") || name.starts_with("IRIS_") || name == "GOOGLE_CLOUD_PROJECT"
}
