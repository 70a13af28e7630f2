//! The panel on a real pseudo-terminal: what stands on it, what its keys do, and that the terminal is left as it was
//! found, however the run ends.

use super::pty::Pty;
use super::*;
use rustix::process::{Pid, Signal, kill_process};

const KIND: &str = "xterm-256color";
const SIZE: (u16, u16) = (100, 30);
const REPORT: &str = "report: ";

fn crowd(folder: &TempDir) -> String {
    plan(
        folder,
        "name = 'crowd'
         [[stage]]\nname = 'people'\nkind = 'users'\nusers_from = 2\nusers = 2\nwait = { constant = '10ms' }\nduration = '10m'\n",
    )
}

fn start(folder: &TempDir, kind: &str, size: (u16, u16), args: &[&str]) -> Pty {
    let out = run_folder(folder);
    let args = [&["run", "--out", out.to_str().unwrap()], args].concat();
    Pty::run(folder.path(), kind, size, &args)
}

fn has_report(folder: &TempDir) -> bool {
    run_folder(folder).join("report.html").is_file()
}

#[test]
fn keys_work_and_ctrl_c_leaves_the_terminal_as_it_was() {
    let folder = TempDir::new().unwrap();
    let plan = crowd(&folder);
    let mut pty = start(&folder, KIND, SIZE, &[&plan]);
    pty.wait_for("stage 1 of 1: people, 2 users");
    pty.wait_for("ok  ");
    let text = pty.text();
    assert!(pty.is_alternate(), "{text}");
    for part in [
        "requests per second",
        "p99",
        "histogram",
        "otlp",
        "replicas 1 of 1",
        "w +1",
    ] {
        assert!(text.contains(part), "no {part}: {text}");
    }
    pty.type_keys("W");
    pty.wait_for("12 users  load worker");
    pty.wait_for("12 users from now on");
    pty.type_keys("s");
    pty.wait_for("11 users  load worker");
    pty.type_keys("\x03");
    let status = pty.end(REPORT);
    let text = pty.text();
    assert_eq!(status.code(), Some(130), "{text}");
    pty.assert_restored();
    for line in [
        "12 users from now on",
        "SIGINT: stopping the load",
        "UNKNOWN",
    ] {
        assert!(text.contains(line), "no {line}: {text}");
    }
    assert!(has_report(&folder));
}

#[test]
fn q_and_sigterm_end_the_run_and_the_terminal_is_as_it_was() {
    for stop in ["q", "SIGTERM"] {
        let folder = TempDir::new().unwrap();
        let plan = crowd(&folder);
        let mut pty = start(&folder, KIND, SIZE, &[&plan]);
        pty.wait_for("people");
        match stop {
            "q" => pty.type_keys("q"),
            _ => pty.signal(Signal::TERM),
        }
        let status = pty.end(REPORT);
        assert_eq!(status.code(), Some(130), "{}", pty.text());
        assert!(pty.text().contains(&format!("{stop}: stopping the load")));
        pty.assert_restored();
    }
}

#[test]
fn a_run_that_ends_by_itself_leaves_its_verdict_where_one_scrolls() {
    let folder = TempDir::new().unwrap();
    let mut pty = start(
        &folder,
        KIND,
        SIZE,
        &["--connections", "2", "--duration", "2s"],
    );
    pty.wait_for("2 connections");
    let status = pty.end(REPORT);
    let text = pty.text();
    assert!(matches!(status.code(), Some(0 | 1 | 3)), "{status}: {text}");
    assert!(text.contains("plan quick"), "{text}");
    assert!(
        text.contains("the load has ended; stopping the target"),
        "{text}"
    );
    pty.assert_restored();
}

#[test]
fn a_replica_that_is_killed_is_told_and_the_terminal_is_as_it_was() {
    let folder = TempDir::new().unwrap();
    let plan = crowd(&folder);
    let mut pty = start(&folder, KIND, SIZE, &["--replicas", "2", &plan]);
    pty.wait_for("replicas 2 of 2");
    pty.wait_for("ok  ");
    let journal = fs::read_to_string(run_folder(&folder).join("journal.jsonl")).unwrap();
    let ready = journal
        .lines()
        .find(|line| line.contains("\"target_ready\""));
    let ready: Value = serde_json::from_str(ready.unwrap()).unwrap();
    let pid = ready["pids"][0].as_u64().unwrap();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    pty.wait_for("replicas 1 of 2");
    pty.wait_for("a replica ended by itself");
    pty.type_keys("q");
    pty.end(REPORT);
    pty.assert_restored();
}

#[test]
fn it_follows_the_terminal_to_any_size() {
    let folder = TempDir::new().unwrap();
    let plan = crowd(&folder);
    let mut pty = start(&folder, KIND, SIZE, &[&plan]);
    pty.wait_for("histogram");
    pty.resize((45, 12));
    wait_until("it is short", || {
        let text = pty.text();
        text.contains("p99") && !text.contains("histogram")
    });
    pty.resize((20, 2));
    wait_until("it is a line", || pty.text().lines().count() == 1);
    pty.resize((132, 50));
    pty.wait_for("histogram");
    pty.type_keys("q");
    pty.end(REPORT);
    pty.assert_restored();
}

#[test]
fn a_terminal_that_goes_away_ends_the_run_with_its_report() {
    let folder = TempDir::new().unwrap();
    let plan = crowd(&folder);
    let mut pty = start(&folder, KIND, SIZE, &[&plan]);
    pty.wait_for("people");
    let status = pty.close();
    assert_eq!(status.code(), Some(130), "{status}");
    assert_eq!(verdict(&folder)["run"]["interrupted"], "SIGHUP");
    assert!(has_report(&folder));
}

#[test]
fn a_terminal_without_screens_has_lines() {
    let cases: [(&str, &[&str]); 3] = [(KIND, &["--headless"]), (KIND, &["--json"]), ("dumb", &[])];
    for (kind, args) in cases {
        let folder = TempDir::new().unwrap();
        let args = [args, &["--connections", "2", "--duration", "3s"]].concat();
        let mut pty = start(&folder, kind, SIZE, &args);
        pty.wait_for("req/s");
        assert!(!pty.is_alternate(), "{args:?}");
        pty.end(REPORT);
        pty.assert_restored();
    }
}
