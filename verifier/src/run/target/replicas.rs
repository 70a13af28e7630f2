//! The replicas of one run, on one port: started together, watched, stopped together.

use super::embedded::Program;
use super::replica::Replica;
use crate::record::{Observation, Recorder};
use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// How long they may take until they are ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long they may take to drain and flush after SIGTERM.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The replicas of one run.
pub(super) struct Replicas {
    address: SocketAddr,
    replicas: Vec<Replica>,
    stopped_within: Duration,
    // Bound, never listening: keeps the port for the run, so that a replica can end and come back.
    _reserved: Socket,
}

impl Replicas {
    /// Starts them and waits until each is ready.
    ///
    /// # Errors
    /// When one can not be started, ends early or is not ready in time.
    pub(super) fn start(
        program: &Program,
        count: u16,
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
        let mut replicas = Vec::new();
        for number in 0..count {
            replicas.push(Replica::start(program, number, address, otlp_grpc, folder)?);
        }
        wait_ready(&mut replicas, READY_WITHIN)?;
        Ok(Replicas {
            address,
            replicas,
            stopped_within: STOPPED_WITHIN,
            _reserved: reserved,
        })
    }

    /// Where they listen.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Their process ids.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.replicas.iter().map(Replica::pid).collect()
    }

    /// Sets how long they may take to drain and flush after SIGTERM, before SIGKILL.
    pub(super) fn set_stopped_within(&mut self, deadline: Duration) {
        self.stopped_within = deadline;
    }

    /// Journals those that have ended since the last look, unasked.
    pub(super) fn poll(&mut self, recorder: &Recorder) {
        self.look(recorder, false);
    }

    /// SIGTERM to each, and SIGKILL to those that have not ended in time.
    pub(super) fn stop(mut self, recorder: &Recorder) {
        self.poll(recorder);
        self.replicas.iter().for_each(Replica::terminate);
        let mut looks = looks_in(self.stopped_within);
        while self.look(recorder, true) && looks.next().is_some() {
            sleep(LOOK_EVERY);
        }
        for replica in &mut self.replicas {
            if let Some(how) = replica.kill() {
                let status = format!(
                    "{how}, after {:?} without an end to SIGTERM",
                    self.stopped_within
                );
                recorder.observe(Observation::TargetExited {
                    pid: replica.pid(),
                    status,
                    expected: true,
                });
            }
        }
    }

    /// Journals those that have ended since the last look; whether some still run.
    fn look(&mut self, recorder: &Recorder, expected: bool) -> bool {
        for replica in &mut self.replicas {
            if let Some(status) = replica.has_ended() {
                if let Some(books) = replica.last_books() {
                    recorder.observe(Observation::ServiceBooks(books));
                }
                recorder.observe(Observation::TargetExited {
                    pid: replica.pid(),
                    status,
                    expected,
                });
            }
        }
        !self.replicas.iter().all(Replica::is_over)
    }
}

fn wait_ready(replicas: &mut [Replica], within: Duration) -> Result<()> {
    let mut looks = looks_in(within);
    for replica in replicas {
        while !replica.is_ready()? {
            if looks.next().is_none() {
                bail!(
                    "the service was not ready within {within:?}{}",
                    replica.log_end()
                );
            }
            sleep(LOOK_EVERY);
        }
    }
    Ok(())
}

/// As many as there is time for. On a busy machine looks take longer than they should, and then the
/// child, too, has more time.
fn looks_in(time: Duration) -> std::ops::Range<u128> {
    0..time.as_millis() / LOOK_EVERY.as_millis()
}
