//! Faults on replicas that the verifier starts itself: signalled at their moment, counted, replaced, undone.

use super::*;
use rustix::process::{Pid, Signal, kill_process};
use verifier::record::cluster::FaultDone;
use verifier::record::{Observation, Outcome, Recorded, RunFolder};

/// One stage of load, and a fault in it.
fn plan_of(load: &str, fault: &str) -> String {
    format!(
        "name = 'faults'\nthresholds = ['error_rate<50%']
         [[stage]]\nname = 'one'\n{load}
         [[fault]]\nname = 'it'\n{fault}\n"
    )
}

/// A closed loop: at any moment each connection has a request under way; connections do not stay with whom they know.
const CLOSED: &str = "kind = 'connections'\nconnections = 8\nduration = '3s'\nreuse = 'rotate'\nconnection_lifetime = '300ms'";

fn recorded(folder: &TempDir) -> Recorded {
    let folder = RunFolder::open(&run_folder(folder)).unwrap();
    folder.read().unwrap()
}

fn observed<T>(run: &Recorded, take: impl Fn(&Observation) -> Option<T>) -> Vec<T> {
    let journal = run.journal.iter();
    journal
        .filter_map(|entry| take(&entry.observation))
        .collect()
}

fn done(run: &Recorded) -> Vec<FaultDone> {
    observed(run, |o| match o {
        Observation::FaultDone(done) => Some(done.clone()),
        _ => None,
    })
}

/// The fault's one victim.
fn victim(run: &Recorded) -> u32 {
    let done = done(run);
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(done[0].errors, Vec::<String>::new());
    assert_eq!(done[0].objects.len(), 1, "{done:?}");
    done[0].objects[0].name.parse().unwrap()
}

/// How it ended, and who took its place and served.
fn assert_replaced(run: &Recorded, verdict: &Value, victim: u32, signal: &str) {
    let ends = observed(run, |o| match o {
        Observation::TargetExited {
            pid,
            status,
            expected,
        } if *pid == victim => Some((status.clone(), *expected)),
        _ => None,
    });
    assert_eq!(ends.len(), 1);
    assert!(ends[0].0.contains(signal), "{ends:?}");
    assert!(ends[0].1, "a fault's end is no surprise");
    let started = observed(run, |o| match o {
        Observation::TargetStarted {
            replica,
            replaces,
            ready,
            ..
        } => Some((*replica, *replaces, *ready)),
        _ => None,
    });
    let number = started[0].0;
    let both = [(number, victim, false), (number, victim, true)];
    assert_eq!(started, both);
    let replicas = verdict["stages"][0]["replicas"].as_array().unwrap();
    let name = format!("replica-{number}");
    let replacement = replicas.iter().find(|r| r["source"] == name.as_str());
    let served = &replacement.unwrap_or_else(|| panic!("{name} in {replicas:?}"))["requests"];
    assert!(served.as_u64().unwrap() > 0);
    let alive = { verdict["checks"].as_array().unwrap().iter() }
        .find(|check| check["name"] == "replicas_alive");
    assert_eq!(alive.unwrap()["outcome"], "pass", "{alive:?}");
}

#[test]
fn a_killed_replica_costs_what_was_under_way_and_another_takes_its_place() {
    let folder = TempDir::new().unwrap();
    let fault = "action = 'sigkill'\nat = '1s'";
    let plan = plan(&folder, &plan_of(CLOSED, fault));
    let output = run(&folder, &[&plan, "--replicas", "2", "--seed", "5"]);
    let told = text(&output);
    let (run, verdict) = (recorded(&folder), verdict(&folder));
    let victim = victim(&run);
    assert!(
        told.contains(&format!("fault it: SIGKILL to replica {victim}")),
        "{told}"
    );
    assert_replaced(&run, &verdict, victim, "9 (SIGKILL)");
    assert_books_balance(&verdict);
    // A connection has one request under way; what it dials next may still reach the dead one's queue.
    let failed = run.exchanges.iter().filter(|e| e.outcome != Outcome::Ok);
    let failed: Vec<Outcome> = failed.map(|e| e.outcome).collect();
    assert!(failed.len() <= 16, "{failed:?}");
    let of = |outcome| verdict["stages"][0]["exchanges"][outcome].as_u64().unwrap();
    assert_eq!(of("reset") + of("connect_error"), failed.len() as u64);
    assert_eq!(of("http_error") + of("timeout") + of("unsent"), 0);
}

#[test]
fn the_only_replica_is_killed_and_the_load_goes_on_with_the_next() {
    let folder = TempDir::new().unwrap();
    let fault = "action = 'sigkill'\nat = '500ms'";
    let plan = plan(&folder, &plan_of(CLOSED, fault));
    let output = run(&folder, &[&plan]);
    let (run, verdict) = (recorded(&folder), verdict(&folder));
    let victim = victim(&run);
    assert_replaced(&run, &verdict, victim, "9 (SIGKILL)");
    assert_books_balance(&verdict);
    assert!(
        output.status.code().is_some_and(|code| code <= 1),
        "{output:?}"
    );
}

