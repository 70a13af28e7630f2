//! SIGKILL at any moment: the folder is judged on what it has, its counts agree, and the service does not stay behind.

use super::*;
use verifier::record::{Observation, RunFolder};

/// When the verifier is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// As soon as this file of the run folder is there.
    File(&'static str),
    After(Duration),
}

const FILES: [&str; 8] = [
    "plan.toml",
    "exchanges.rows",
    "spans.rows",
    "journal.jsonl",
    "exchanges.parquet.partial",
    "exchanges.parquet",
    "spans.parquet",
    "verdict.json",
];

fn killed(moment: Moment) {
    let folder = TempDir::new().unwrap();
    let plan = plan(
        &folder,
        "name = 'killed'
         [[stage]]\nname = 'one'\nkind = 'connections'\nconnections = 4\nduration = '500ms'
         [[stage]]\nname = 'two'\nkind = 'rate'\nrate = 300\nduration = '500ms'\n",
    );
    let mut child = verifier(&folder, &["run", "--headless", &plan])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    wait_until(&format!("{moment:?}"), || match moment {
        Moment::File(name) => run_folder(&folder).join(name).exists(),
        Moment::After(time) => begun.elapsed() >= time,
    });
    child.kill().unwrap();
    child.wait().unwrap();
    judge_what_is_left(&folder, &format!("{moment:?}"));
}

fn judge(folder: &TempDir) -> Output {
    Command::new(VERIFIER)
        .args(["judge", run_folder(folder).to_str().unwrap()])
        .output()
        .unwrap()
}

fn judge_what_is_left(folder: &TempDir, when: &str) {
    let judged = judge(folder);
    let told = format!("{when}: {}", text(&judged));
    let journal = fs::read_to_string(run_folder(folder).join("journal.jsonl")).unwrap_or_default();
    if !journal
        .lines()
        .any(|line| line.contains("\"run_started\"") && line.ends_with('}'))
    {
        assert_eq!(judged.status.code(), Some(2), "{told}");
        let said = ["it has no journal.jsonl", "had not begun"];
        assert!(said.iter().any(|words| told.contains(words)), "{told}");
        return;
    }
    let left = RunFolder::open(&run_folder(folder)).unwrap();
    let recorded = left
        .read()
        .unwrap_or_else(|error| panic!("{when}: {error:#}"));
    let ended = recorded
        .journal
        .iter()
        .any(|e| e.observation == Observation::RunEnded);
    match judged.status.code() {
        Some(3) => {}
        Some(0) if ended => {}
        code => panic!("{code:?}, {told}"),
    }
    let first = fs::read(run_folder(folder).join("verdict.json")).unwrap();
    let verdict = verdict(folder);
    assert_books_balance(&verdict);
    let planned = verdict["stages"].as_array().unwrap().iter();
    let planned: u64 = planned
        .map(|stage| stage["exchanges"]["planned"].as_u64().unwrap())
        .sum();
    assert_eq!(planned, recorded.exchanges.len() as u64, "{told}");
    judge(folder);
    let again = fs::read(run_folder(folder).join("verdict.json")).unwrap();
    assert_eq!(again, first, "{when}: judged again, the verdict differs");
    let services = recorded
        .journal
        .iter()
        .filter_map(|e| match &e.observation {
            Observation::TargetReady { pids, .. } => Some(pids.clone()),
            _ => None,
        });
    for pid in services.flatten() {
        wait_until(&format!("{when}: the service {pid} has ended"), || {
            !running(pid)
        });
    }
}

/// A process that has ended may still be listed, until whoever inherited it takes note.
fn running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with('Z'))
}

#[test]
fn killed_when_a_file_has_just_appeared_the_folder_is_judged() {
    for name in FILES {
        killed(Moment::File(name));
    }
}

fn killed_at_random(seed: u64, times: u64) {
    println!("seed {seed}");
    for number in 0..times {
        let random = seed
            .wrapping_add(number)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 32;
        killed(Moment::After(Duration::from_millis(random % 2500)));
    }
}

#[test]
fn killed_at_any_moment_the_folder_is_judged() {
    killed_at_random(getrandom::u64().unwrap(), 4);
}

/// The same a hundred times: `cargo test -p verifier --test it -- --ignored run::killed`.
#[test]
#[ignore = "minutes long"]
fn killed_at_a_hundred_moments_the_folder_is_judged() {
    killed_at_random(getrandom::u64().unwrap(), 100);
}
