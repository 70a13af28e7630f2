//! Verdicts on run folders made by hand: real files, judged as `verifier judge` does.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod builder;
mod checks;
mod clocks;
mod cluster;
mod compare;
mod figures;
mod legacy;
mod losses;
mod page;
mod replicas;
mod reports;
mod same_bytes;
mod schema;
mod shards;
mod tasks;
mod traces;
mod traces_figures;
mod traces_folder;
mod unfinished;

use verifier::verdict::{Check, Judgement, Stage, Verdict};

/// The check of that name, of the first stage that has it.
fn check<'v>(verdict: &'v Verdict, name: &str) -> &'v Check {
    let found = verdict.checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no check {name} in {:#?}", verdict.checks))
}

/// The only stage.
fn stage(verdict: &Verdict) -> &Stage {
    assert_eq!(verdict.stages.len(), 1);
    &verdict.stages[0]
}

/// Names of the checks that came to this.
fn named(verdict: &Verdict, outcome: Judgement) -> Vec<&str> {
    let of_outcome = verdict.checks.iter().filter(|c| c.outcome == outcome);
    of_outcome.map(|c| c.name.as_str()).collect()
}

#[track_caller]
fn assert_evidence(check: &Check, part: &str) {
    assert!(
        check.evidence.iter().any(|line| line.contains(part)),
        "no {part:?} in {check:#?}"
    );
}
