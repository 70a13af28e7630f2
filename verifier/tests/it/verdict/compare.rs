//! `verifier compare`: runs that are alike, runs that are not, and runs that can not be compared.

mod noisy;

use super::builder::{INFERENCE, MS, OnDisk, PREPARATION, ROOT, Run};
pub(super) use noisy::noisy;
use std::process::Command;
use verifier::record::{Observation, Outcome};
use verifier::verdict::Judgement;
use verifier::verdict::compare::{Change, Comparison, Side, compare, to_text};

fn side(written: &OnDisk) -> Side {
    Side::read(&written.folder).unwrap()
}

fn compared(a: &Run, b: &Run) -> Comparison {
    compare(&side(&a.write()), &side(&b.write()), 0.05)
}

fn change(comparison: &Comparison, figure: &str) -> Change {
    let figures = &comparison.stages[0].figures;
    let found = figures.iter().find(|pair| pair.name == figure);
    found
        .unwrap_or_else(|| panic!("no {figure} in {figures:#?}"))
        .change
}

fn changed(comparison: &Comparison, change: Change) -> Vec<&str> {
    let all = comparison.stages.iter().flat_map(|stage| &stage.figures);
    let of_change = all.filter(|pair| pair.change == change);
    of_change.map(|pair| pair.name.as_str()).collect()
}

#[track_caller]
fn assert_unknown(comparison: &Comparison, reason: &str) {
    assert_eq!(comparison.outcome, Judgement::Unknown, "{comparison:#?}");
    let said = comparison.reasons.iter().any(|line| line.contains(reason));
    assert!(said, "no {reason:?} in {:#?}", comparison.reasons);
}

#[test]
fn a_run_is_no_worse_than_itself() {
    let run = noisy(4000, 1, 1.0);
    let comparison = compared(&run, &run);
    assert_eq!(
        comparison.outcome,
        Judgement::Pass,
        "{:#?}",
        comparison.reasons
    );
    // p99.9 of 4000 requests: too few in both.
    assert_eq!(
        changed(&comparison, Change::NotSupported),
        ["latency p99.9", "service time p99.9"]
    );
    let figures = comparison.stages[0].figures.iter();
    assert!(
        figures
            .filter_map(|pair| pair.relative)
            .all(|change| change == 0.0)
    );
}

#[test]
fn a_fifth_slower_is_found() {
    let comparison = compared(&noisy(6000, 1, 1.0), &noisy(6000, 2, 1.2));
    assert_eq!(
        comparison.outcome,
        Judgement::Fail,
        "{}",
        to_text(&comparison)
    );
    for figure in [
        "latency p50",
        "service time p50",
        "data_preparation p50",
        "model_inference p50",
    ] {
        assert_eq!(change(&comparison, figure), Change::Regression, "{figure}");
    }
    assert!(changed(&comparison, Change::Improvement).is_empty());
    assert!(
        comparison.reasons[0].starts_with("steady: latency p50 went from "),
        "{:#?}",
        comparison.reasons
    );
    let other_way = compared(&noisy(6000, 2, 1.2), &noisy(6000, 1, 1.0));
    assert_eq!(other_way.outcome, Judgement::Pass);
    assert_eq!(change(&other_way, "latency p50"), Change::Improvement);
}

/// Of 100 pairs of seeded repeats none is called a regression; a fifth slower, all are. Each request resembles those
/// before it so much that its 8000 say as much as 400 independent ones.
#[test]
fn noise_is_no_regression() {
    let sides: Vec<Side> = (0..20)
        .map(|seed| side(&noisy(8000, seed, 1.0).write()))
        .collect();
    let slower: Vec<Side> = (20..25)
        .map(|seed| side(&noisy(8000, seed, 1.2).write()))
        .collect();
    let outcomes = |others: &[Side]| -> Vec<Judgement> {
        let pairs = sides
            .iter()
            .flat_map(|a| others.iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| compare(a, b, 0.05).outcome).collect()
    };
    let alike: Vec<Judgement> = outcomes(&sides[..5]);
    let wrong = alike.iter().filter(|o| **o != Judgement::Pass).count();
    let found = outcomes(&slower)
        .iter()
        .filter(|o| **o == Judgement::Fail)
        .count();
    println!("{wrong} of 100 repeats called regressions, {found} of 100 slow-downs found");
    assert_eq!((alike.len(), wrong, found), (100, 0, 100));
}

#[test]
fn what_is_within_the_noise_threshold_is_none() {
    let (a, b) = (
        side(&noisy(6000, 1, 1.0).write()),
        side(&noisy(6000, 2, 1.2).write()),
    );
    assert_eq!(compare(&a, &b, 0.05).outcome, Judgement::Fail);
    assert_eq!(compare(&a, &b, 0.5).outcome, Judgement::Pass);
}

#[test]
fn errors_and_lost_traces_are_regressions_however_small_the_share() {
    let before = noisy(4000, 1, 1.0);
    let mut after = noisy(4000, 2, 1.0);
    after.lose(INFERENCE, |seq| seq % 100 == 0);
    for seq in (50..4000).step_by(80) {
        after.exchanges[seq].outcome = Outcome::HttpError;
        after.exchanges[seq].status = 500;
    }
    let comparison = compared(&before, &after);
    assert_eq!(
        changed(&comparison, Change::Regression),
        ["error rate", "traces incomplete"]
    );
    // One of each in so many proves nothing.
    let mut after = noisy(4000, 2, 1.0);
    after.lose(INFERENCE, |seq| seq == 100);
    assert_eq!(compared(&before, &after).outcome, Judgement::Pass);
}