#[test]
fn a_terminated_replica_takes_no_span_with_it() {
    let folder = TempDir::new().unwrap();
    let fault = "action = 'sigterm'\nat = '1s'";
    let plan = plan(&folder, &plan_of(CLOSED, fault));
    run(&folder, &[&plan, "--replicas", "2"]);
    let (run, verdict) = (recorded(&folder), verdict(&folder));
    let victim = victim(&run);
    assert_replaced(&run, &verdict, victim, "exit status: 0");
    assert_books_balance(&verdict);
    assert_eq!(verdict["stages"][0]["traces"]["coverage"], 1.0);
}

#[test]
fn a_stopped_replica_goes_on() {
    let folder = TempDir::new().unwrap();
    let fault = "action = 'sigstop'\nat = '1s'\nlasts = '600ms'";
    let plan = plan(&folder, &plan_of(CLOSED, fault));
    run(&folder, &[&plan, "--replicas", "2"]);
    let (run, verdict) = (recorded(&folder), verdict(&folder));
    let victim = victim(&run).to_string();
    let undone = observed(&run, |o| match o {
        Observation::FaultUndone(done) => Some(done.clone()),
        _ => None,
    });
    assert_eq!(undone.len(), 1);
    assert_eq!(undone[0].errors, Vec::<String>::new());
    let objects = &undone[0].objects;
    assert_eq!(
        [objects[0].name.as_str(), &objects[0].what],
        [victim.as_str(), "SIGCONT"]
    );
    assert_complete(&verdict);
    // Those who waited for it say so.
    let longest = run.exchanges.iter().map(|e| e.latency_ns()).max().unwrap();
    assert!(longest >= 500_000_000, "{longest}");
}

#[test]
fn what_has_not_come_when_the_load_is_interrupted_is_not_done_and_what_lasts_is_undone() {
    let folder = TempDir::new().unwrap();
    let text = "name = 'faults'
        [[stage]]\nname = 'one'\nkind = 'connections'\nconnections = 2\nduration = '60s'
        [[fault]]\nname = 'stands'\naction = 'sigstop'\nat = '100ms'
        [[fault]]\nname = 'late'\naction = 'sigkill'\nat = '50s'\n";
    let plan = plan(&folder, text);
    let child = verifier(&folder, &["run", "--headless", &plan, "--replicas", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = run_folder(&folder).join("journal.jsonl");
    wait_until("the fault is done", || {
        fs::read_to_string(&journal).is_ok_and(|j| j.contains("\"fault_done\""))
    });
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let run = recorded(&folder);
    let late = done(&run).into_iter().find(|done| done.fault == "late");
    let late = late.expect("a line for the one that was not done");
    assert!(late.objects.is_empty());
    assert!(
        late.errors[0].contains("the load ended before its moment"),
        "{late:?}"
    );
    let undone = observed(&run, |o| match o {
        Observation::FaultUndone(done) => Some((done.fault.clone(), done.errors.clone())),
        _ => None,
    });
    assert_eq!(undone, [("stands".to_owned(), Vec::new())]);
    let ends = observed(&run, |o| match o {
        Observation::TargetExited { status, .. } => Some(status.clone()),
        _ => None,
    });
    assert_eq!(
        ends,
        ["exit status: 0", "exit status: 0"],
        "none is left behind"
    );
}

#[test]
fn faults_that_can_not_be_done_are_told_before_anything_begins() {
    let folder = TempDir::new().unwrap();
    let sigkill = plan(&folder, &plan_of(CLOSED, "action = 'sigkill'"));
    let output = run_at(&folder, "http://127.0.0.1:9", &[&sigkill]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("fault \"it\": sigkill is for replicas that the verifier starts"),
        "{told}"
    );
    assert!(!run_folder(&folder).exists());
}

#[test]
fn a_dry_run_and_a_run_without_faults_break_nothing() {
    let folder = TempDir::new().unwrap();
    let plan = plan(
        &folder,
        &plan_of(
            "kind = 'connections'\nconnections = 2\nduration = '500ms'",
            "action = 'sigkill'\nat = '100ms'",
        ),
    );
    let output = run(&folder, &[&plan, "--dry-run"]);
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("fault it: sigkill, 100ms into stage \"one\""),
        "{told}"
    );
    assert!(told.contains("would hit 1 of the replicas"), "{told}");
    assert!(!run_folder(&folder).exists());
    let output = run(&folder, &[&plan, "--no-faults"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(done(&recorded(&folder)), []);
    assert_complete(&verdict(&folder));
}
