//! Replicas as child processes: fakes that misbehave, and the real one when its parent is gone.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use verifier::record::{Clock, Observation, Recorder, Recording, RunFolder, RunKey, read_journal};
use verifier::run::target::Target;
use verifier::run::target::embedded::Program;

const VERIFIER: &str = env!("CARGO_BIN_EXE_verifier");

/// A shell script as the service: `$2` is where it should listen, `$4` its port file. The shell reads
/// it from its arguments: a file would be written and run, which fails while another test forks.
fn fake(script: &str) -> Program {
    let args = ["-c", script, "fake"].map(OsString::from);
    Program {
        path: "/bin/sh".into(),
        args: args.into(),
    }
}

/// Ready at once, then nothing until a signal ends it.
const WELL: &str = "echo started; echo \"$2\" >\"$4\"; exec sleep 60";

fn otlp() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 4999).into()
}

fn start(script: &str, replicas: u16, folder: &Path) -> anyhow::Result<Target> {
    Target::started(&fake(script), replicas, otlp(), folder)
}

/// A journal to look into.
struct Journalling {
    dir: TempDir,
    folder: RunFolder,
    recording: Recording,
}

impl Journalling {
    fn start() -> Journalling {
        let dir = TempDir::new().unwrap();
        let folder = RunFolder::create(&dir.path().join("run")).unwrap();
        let recording = Recording::start(&folder, Clock::start(), RunKey::from_seed(1), &[]);
        Journalling {
            dir,
            folder,
            recording: recording.unwrap(),
        }
    }

    fn recorder(&self) -> Recorder {
        self.recording.recorder()
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Every `target_exited`, by process id: which, how, and whether it was asked to.
    fn exits(&self) -> Vec<(u32, String, bool)> {
        let entries = read_journal(&self.folder.journal()).unwrap();
        let exits = entries.into_iter().filter_map(|e| match e.observation {
            Observation::TargetExited {
                pid,
                status,
                expected,
            } => Some((pid, status, expected)),
            _ => None,
        });
        let mut exits: Vec<_> = exits.collect();
        exits.sort();
        exits
    }
}

fn runs(pid: u32) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}

/// Still does something; one whose new parent has not yet taken its status does not.
fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 20 s in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn replicas_start_on_one_port_and_end_when_asked() {
    let journal = Journalling::start();
    let mut target = start(WELL, 3, journal.path()).unwrap();
    let pids = target.pids();
    assert_eq!(pids.len(), 3);
    assert!(target.url().starts_with("http://127.0.0.1:"));
    for number in 0..3 {
        let file = |end| journal.path().join(format!("target-{number}.{end}"));
        assert_eq!(fs::read_to_string(file("log")).unwrap(), "started\n");
        assert!(!file("port").exists(), "the port file has done its service");
    }
    target.poll(&journal.recorder());
    assert_eq!(journal.exits(), []);
    target.stop(&journal.recorder());
    let expected = pids
        .iter()
        .map(|pid| (*pid, "signal: 15 (SIGTERM)".to_owned(), true));
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(journal.exits(), expected);
    assert!(!pids.into_iter().any(runs));
}

#[test]
fn one_that_dies_before_it_is_ready_says_why() {
    let dir = TempDir::new().unwrap();
    // Neither whole text nor one stream: a panic and a log line, and a byte that is no UTF-8.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo line $i; done; printf 'port \\377\\n'; echo in use >&2; exit 3";
    let error = start(script, 1, dir.path()).err().unwrap();
    let text = format!("{error:#}");
    assert!(text.contains("exit status: 3"), "{text}");
    assert!(
        text.contains("line 12\n") && text.contains("in use"),
        "{text}"
    );
    assert!(!text.contains("line 1\n"), "only the end: {text}");
}

#[test]
fn one_that_can_not_be_started_is_named() {
    let dir = TempDir::new().unwrap();
    let program = Program {
        path: "/nowhere/service".into(),
        args: Vec::new(),
    };
    let error = Target::started(&program, 1, otlp(), dir.path())
        .err()
        .unwrap();
    let text = format!("{error:#}");
    assert!(
        text.contains("/nowhere/service") && text.contains("No such file"),
        "{text}"
    );
}

/// The second never becomes ready, so the first, which has, must not stay behind.
#[test]
fn a_start_that_fails_half_way_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let pid_file = dir.path().join("pid");
    let script = format!(
        "case $4 in *target-0*) echo $$ >{0}.new; mv {0}.new {0}; {WELL};; esac; until [ -e {0} ]; do sleep 0.01; done; exit 1",
        pid_file.display()
    );
    let error = start(&script, 2, dir.path()).err().unwrap();
    assert!(error.to_string().contains("exit status: 1"), "{error:#}");
    let pid = fs::read_to_string(pid_file).unwrap();
    assert!(!runs(pid.trim().parse().unwrap()));
}

#[test]
fn an_end_that_nobody_asked_for_is_journalled_once() {
    let journal = Journalling::start();
    let script =
        "echo \"$2\" >\"$4\"; case $4 in *target-0*) sleep 0.1; exit 7;; esac; exec sleep 60";
    let mut target = start(script, 2, journal.path()).unwrap();
    let pids = target.pids();
    wait_until("the exit is seen", || {
        target.poll(&journal.recorder());
        !journal.exits().is_empty()
    });
    target.poll(&journal.recorder());
    let first = (pids[0], "exit status: 7".to_owned(), false);
    assert_eq!(journal.exits(), std::slice::from_ref(&first));
    target.stop(&journal.recorder());
    let second = (pids[1], "signal: 15 (SIGTERM)".to_owned(), true);
    let mut both = [first, second];
    both.sort();
    assert_eq!(journal.exits(), both);
}

