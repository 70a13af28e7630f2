//! Replicas as child processes, played by small shell scripts: started, watched, stopped, never left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use verifier::record::{Clock, Observation, Recorded, Recording, RunFolder, RunKey};
use verifier::run::target::Target;
use verifier::run::target::embedded::Program;

struct Stage {
    folder: RunFolder,
    recording: Recording,
    scripts: TempDir,
    _directory: TempDir,
}

/// The script's first lines: `$port_file` is where a ready replica writes.
const PREAMBLE: &str =
    "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --port-file ] && port_file=$2; shift; done\n";

impl Stage {
    fn new() -> Stage {
        let directory = TempDir::new().unwrap();
        let folder = RunFolder::create(&directory.path().join("run")).unwrap();
        let recording =
            Recording::start(&folder, Clock::start(), RunKey::from_seed(1), &[]).unwrap();
        recording.recorder().observe(Observation::RunStarted {
            run_id: String::new(),
            run_key: RunKey::from_seed(1).to_string(),
            origin_unix_ns: 0,
            verifier_version: String::new(),
            host: Default::default(),
        });
        Stage {
            folder,
            recording,
            scripts: TempDir::new().unwrap(),
            _directory: directory,
        }
    }

    fn start(&self, script: &str, replicas: u16) -> anyhow::Result<Target> {
        let path = self.scripts.path().join("replica.sh");
        fs::write(&path, format!("{PREAMBLE}{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let program = Program {
            path: "/bin/sh".into(),
            args: vec![path.into()],
        };
        Target::started(
            &program,
            replicas,
            "127.0.0.1:4317".parse().unwrap(),
            self.folder.path(),
        )
    }

    fn end(self) -> Recorded {
        self.recording.stop().unwrap();
        self.folder.read().unwrap()
    }
}

fn exits(recorded: &Recorded) -> Vec<(String, bool)> {
    let exit = |o: &Observation| match o {
        Observation::TargetExited {
            status, expected, ..
        } => Some((status.clone(), *expected)),
        _ => None,
    };
    recorded
        .journal
        .iter()
        .filter_map(|entry| exit(&entry.observation))
        .collect()
}

fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn replicas_become_ready_share_a_port_and_stop() {
    let stage = Stage::new();
    let script = "trap 'exit 0' TERM; echo ready > \"$port_file\"; while :; do sleep 0.05; done";
    let target = stage.start(script, 3).unwrap();
    let pids = target.pids();
    assert_eq!(pids.len(), 3);
    assert!(target.url().starts_with("http://127.0.0.1:"));
    target.stop(&stage.recording.recorder());
    assert!(pids.iter().all(|pid| !alive(*pid)));
    assert_eq!(
        exits(&stage.end()),
        vec![("exit status: 0".to_owned(), true); 3]
    );
}

#[test]
fn one_that_dies_early_is_told_with_the_end_of_its_log() {
    let stage = Stage::new();
    let error = format!(
        "{:#}",
        stage
            .start("echo the model is broken; exit 7", 1)
            .err()
            .unwrap()
    );
    assert!(
        error.contains("exit status: 7") && error.contains("the model is broken"),
        "{error}"
    );
}

#[test]
fn one_that_ends_unasked_is_journalled_once() {
    let stage = Stage::new();
    let script = "echo ready > \"$port_file\"; exec sleep 100";
    let mut target = stage.start(script, 1).unwrap();
    let pid = target.pids()[0];
    Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
    wait_until("it is dead", || !alive(pid));
    let recorder = stage.recording.recorder();
    target.poll(&recorder);
    target.poll(&recorder);
    target.stop(&recorder);
    assert_eq!(
        exits(&stage.end()),
        [("signal: 9 (SIGKILL)".to_owned(), false)]
    );
}

#[test]
fn dropped_nothing_is_left_behind() {
    let stage = Stage::new();
    let target = stage
        .start("echo ready > \"$port_file\"; exec sleep 100", 2)
        .unwrap();
    let pids = target.pids();
    drop(target);
    assert!(pids.iter().all(|pid| !alive(*pid)));
}

#[test]
fn a_replica_has_our_settings_and_none_of_the_shell_s() {
    let stage = Stage::new();
    let target = stage
        .start(
            "env > \"$port_file.env\"; echo ready > \"$port_file\"; exec sleep 100",
            1,
        )
        .unwrap();
    let environment = fs::read_to_string(stage.folder.path().join("target-0.port.env")).unwrap();
    drop(target);
    let settings: Vec<&str> = environment
        .lines()
        .filter(|l| l.starts_with("OTEL_") || l.starts_with("IRIS_"))
        .collect();
    assert_eq!(settings.len(), 3, "{settings:?}");
    assert!(
        settings.contains(&"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317"),
        "{settings:?}"
    );
}

#[test]
fn the_service_ends_when_its_parent_is_gone() {
    let folder = TempDir::new().unwrap();
    let port_file = folder.path().join("port");
    let mut child = Command::new(env!("CARGO_BIN_EXE_verifier"))
        .args([
            "__serve",
            "--drain-delay",
            "0s",
            "--listen",
            "127.0.0.1:0",
            "--port-file",
            port_file.to_str().unwrap(),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it is ready", || port_file.is_file());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
