//! Keys from stdin: users who come and go while a run runs, and a parent that goes away.

use super::*;
use std::io::Write;
use verifier::record::{Observation, Recorded, RunFolder};

const PLAN: &str = "name = 'by_hand'
    [[stage]]\nname = 'crowd'\nkind = 'users'\nusers_from = 2\nusers = 2\nwait = { constant = '10ms' }\nduration = '10m'\n";

/// The run, and what its journal says by now.
struct Running {
    folder: TempDir,
    child: Child,
}

impl Running {
    fn start() -> Running {
        let folder = TempDir::new().unwrap();
        let plan = plan(&folder, PLAN);
        let args = ["run", "--headless", "--keys-from-stdin", "--workers", "2"];
        let child = verifier(&folder, &[&args[..], &[&plan]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let running = Running { folder, child };
        running.wait_for("\"stage_started\"", 1);
        running
    }

    /// Waits until the journal has so many such lines.
    fn wait_for(&self, what: &str, times: usize) {
        let journal = run_folder(&self.folder).join("journal.jsonl");
        wait_until(what, || {
            let text = fs::read_to_string(&journal).unwrap_or_default();
            text.lines().filter(|line| line.contains(what)).count() >= times
        });
    }

    fn write(&mut self, keys: &[u8]) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(keys).unwrap();
    }

    /// Closes stdin, and waits for the end.
    fn leave(mut self) -> (TempDir, Output) {
        drop(self.child.stdin.take());
        let output = self.child.wait_with_output().unwrap();
        (self.folder, output)
    }
}

fn changes(recorded: &Recorded) -> Vec<(u64, u32)> {
    let changes = recorded.journal.iter().filter_map(|e| match e.observation {
        Observation::UsersChanged { stage: 0, users } => Some((e.at_ns, users)),
        _ => None,
    });
    changes.collect()
}

#[test]
fn users_come_and_go_by_keys_and_the_end_of_stdin_ends_the_run() {
    let mut run = Running::start();
    run.wait_for("\"second\"", 1);
    run.write(b"x\n\0\xff W");
    run.wait_for("\"users_changed\"", 1);
    run.wait_for("\"second\"", 3);
    run.write(b"q S");
    run.wait_for("\"users_changed\"", 2);
    let (folder, output) = run.leave();
    let told = text(&output);
    assert_eq!(output.status.code(), Some(130), "{told}");
    assert!(
        told.contains("the end of stdin: stopping the load"),
        "{told}"
    );
    assert!(told.contains("12 users from now on"), "{told}");
    assert!(run_folder(&folder).join("report.html").is_file());

    let verdict = verdict(&folder);
    assert_books_balance(&verdict);
    assert_eq!(verdict["run"]["interrupted"], "the end of stdin");
    let warnings = verdict["warnings"].to_string();
    let said = "the users of crowd were changed by hand, 2 times, to between 2 and 12";
    assert!(warnings.contains(said), "{warnings}");

    let recorded = RunFolder::open(&run_folder(&folder))
        .unwrap()
        .read()
        .unwrap();
    let changes = changes(&recorded);
    assert_eq!(
        changes.iter().map(|(_, users)| *users).collect::<Vec<_>>(),
        [12, 2]
    );
    let users = |from_ns: u64, to_ns: u64| {
        let rows = recorded.exchanges.iter();
        let rows = rows.filter(|row| (from_ns..to_ns).contains(&row.intended_ns));
        let mut users: Vec<u32> = rows.map(|row| row.connection).collect();
        users.sort_unstable();
        users.dedup();
        users
    };
    let (grown_ns, shrunk_ns) = (changes[0].0, changes[1].0);
    assert_eq!(users(0, grown_ns), [0, 1]);
    assert_eq!(users(grown_ns, shrunk_ns), (0..12).collect::<Vec<_>>());
}

#[test]
fn a_parent_that_stops_the_run_and_closes_its_end_has_the_report() {
    let run = Running::start();
    let pid = rustix::process::Pid::from_child(&run.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    run.wait_for("\"interrupted\"", 1);
    let (folder, output) = run.leave();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    assert_eq!(verdict(&folder)["run"]["interrupted"], "SIGINT");
    assert!(run_folder(&folder).join("report.html").is_file());
}
