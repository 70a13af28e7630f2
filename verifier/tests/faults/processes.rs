//! The two programs under test, as processes of their release builds.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A release build beside the tests' own; at saturation a debug build would measure nothing.
fn program(name: &str) -> PathBuf {
    let debug = Path::new(env!("CARGO_BIN_EXE_verifier"));
    let path = debug.parent().unwrap().with_file_name("release").join(name);
    assert!(
        path.exists(),
        "{} is missing; run `just faults`",
        path.display()
    );
    path
}

/// A port that nobody listens on. The kernel gives such ports out to no connection (they are below
/// `ip_local_port_range`), and this gives out none twice: among a thousand connections, a port that was
/// only free a moment ago is soon another's.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + port % 10_000));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// How the service is to be started.
pub struct Start<'a> {
    pub folder: &'a TempDir,
    pub collector: SocketAddr,
    pub grpc: bool,
    /// `None`: a free one.
    pub listen: Option<SocketAddr>,
    pub args: &'a [&'a str],
}

/// The service. Dropped, it is killed.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
}

impl Service {
    pub fn start(start: &Start<'_>) -> Service {
        let port_file = start.folder.path().join("service.port");
        let _ = fs::remove_file(&port_file);
        let log = start.folder.path().join("service.log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let listen = start
            .listen
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let child = Command::new(program("iris-prediction-api"))
            .args([
                "serve",
                "--drain-delay",
                "1s",
                "--listen",
                &listen.to_string(),
            ])
            .arg("--port-file")
            .arg(&port_file)
            .args(start.args)
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{}", start.collector),
            )
            .env(
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                if start.grpc { "grpc" } else { "http/protobuf" },
            )
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        wait_until(|| port_file.exists());
        let address = fs::read_to_string(&port_file)
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        Service { child, address }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self) {
        self.child.wait().unwrap();
    }

    /// Largest resident memory so far, in MiB.
    pub fn peak_memory_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
            / 1024
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `verifier run` under way.
pub struct Run {
    child: Child,
    folder: PathBuf,
}

impl Run {
    /// Load on so many connections for so long; afterwards up to `drain` for the last traces.
    pub fn start(
        folder: &TempDir,
        service: SocketAddr,
        receiver: [SocketAddr; 2],
        connections: u32,
        load: Duration,
        drain: Duration,
    ) -> Run {
        let plan = format!(
            "name = 'fault'\n[traces]\ndrain = '{}s'\n[[stage]]\nname = 'load'\nkind = 'connections'\nconnections = {connections}\nduration = '{}s'\n",
            drain.as_secs(),
            load.as_secs()
        );
        let path = folder.path().join("fault.toml");
        fs::write(&path, plan).unwrap();
        let log = File::create(folder.path().join("verifier.log")).unwrap();
        let out = folder.path().join("run");
        let child = Command::new(program("verifier"))
            .args(["run", "--headless"])
            .arg(&path)
            .args(["--url", &format!("http://{service}")])
            .args(["--otlp-grpc", &receiver[0].to_string()])
            .args(["--otlp-http", &receiver[1].to_string()])
            .arg("--out")
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Run { child, folder: out }
    }

    /// What it has printed, if it has ended already.
    pub fn last_words(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        let log = fs::read_to_string(self.folder.with_file_name("verifier.log")).unwrap();
        Some(format!("{status}: {log}"))
    }

    /// Waits for its end, and gives the verdict.
    pub fn verdict(mut self) -> Value {
        let status = self.child.wait().unwrap();
        let verdict = fs::read(self.folder.join("verdict.json"));
        let verdict = verdict.unwrap_or_else(|error| panic!("no verdict ({status}): {error}"));
        serde_json::from_slice(&verdict).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait_until(mut condition: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("waited in vain");
}
