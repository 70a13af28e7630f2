//! The page's time axis: what the plan wanted, traces, pauses, and runs too long for a row a second.

use super::super::builder::{MS, Run, worker};
use verifier::plan::Plan;
use verifier::record::{Entry, Observation, Second};
use verifier::verdict::page::Page;

const S: u64 = 1000 * MS;

/// The same run, so many times slower.
pub(super) fn stretch(run: &mut Run, factor: u64) {
    for e in &mut run.exchanges {
        let later = e.intended_ns * (factor - 1);
        for moment in [
            &mut e.intended_ns,
            &mut e.sent_ns,
            &mut e.first_byte_ns,
            &mut e.done_ns,
        ] {
            *moment += if *moment == 0 { 0 } else { later };
        }
    }
    for span in &mut run.spans {
        let seq = usize::try_from(span.seq).unwrap();
        let later = run.exchanges[seq].intended_ns / factor * (factor - 1);
        span.start_unix_ns += later;
        span.end_unix_ns += later;
        span.arrived_ns += later;
    }
    for entry in &mut run.journal {
        entry.at_ns *= factor;
    }
    for stage in &mut run.plan.stages {
        stage.scale_time(factor as f64);
        if let verifier::plan::Load::Rate { rate, rate_to, .. } = &mut stage.load {
            *rate /= factor as f64;
            *rate_to /= factor as f64;
        }
    }
}

fn judged(run: &Run) -> Page {
    let written = run.write();
    written.judge();
    written.page()
}

/// A run of one stage that this plan describes, of 10 s from 1 s on, with a request a second.
fn planned(stage: &str) -> Run {
    let mut run = Run::of(1);
    run.exchanges.clear();
    run.spans.clear();
    let toml =
        format!("name = 'made'\nseed = 7\n[[stage]]\nname = 'a'\nduration = '10s'\n{stage}\n");
    run.plan = Plan::parse(&toml, "made").unwrap();
    run.journal.clear();
    run.note(S, Observation::StageStarted { stage: 0 });
    for second in 0..10 {
        run.exchange(0, S + second * S);
    }
    run.note(11 * S, worker(0, 10));
    run.note(
        11 * S,
        Observation::StageEnded {
            stage: 0,
            planned: 10,
        },
    );
    run.note(11 * S, Observation::RunEnded);
    run
}

#[test]
fn users_and_rates_as_the_plan_wants_them() {
    let page = judged(&planned(
        "kind = 'users'\nusers = 8\nspawn_rate = 2\nwait = { constant = '1s' }",
    ));
    assert_eq!(page.series.at_seconds[0], 1);
    // In the middle of each second.
    let users = [2.0, 4.0, 6.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0].map(Some);
    assert_eq!(page.series.users, users);
    assert!(page.series.requested.iter().all(Option::is_none));
    let page = judged(&planned("kind = 'rate'\nrate = 0.5\nrate_to = 10.5"));
    assert_eq!(page.series.requested[0], Some(1.0));
    assert_eq!(page.series.requested[9], Some(10.0));
    assert!(page.series.users.iter().all(Option::is_none));
    let page = judged(&planned("kind = 'connections'\nconnections = 3"));
    assert_eq!(page.series.users, [Some(3.0); 10]);
}

#[test]
fn users_that_were_changed_by_hand() {
    let mut run =
        planned("kind = 'users'\nusers = 8\nspawn_rate = 100\nwait = { constant = '1s' }");
    for (at_ns, users) in [(4 * S, 18), (6 * S + 1, 17)] {
        let observation = Observation::UsersChanged { stage: 0, users };
        let place = run.journal.partition_point(|e| e.at_ns <= at_ns);
        run.journal.insert(place, Entry { at_ns, observation });
    }
    let users = judged(&run).series.users;
    assert_eq!(
        users[..7],
        [8.0, 8.0, 8.0, 18.0, 18.0, 17.0, 17.0].map(Some)
    );
}

#[test]
fn a_pause_is_seen_and_traces_are_counted() {
    let mut run = Run::of(4000);
    // Nothing ends in the third second.
    let paused = |done_ns: u64| (3 * S..4 * S).contains(&done_ns);
    for e in run.exchanges.iter_mut().filter(|e| paused(e.done_ns)) {
        e.done_ns += S;
    }
    for (second, due, complete) in [(1, 900, 0), (2, 1900, 900), (4, 4000, 2500)] {
        let observation = Observation::Second(Second {
            traces_expected: due,
            traces_complete: complete,
            ..Second::default()
        });
        let at_ns = second * S + S / 2;
        let place = run.journal.partition_point(|e| e.at_ns <= at_ns);
        run.journal.insert(place, Entry { at_ns, observation });
    }
    let series = judged(&run).series;
    assert_eq!(series.at_seconds, [1, 2, 3, 4, 5]);
    assert_eq!((series.answered[2], series.p50_ms[2]), (0, None));
    let due = [900, 1900, 1900, 4000, 4000].map(Some);
    assert_eq!(series.traces_due, due);
    // The last is of the drain.
    let complete = [0, 900, 900, 2500, 4000].map(Some);
    assert_eq!(series.traces_complete, complete);
}

#[test]
fn a_run_of_a_day_has_coarser_rows_and_says_so() {
    let mut run = Run::of(2000);
    stretch(&mut run, 40_000);
    let page = judged(&run);
    assert_eq!(page.series.step_seconds, 12);
    assert!(page.series.at_seconds.len() <= 7_200);
    assert!(
        page.limits
            .iter()
            .any(|l| l.contains("stands for 12 seconds")),
        "{:#?}",
        page.limits
    );
    assert_eq!(page.series.answered.iter().sum::<u64>(), 2000);
}
