//! The replicas of one run, on one port: started together, watched, replaced where a fault ends one, stopped together.

use super::embedded::Program;
use super::replica::Replica;
use crate::record::{Observation, Recorder};
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// How long they may take until they are ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long they may take to drain and flush after SIGTERM.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The replicas of one run.
pub(super) struct Replicas {
    program: Program,
    address: SocketAddr,
    otlp_grpc: SocketAddr,
    folder: PathBuf,
    /// Every one that was ever started, by number.
    replicas: Vec<Replica>,
    /// Those that take another's place and are not ready yet: number, and the other's process id.
    coming: Vec<(usize, u32)>,
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
            program: program.clone(),
            address,
            otlp_grpc,
            folder: folder.to_owned(),
            replicas,
            coming: Vec::new(),
            stopped_within: STOPPED_WITHIN,
            _reserved: reserved,
        })
    }

    /// Where they listen.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Process ids of all that were started.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.replicas.iter().map(Replica::pid).collect()
    }

    /// Sets how long they may take to drain and flush after SIGTERM, before SIGKILL.
    pub(super) fn set_stopped_within(&mut self, deadline: Duration) {
        self.stopped_within = deadline;
    }

    /// Process ids of those that serve, the oldest first.
    pub(super) fn serving(&self) -> Vec<u32> {
        let serving = self.replicas.iter().filter(|replica| replica.serves());
        serving.map(Replica::pid).collect()
    }

    /// Sends a signal on behalf of a fault. One that ends a replica has another started in its place, as a Deployment
    /// would.
    ///
    /// # Errors
    /// In words, when there is no such replica any more.
    pub(super) fn signal(
        &mut self,
        pid: u32,
        signal: Signal,
        recorder: &Recorder,
    ) -> Result<(), String> {
        let mut replicas = self.replicas.iter_mut();
        let replica = { replicas.find(|replica| replica.pid() == pid) }
            .ok_or("the verifier has started no such process")?;
        let was_condemned = replica.is_condemned();
        replica.signal(signal)?;
        if !was_condemned && replica.is_condemned() {
            self.replace(pid, recorder);
        }
        Ok(())
    }

    /// Starts another one; it takes requests as soon as it listens.
    fn replace(&mut self, pid: u32, recorder: &Recorder) {
        let number = u16::try_from(self.replicas.len()).unwrap_or(u16::MAX);
        let (address, otlp) = (self.address, self.otlp_grpc);
        match Replica::start(&self.program, number, address, otlp, &self.folder) {
            Ok(replica) => {
                recorder.observe(started(&replica, pid, false));
                self.coming.push((self.replicas.len(), pid));
                self.replicas.push(replica);
            }
            Err(error) => recorder.observe(Observation::RunError {
                error: format!("replica {pid} could not be replaced: {error:#}"),
            }),
        }
    }

    /// Journals those that have ended since the last look, unasked or by a fault, and those that have become ready.
    pub(super) fn poll(&mut self, recorder: &Recorder) {
        self.look(recorder, false);
        let (replicas, coming) = (&mut self.replicas, &mut self.coming);
        coming.retain(|(number, replaces)| {
            let replica = &mut replicas[*number];
            // One whose port file can not be removed serves all the same.
            let ready = replica.says_ready().unwrap_or(true);
            if ready {
                recorder.observe(started(replica, *replaces, true));
            }
            !ready && !replica.is_over()
        });
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
                    expected: expected || replica.is_condemned(),
                });
            }
        }
        !self.replicas.iter().all(Replica::is_over)
    }
}

fn started(replica: &Replica, replaces: u32, ready: bool) -> Observation {
    Observation::TargetStarted {
        pid: replica.pid(),
        replica: replica.number(),
        replaces,
        ready,
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