#[test]
fn fewer_requests_a_second() {
    let before = noisy(4000, 1, 1.0);
    let mut after = noisy(4000, 2, 1.0);
    for seq in (0..4000).filter(|seq| seq % 4 == 0) {
        after.unanswered(seq, Outcome::Timeout, 5000 * MS);
    }
    let comparison = compared(&before, &after);
    assert_eq!(change(&comparison, "requests/s"), Change::Regression);
}

#[test]
fn a_run_that_is_unfit_is_not_compared() {
    let whole = noisy(2000, 1, 1.0);
    let mut killed = noisy(2000, 2, 1.2);
    killed
        .journal
        .retain(|entry| entry.observation != Observation::RunEnded);
    assert_unknown(&compared(&whole, &killed), "B: run_whole is unknown");
    let mut starved = noisy(2000, 2, 1.0);
    for entry in &mut starved.journal {
        if let Observation::Worker {
            wall_ns, cpu_ns, ..
        } = &mut entry.observation
        {
            *cpu_ns = *wall_ns;
        }
    }
    assert_unknown(
        &compared(&starved, &whole),
        "A: steady: generator_healthy is unknown",
    );
    let mut short = noisy(2000, 2, 1.0);
    short.exchanges.truncate(1500);
    assert_unknown(
        &compared(&whole, &short),
        "B: steady: books_balance does not hold",
    );
}

#[test]
fn users_changed_by_hand_are_not_compared() {
    let run = noisy(2000, 1, 1.0);
    let mut changed = noisy(2000, 1, 1.0);
    let (stage, users) = (0, 12);
    changed.note_before_end(Observation::UsersChanged { stage, users });
    let said = "B: the users of steady were changed by hand";
    assert_unknown(&compared(&run, &changed), said);
    assert_unknown(&compared(&changed, &changed), said);
}

#[test]
fn other_plans_are_not_compared() {
    let run = noisy(2000, 1, 1.0);
    let mut other = Run::of_stages(&[("steady", 2000), ("more", 100)]);
    assert_unknown(&compared(&run, &other), "A has no stage more");
    assert_unknown(&compared(&other, &run), "B has no stage more");
    other = noisy(2000, 1, 1.0);
    other.plan.request.bodies = vec!["{}".into()];
    assert_unknown(&compared(&run, &other), "their requests are not the same");
    other = noisy(2000, 1, 1.0);
    other.plan.stages[0].load = verifier::plan::Load::Rate {
        rate: 1000.0,
        rate_to: 1000.0,
        arrivals: verifier::plan::Arrivals::Constant,
        connections: 7,
    };
    assert_unknown(
        &compared(&run, &other),
        "the load of steady is not the same",
    );
    // A name, a seed and thresholds make no other load.
    other = noisy(2000, 1, 1.0);
    (other.plan.name, other.plan.seed) = ("another".into(), Some(8));
    other.thresholds(&["p50<1us"]);
    assert_eq!(compared(&run, &other).outcome, Judgement::Pass);
}

#[test]
fn missing_data_never_passes() {
    let run = noisy(2000, 1, 1.0);
    let mut other = noisy(2000, 2, 1.0);
    other.lose(PREPARATION, |_| true);
    let comparison = compared(&other, &run);
    assert_unknown(&comparison, "data_preparation p50 is missing: A has n/a");
    // In both is no better than in one.
    assert_unknown(&compared(&other, &other), "data_preparation p99 is missing");
    let few = noisy(8, 1, 1.0);
    assert_unknown(&compared(&few, &few), "latency p50 is missing");
}

#[test]
fn the_table_fits_a_terminal() {
    let mut run = noisy(8000, 1, 1.0);
    let mut slow = noisy(8000, 2, 1.2);
    for run in [&mut run, &mut slow] {
        run.plan.stages[0].name =
            "a stage with a name that is as long as a plan lets it be, 64".into();
    }
    slow.lose(ROOT, |seq| seq % 50 == 0);
    let text = to_text(&compared(&run, &slow));
    for line in text
        .lines()
        .take_while(|line| !line.starts_with("REGRESSION"))
    {
        assert!(line.chars().count() <= 120, "{line}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn exit_codes_and_json() {
    let (a, b) = (noisy(2000, 1, 1.0).write(), noisy(2000, 2, 1.5).write());
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_verifier"))
            .arg("compare")
            .args(args)
            .output();
        let output = output.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let [a, b] = [&a, &b].map(|written| written.folder.path().to_str().unwrap());
    assert_eq!(run(&[a, a]).0, Some(0));
    assert_eq!(run(&[a, b]).0, Some(1));
    assert_eq!(run(&[a, b, "--noise", "90%"]).0, Some(0));
    assert_eq!(run(&[a, b, "--noise", "five"]).0, Some(2));
    assert_eq!(run(&[a, "nowhere"]).0, Some(2));
    let (code, json) = run(&[a, b, "--json"]);
    let comparison: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &comparison["outcome"]), (Some(1), &"fail".into()));
    assert_eq!(comparison["stages"][0]["figures"][0]["name"], "requests/s");
}
