//! The target: started here as child processes of the same executable, or somebody else's at a URL.

pub mod books;
pub mod embedded;
pub mod external;
mod replica;
mod replicas;

use crate::record::Recorder;
use anyhow::Result;
use embedded::Program;
use replicas::Replicas;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// What the load goes to.
pub struct Target {
    url: String,
    replicas: Option<Replicas>,
}

impl Target {
    /// Starts `replicas` of the iris service on one port of the loopback interface, exporting their
    /// traces to `otlp_grpc`; returns when every one of them is ready. Their output goes to `target-N.log` in `folder`.
    ///
    /// # Errors
    /// When one of them does not become ready; the end of its log is part of the error.
    pub fn embedded(replicas: u16, otlp_grpc: SocketAddr, folder: &Path) -> Result<Target> {
        Target::started(&Program::this_executable()?, replicas, otlp_grpc, folder)
    }

    /// The same with another program, which must understand `--listen` and `--port-file`.
    ///
    /// # Errors
    /// As [`Target::embedded`].
    pub fn started(
        program: &Program,
        replicas: u16,
        otlp_grpc: SocketAddr,
        folder: &Path,
    ) -> Result<Target> {
        let replicas = Replicas::start(program, replicas, otlp_grpc, folder)?;
        Ok(Target {
            url: format!("http://{}", replicas.address()),
            replicas: Some(replicas),
        })
    }

    /// A target that runs already.
    ///
    /// # Errors
    /// When the URL is none that load can be sent to.
    pub fn external(url: &str) -> Result<Target> {
        Ok(Target {
            url: external::check(url)?,
            replicas: None,
        })
    }

    /// Scheme, host and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Process ids of the replicas that were started here.
    pub fn pids(&self) -> Vec<u32> {
        self.replicas
            .as_ref()
            .map(Replicas::pids)
            .unwrap_or_default()
    }

    /// Process ids of the replicas started here that serve, the oldest first.
    pub fn serving(&self) -> Vec<u32> {
        let replicas = self.replicas.as_ref();
        replicas.map(Replicas::serving).unwrap_or_default()
    }

    /// Sends a signal to a replica that was started here, on behalf of a fault. Another takes the place of one that
    /// SIGTERM or SIGKILL ends.
    ///
    /// # Errors
    /// In words, when there is no such replica any more.
    pub fn signal(&mut self, pid: u32, signal: Signal, recorder: &Recorder) -> Result<(), String> {
        match &mut self.replicas {
            Some(replicas) => replicas.signal(pid, signal, recorder),
            None => Err("the verifier has started no replica: the target is --url".to_owned()),
        }
    }

    /// Journals replicas that have ended unasked or by a fault, and those that have taken a place.
    pub fn poll(&mut self, recorder: &Recorder) {
        if let Some(replicas) = &mut self.replicas {
            replicas.poll(recorder);
        }
    }

    /// Sets how long the replicas that were started here may take to end after SIGTERM, before SIGKILL.
    pub fn set_stopped_within(&mut self, deadline: Duration) {
        if let Some(replicas) = &mut self.replicas {
            replicas.set_stopped_within(deadline);
        }
    }

    /// Stops what was started here with SIGTERM, and waits for it: its last spans come during that wait.
    pub fn stop(self, recorder: &Recorder) {
        if let Some(replicas) = self.replicas {
            replicas.stop(recorder);
        }
    }
}
