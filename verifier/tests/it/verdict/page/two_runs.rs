//! A run beside its baseline: `verifier compare --html`, and `--baseline` of a run and of a judgement.

use super::super::builder::{OnDisk, Run};
use super::super::compare::noisy;
use super::embedded;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;
use verifier::verdict::page::Page;

fn verifier(folder: &Path, args: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_verifier"))
        .current_dir(folder)
        .args(args)
        .output();
    command.unwrap()
}

fn path(written: &OnDisk) -> &str {
    written.folder.path().to_str().unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]];
    both.map(String::from_utf8_lossy).join("\n")
}

fn page_of(html: &Path) -> Page {
    serde_json::from_str(&embedded(&fs::read_to_string(html).unwrap())).unwrap()
}

#[test]
fn two_runs_on_one_page() {
    let here = TempDir::new().unwrap();
    let [a, b] = [(1, 1.0), (2, 1.4)].map(|(seed, slower)| noisy(3000, seed, slower).write());
    let verdicts = [a.judge(), b.judge()];
    let output = verifier(
        here.path(),
        &["compare", path(&a), path(&b), "--html", "both.html"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let both = page_of(&here.path().join("both.html"));
    assert_eq!(both.verdict.as_ref(), Some(&verdicts[1]));
    let baseline = both.baseline.unwrap();
    assert_eq!(baseline.statistics, a.page().statistics);
    assert_eq!(baseline.series, a.page().series);
    let comparison = both.comparison.unwrap();
    let pair = comparison.stages[0]
        .figures
        .iter()
        .find(|p| p.name == "latency p50");
    let pair = pair.unwrap();
    let shown = [&pair.a, &pair.b].map(|e| e.as_ref().unwrap().value);
    let page =
        [&baseline.statistics[0], &both.statistics[0]].map(|row| row.latency_ms.p50.unwrap());
    assert_eq!(shown, page);
    // Without a name it has one.
    let output = verifier(here.path(), &["compare", path(&a), path(&b), "--html"]);
    assert!(
        said(&output).contains("page: compare.html"),
        "{}",
        said(&output)
    );
    assert!(here.path().join("compare.html").is_file());
}

#[test]
fn a_folder_without_a_page_says_what_makes_it() {
    let here = TempDir::new().unwrap();
    let [a, b] = [1, 2].map(|seed| noisy(1000, seed, 1.0).write());
    b.judge();
    let output = verifier(
        here.path(),
        &["compare", path(&a), path(&b), "--html", "both.html"],
    );
    assert_eq!(output.status.code(), Some(2));
    let advice = format!("page.json: `verifier judge {}` makes it", path(&a));
    assert!(said(&output).contains(&advice), "{}", said(&output));
    let output = verifier(here.path(), &["judge", path(&b), "--baseline", path(&a)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains(&advice), "{}", said(&output));
    // Nothing was run, and nothing made, for a baseline that can not be.
    let output = verifier(
        here.path(),
        &["run", "quick", "--baseline", "nowhere", "--out", "new"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--baseline"), "{}", said(&output));
    assert!(!here.path().join("new").exists());
}

#[test]
fn a_judgement_beside_a_baseline() {
    let here = TempDir::new().unwrap();
    let [a, b] = [(1, 1.0), (2, 1.4)].map(|(seed, slower)| noisy(3000, seed, slower).write());
    a.judge();
    let alone = b.judge();
    let output = verifier(here.path(), &["judge", path(&b), "--baseline", path(&a)]);
    // The verdict and the exit code are the run's own.
    assert_eq!(
        output.status.code(),
        Some(i32::from(alone.outcome.exit_code()))
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text
        .lines()
        .filter(|line| line.starts_with("against made-by-hand: REGRESSION: "));
    assert_eq!(lines.count(), 1, "{text}");
    let page = b.page();
    assert_eq!(page.verdict.as_ref(), Some(&alone));
    assert!(page.comparison.is_some() && page.baseline.is_some());
    let page = page_of(&b.folder.path().join("report.html"));
    assert!(page.comparison.is_some());
    // With --json, stdout is the verdict's alone.
    let output = verifier(
        here.path(),
        &["judge", path(&b), "--baseline", path(&a), "--json"],
    );
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("against made-by-hand: "));
}

#[test]
fn a_baseline_of_another_plan_is_none() {
    let here = TempDir::new().unwrap();
    let (a, b) = (
        noisy(1000, 1, 1.0).write(),
        Run::of_stages(&[("other", 1000)]).write(),
    );
    a.judge();
    let output = verifier(here.path(), &["judge", path(&b), "--baseline", path(&a)]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let line = "against made-by-hand: can not be compared: the plans differ: ";
    assert!(said(&output).contains(line), "{}", said(&output));
    let comparison = b.page().comparison.unwrap();
    assert_eq!(comparison.outcome, verifier::verdict::Judgement::Unknown);
}
