//! A program with a folder of its own: started, healthy, stopped, killed, started again.

use super::{get, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use tempfile::TempDir;

/// The program. Dropped, it is killed, and its folder goes.
pub struct Process {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// Who answers 200 to this path is healthy.
    pub(super) health: (SocketAddr, &'static str),
    pub(super) folder: TempDir,
    child: Option<Child>,
}

impl Process {
    pub(super) fn new(program: PathBuf, health: (SocketAddr, &'static str)) -> Process {
        Process {
            program,
            args: Vec::new(),
            environment: Vec::new(),
            health,
            folder: TempDir::new().unwrap(),
            child: None,
        }
    }

    /// Starts it, on the same ports and files every time, and waits until it is healthy.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = self.folder.path().join("log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new(&self.program)
            .args(&self.args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let child = self.child.insert(child);
        let (address, path) = self.health;
        let mut ended = None;
        wait_until(
            || {
                ended = child.try_wait().unwrap();
                ended.is_some() || get(address, path).is_some_and(|(status, _)| status == 200)
            },
            || {
                format!(
                    "{} is not healthy\n{}",
                    self.program.display(),
                    printed(&self.folder)
                )
            },
        );
        assert!(ended.is_none(), "{ended:?}\n{}", self.log());
    }

    /// SIGTERM, and its end.
    pub fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    fn end(&mut self, signal: Signal) {
        let mut child = self.child.take().expect("it does not run");
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
    }

    /// Its process id; it must be running.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it does not run").id()
    }

    /// Where it runs: its log, its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has printed, over all starts.
    pub fn log(&self) -> String {
        printed(&self.folder)
    }
}

fn printed(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join("log")).unwrap_or_default()
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