#[test]
fn one_that_ignores_sigterm_is_killed() {
    let journal = Journalling::start();
    // What is ignored stays ignored across exec.
    let mut target = start(&format!("trap '' TERM; {WELL}"), 1, journal.path()).unwrap();
    let pid = target.pids()[0];
    target.set_stopped_within(Duration::from_millis(200));
    let begun = Instant::now();
    target.stop(&journal.recorder());
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let status = "signal: 9 (SIGKILL), after 200ms without an end to SIGTERM";
    assert_eq!(journal.exits(), [(pid, status.to_owned(), true)]);
    assert!(!runs(pid));
}

/// One deadline for all, and no grandchild is left either.
#[test]
fn several_that_ignore_sigterm_are_killed_together_with_their_children() {
    let journal = Journalling::start();
    let script = format!("trap '' TERM; sleep 60 & echo $! >\"$4.child\"; {WELL}");
    let mut target = start(&script, 4, journal.path()).unwrap();
    let child = |number| {
        let file = journal.path().join(format!("target-{number}.port.child"));
        let pid = fs::read_to_string(file).unwrap();
        pid.trim().parse::<u32>().unwrap()
    };
    let children: Vec<u32> = (0..4).map(child).collect();
    target.set_stopped_within(Duration::from_secs(1));
    let begun = Instant::now();
    target.stop(&journal.recorder());
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(journal.exits().len(), 4);
    wait_until("the children's children are gone", || {
        !children.iter().any(|pid| is_alive(*pid))
    });
}

#[test]
fn one_that_drains_before_it_ends_is_given_the_time() {
    let journal = Journalling::start();
    let script = "trap 'sleep 0.3; echo drained; exit 0' TERM; echo \"$2\" >\"$4\"; while :; do sleep 0.02; done";
    let target = start(script, 1, journal.path()).unwrap();
    let pid = target.pids()[0];
    target.stop(&journal.recorder());
    assert_eq!(journal.exits(), [(pid, "exit status: 0".to_owned(), true)]);
    let log = fs::read_to_string(journal.path().join("target-0.log")).unwrap();
    assert_eq!(log, "drained\n");
}

#[test]
fn what_is_dropped_is_killed() {
    let dir = TempDir::new().unwrap();
    let target = start(&format!("trap '' TERM; {WELL}"), 2, dir.path()).unwrap();
    let pids = target.pids();
    assert!(pids.iter().copied().all(runs));
    drop(target);
    assert!(!pids.into_iter().any(runs));
}

/// A process can not safely change its own environment, so this test runs itself again in one that
/// a person's shell may have.
#[test]
fn a_child_gets_our_settings_and_none_of_the_parents() {
    const AGAIN: &str = "TARGET_TEST_AGAIN";
    if std::env::var_os(AGAIN).is_none() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "target::a_child_gets_our_settings_and_none_of_the_parents",
            ])
            .env(AGAIN, "kept")
            .env("OTEL_SERVICE_NAME", "not-iris")
            .env("OTEL_TRACES_SAMPLER", "always_off")
            .env(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "http://elsewhere:4317",
            )
            .env("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=mine")
            .env("IRIS_LISTEN", "0.0.0.0:1")
            .env("GOOGLE_CLOUD_PROJECT", "somebody-pays")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let dir = TempDir::new().unwrap();
    drop(start(&format!("env; {WELL}"), 2, dir.path()).unwrap());
    for number in 0..2 {
        let log = fs::read_to_string(dir.path().join(format!("target-{number}.log"))).unwrap();
        let mut settings: Vec<&str> = log
            .lines()
            .filter(|l| {
                ["OTEL_", "IRIS_", "GOOGLE_", AGAIN]
                    .iter()
                    .any(|name| l.starts_with(name))
            })
            .collect();
        settings.sort_unstable();
        let instance = format!("OTEL_RESOURCE_ATTRIBUTES=service.instance.id=replica-{number}");
        assert_eq!(
            settings,
            [
                "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4999",
                "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
                &instance,
                "TARGET_TEST_AGAIN=kept",
            ]
        );
    }
}

/// However the verifier dies, the kernel closes its end of the pipe.
#[test]
fn the_real_child_ends_when_its_parent_is_gone() {
    let dir = TempDir::new().unwrap();
    let port_file = dir.path().join("port");
    let mut child = Command::new(VERIFIER)
        .args(["__serve", "--drain-delay", "0s"])
        .args(["--listen", "127.0.0.1:0", "--port-file"])
        .arg(&port_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the service is ready", || port_file.is_file());
    let address = fs::read_to_string(&port_file).unwrap();
    TcpStream::connect(address.trim()).unwrap();
    assert!(
        child.try_wait().unwrap().is_none(),
        "it ended with its parent still there"
    );
    drop(child.stdin.take());
    let mut status = None;
    wait_until("the service ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.unwrap().success(), "{status:?}");
}

#[test]
fn the_real_one_is_reachable_at_its_url() {
    let journal = Journalling::start();
    let program = Program {
        path: VERIFIER.into(),
        args: ["__serve", "--drain-delay", "0s"]
            .map(OsString::from)
            .into(),
    };
    let target = Target::started(&program, 2, otlp(), journal.path()).unwrap();
    let address = target.url().strip_prefix("http://").unwrap().to_owned();
    TcpStream::connect(&address).unwrap();
    let pids = target.pids();
    target.stop(&journal.recorder());
    let expected = pids
        .into_iter()
        .map(|pid| (pid, "exit status: 0".to_owned(), true));
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(journal.exits(), expected);
    assert!(
        TcpStream::connect(&address).is_err(),
        "the reserved port never listens"
    );
}
