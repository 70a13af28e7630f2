//! Runs that can not be judged: killed, interrupted, failed in themselves, never answered, starved.

use super::builder::{Run, worker};
use super::{assert_evidence, check, named, stage};
use std::fs;
use std::io::Write;
use verifier::record::{Entry, Observation, Outcome};
use verifier::verdict::Judgement;

fn append(path: &std::path::Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn a_killed_run_is_unknown_and_keeps_its_counts() {
    let mut run = Run::of_stages(&[("a", 200), ("b", 200)]);
    // Killed in stage b: neither it nor the run ended, and half of its traces are still on their way.
    let ended = |entry: &Entry| match entry.observation {
        Observation::StageEnded { stage, .. } | Observation::Worker { stage, .. } => stage == 1,
        Observation::RunEnded
        | Observation::DrainStarted { .. }
        | Observation::DrainEnded { .. } => true,
        _ => false,
    };
    run.journal.retain(|entry| !ended(entry));
    run.exchanges.truncate(300);
    run.spans.retain(|span| span.seq < 250);
    let written = run.write();
    append(&written.folder.exchange_rows(), &[7; 33]);
    append(&written.folder.span_rows(), &[7; 63]);
    append(&written.folder.journal(), br#"{"at_ns":99,"kind":"run_en"#);
    let verdict = written.judge();
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert!(!verdict.run.whole);
    assert_evidence(
        check(&verdict, "run_whole"),
        "it was killed, or is still running",
    );
    assert!(
        verdict.reasons[0].contains("run_whole"),
        "{:?}",
        verdict.reasons
    );
    let counts = |s: usize| {
        let stage = &verdict.stages[s];
        (
            stage.exchanges.planned,
            stage.traces.complete,
            stage.traces.missing,
        )
    };
    assert_eq!((counts(0), counts(1)), ((200, 200, 0), (100, 50, 50)));
    let books: Vec<_> = verdict
        .checks
        .iter()
        .filter(|c| c.name == "books_balance")
        .collect();
    assert_eq!(books[0].outcome, Judgement::Pass);
    assert_eq!(books[1].outcome, Judgement::Unknown);
    assert_eq!(
        books[1].evidence,
        ["the stage did not end; 100 exchanges were recorded"]
    );
    assert_eq!(verdict.stages[1].generator.healthy, None);
}

/// Killed before the second stage began.
#[test]
fn a_stage_that_never_began_has_no_figures() {
    let mut run = Run::of_stages(&[("a", 50), ("b", 50)]);
    run.journal.retain(|entry| {
        !matches!(
            entry.observation,
            Observation::StageStarted { stage: 1 }
                | Observation::StageEnded { stage: 1, .. }
                | Observation::Worker { stage: 1, .. }
                | Observation::RunEnded
        )
    });
    run.exchanges.truncate(50);
    run.spans.retain(|span| span.seq < 50);
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Unknown);
    let b = &verdict.stages[1];
    assert_eq!(
        (b.exchanges.planned, b.requests_per_second, b.latency_ms.max),
        (0, None, None)
    );
    assert_eq!((b.duration_seconds, b.traces.coverage), (0.0, None));
}

#[test]
fn an_interrupted_run_is_unknown() {
    let mut run = Run::of(100);
    for i in 60..100 {
        run.unanswered(i, Outcome::Unsent, 0);
    }
    run.spans.retain(|span| span.seq < 60);
    run.note_before_end(Observation::Interrupted {
        signal: "SIGINT".into(),
    });
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert_eq!(verdict.run.interrupted.as_deref(), Some("SIGINT"));
    assert!(verdict.run.whole);
    assert!(verdict.reasons[0].contains("the run was interrupted by SIGINT"));
    assert_eq!(stage(&verdict).exchanges.unsent, 40);
    assert_eq!(stage(&verdict).latency_ms.n, 60);
}

#[test]
fn a_run_error_is_unknown() {
    let mut run = Run::of(100);
    let error = "cannot write spans.rows: No space left on device";
    run.note_before_end(Observation::RunError {
        error: error.into(),
    });
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert_eq!(named(&verdict, Judgement::Unknown), ["run_whole"]);
    assert_evidence(check(&verdict, "run_whole"), error);
}

#[test]
fn a_target_that_never_answered_is_unknown() {
    let mut run = Run::of(100);
    for i in 0..100 {
        run.unanswered(i, Outcome::ConnectError, 1000);
    }
    run.spans.clear();
    let error = "no connection could be made within 3 s: Connection refused";
    run.note_before_end(Observation::TargetFailed {
        error: error.into(),
    });
    let verdict = run.judge();
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert_eq!(named(&verdict, Judgement::Fail), [""; 0]);
    let answered = check(&verdict, "target_answered");
    assert_evidence(
        answered,
        "the target never answered: 0 requests sent, no answer",
    );
    assert_evidence(answered, error);
    assert_eq!(check(&verdict, "error_rate==0").value, None);
    assert_eq!(check(&verdict, "coverage==1").value, None);
}

/// Too much lag, or a worker that had no CPU left.
fn starved() -> [Run; 2] {
    [(200_000_000, 0), (0, 990_000_000)].map(|(lag, cpu)| {
        let mut run = Run::of(1000);
        run.thresholds(&["p50<1us", "requests_per_second>1000000", "error_rate==0"]);
        let mut bad = worker(0, 0);
        if let Observation::Worker {
            lag_p99_ns,
            cpu_ns,
            worker,
            ..
        } = &mut bad
        {
            (*lag_p99_ns, *cpu_ns, *worker) = (lag, cpu, 1);
        }
        run.note_before_end(bad);
        run
    })
}

#[test]
fn a_starved_generator_judges_no_latency() {
    for run in starved() {
        let verdict = run.judge();
        assert_eq!(verdict.outcome, Judgement::Unknown, "{:#?}", verdict.checks);
        assert_eq!(stage(&verdict).generator.healthy, Some(false));
        assert_eq!(
            named(&verdict, Judgement::Unknown),
            [
                "generator_healthy",
                "p50<1us",
                "requests_per_second>1000000"
            ]
        );
        assert_evidence(
            check(&verdict, "p50<1us"),
            "the load generator, not the target",
        );
        assert!(verdict.reasons[0].contains("generator_healthy"));
        assert_eq!(check(&verdict, "coverage==1").outcome, Judgement::Pass);
    }
}

#[test]
fn a_starved_generator_does_not_excuse_a_missing_trace() {
    for mut run in starved() {
        run.spans.retain(|span| span.seq != 17);
        let verdict = run.judge();
        assert_eq!(verdict.outcome, Judgement::Fail);
        assert_eq!(named(&verdict, Judgement::Fail), ["coverage==1"]);
        assert_eq!(stage(&verdict).traces.missing, 1);
    }
}

/// A torn end is a crash; damage before the end is not, and nothing is judged by it.
#[test]
fn a_damaged_folder_is_refused() {
    let refused = |damage: &dyn Fn(&verifier::record::RunFolder)| {
        let written = Run::of(20).write();
        damage(&written.folder);
        let error = verifier::verdict::judge_folder(&written.folder)
            .err()
            .unwrap();
        format!("{error:#}")
    };
    let error = refused(&|folder| append(&folder.journal(), b"no json\n"));
    assert!(
        error.contains("journal.jsonl line") && error.contains("is damaged"),
        "{error}"
    );
    let error = refused(&|folder| append(&folder.exchange_rows(), &[255; 64]));
    assert!(
        error.contains("row 20 of") && error.contains("is damaged"),
        "{error}"
    );
    let error = refused(&|folder| fs::remove_file(folder.span_rows()).unwrap());
    assert!(error.contains("spans.rows"), "{error}");
    let error = refused(&|folder| fs::remove_file(folder.plan()).unwrap());
    assert!(error.contains("plan.toml"), "{error}");
    let error = refused(&|folder| fs::write(folder.span_rows(), [0; 64]).unwrap());
    assert!(error.contains("is not a file of"), "{error}");
}

/// `verifier show` reads what `verifier judge` wrote, and says so where it can not.
#[test]
fn a_verdict_of_another_schema_is_refused() {
    let written = Run::of(20).write();
    let read = || verifier::verdict::read_verdict(&written.folder);
    assert!(format!("{:#}", read().unwrap_err()).contains("verifier judge"));
    written.judge();
    let path = written.folder.path().join("verdict.json");
    let other = fs::read_to_string(&path)
        .unwrap()
        .replace("verdict/1", "verdict/9");
    fs::write(&path, other).unwrap();
    assert!(format!("{:#}", read().unwrap_err()).contains("verdict/9"));
}
