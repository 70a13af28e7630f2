//! Shards of a run that were made by hand: joined, they are judged as the one run that they were dealt from.

mod damaged;
mod processes;

use super::builder::{INFERENCE, MS, ORIGIN, PREPARATION, Run, worker};
use super::{assert_evidence, check};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use verifier::record::{
    Asked, Dictionary, Entry, Observation, Outcome, Receiver, RunFolder, Second, Shard, Table,
    merge,
};
use verifier::verdict::{Judgement, Stage, Verdict, judge_and_report};

/// A run with some of everything, of three senders.
fn whole() -> Run {
    let mut run = Run::of_stages(&[("a", 1200), ("b", 700)]);
    let others = ["pod-1", "pod-2"].map(|pod| run.number(Table::Source, pod));
    let detail = run.number(Table::Detail, "Timeout");
    for span in &mut run.spans {
        span.source = [0, others[0], others[1]][(span.seq / 3 % 3) as usize];
    }
    run.lose(INFERENCE, |seq| seq % 40 == 1);
    for seq in [11, 12, 1700] {
        run.unanswered(seq, Outcome::Timeout, 400 * MS);
    }
    // The same span again.
    for seq in (5..1900).step_by(50) {
        let mut again = *run.span(seq, PREPARATION);
        (again.detail, again.arrived_ns) = (detail, again.arrived_ns + MS);
        run.spans.push(again);
    }
    run
}

/// How a run is dealt.
#[derive(Clone, Copy, Debug)]
struct Deal {
    count: u16,
    /// Says which shard receives a span.
    receiver: u64,
    /// How much later than the one before each shard began, nanoseconds.
    later_ns: u64,
}

impl Deal {
    /// The shard's part of the run, as that shard would have recorded it.
    fn part(self, run: &Run, index: u16) -> Run {
        let shard = Shard {
            index,
            count: self.count,
        };
        let shift_ns = u64::from(index) * self.later_ns;
        let mut part = Run {
            plan: run.plan.clone(),
            key: run.key,
            dictionary: Dictionary::default(),
            exchanges: run.exchanges.clone(),
            spans: run.spans.clone(),
            journal: Vec::new(),
            origin_unix_ns: run.origin_unix_ns + shift_ns,
        };
        part.exchanges.retain(|e| shard.holds(e.seq));
        for e in &mut part.exchanges {
            for moment in [
                &mut e.intended_ns,
                &mut e.sent_ns,
                &mut e.first_byte_ns,
                &mut e.done_ns,
            ] {
                *moment -= if *moment > 0 { shift_ns } else { 0 };
            }
        }
        part.spans
            .retain(|span| self.receiver_of(span.seq) == index);
        // Numbers of its own: texts as they come, in another order in each shard.
        part.dictionary = Dictionary::default();
        for name in part.plan.span_names() {
            part.dictionary.intern(Table::SpanName, name);
        }
        part.dictionary.intern(Table::Detail, "");
        if index % 2 == 1 {
            part.spans.reverse();
        }
        for span in &mut part.spans {
            let mut renumber = |table, number| {
                let text = run.dictionary.text(table, number);
                part.dictionary.intern(table, text).0
            };
            span.name = renumber(Table::SpanName, span.name);
            span.source = renumber(Table::Source, span.source);
            span.detail = renumber(Table::Detail, span.detail);
            span.arrived_ns -= shift_ns;
        }
        part.note(0, Observation::Shard(shard));
        self.journal(run, &mut part, shift_ns);
        part
    }

    /// Spans go by their trace, as a load-balancing exporter sends them.
    fn receiver_of(self, seq: u64) -> u16 {
        let hash = (seq ^ self.receiver).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        u16::try_from(hash % u64::from(self.count)).unwrap()
    }

    /// What the whole said, as far as the part would say it.
    fn journal(self, run: &Run, part: &mut Run, shift_ns: u64) {
        let own = |part: &Run, of: u16| part.exchanges.iter().filter(|e| e.stage == of).count();
        for entry in &run.journal {
            let mut observation = entry.observation.clone();
            match &mut observation {
                Observation::StageEnded { stage, planned } => *planned = own(part, *stage) as u64,
                Observation::Worker { stage, .. } => {
                    observation = worker(*stage, own(part, *stage) as u64);
                }
                Observation::Receiver(books) => {
                    *books = Receiver {
                        requests: 1,
                        spans: part.spans.len() as u64,
                        foreign_spans: 2,
                        ..Receiver::default()
                    };
                }
                _ => {}
            }
            part.note(entry.at_ns.saturating_sub(shift_ns), observation);
        }
    }

    /// Writes all parts into a folder.
    fn write(self, run: &Run, into: &Path) -> Vec<PathBuf> {
        let write = |index| {
            let folder = self
                .part(run, index)
                .write_to(&into.join(format!("shard-{index}")));
            // Half of them as an ended run leaves them, half as one whose disk was full at the end.
            if index % 2 == 0 {
                folder.seal().unwrap();
            }
            folder.path().to_owned()
        };
        (0..self.count).map(write).collect()
    }
}

fn join(folders: &[PathBuf], out: &Path) -> anyhow::Result<RunFolder> {
    merge::merge(folders, out, None, &mut |_| {})
}

fn judge(folder: &RunFolder) -> Verdict {
    let verdict = judge_and_report(folder, Asked::default(), None, |_, _| Ok(())).unwrap();
    super::page::assert_same(folder, &verdict);
    verdict
}

/// Dealt, written, joined, judged.
fn dealt_and_joined(run: &Run, deal: Deal) -> Verdict {
    let folder = TempDir::new().unwrap();
    deal.write(run, folder.path());
    let out = folder.path().join("joined");
    judge(&join(&[folder.path().to_owned()], &out).unwrap())
}

/// What the load generator's workers say of themselves differs: there are others.
fn without_workers(stage: &Stage) -> Stage {
    Stage {
        generator: Default::default(),
        ..stage.clone()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn joined_shards_have_the_figures_of_the_one_run(count in 1_u16..6, receiver: u64, later in 0_u64..80) {
        let mut run = whole();
        let books = run.spans.len() as u64;
        run.journal.iter_mut().for_each(|entry| if let Observation::Receiver(r) = &mut entry.observation {
            (r.spans, r.foreign_spans) = (books, 2 * u64::from(count));
        });
        let one = run.judge();
        let joined = dealt_and_joined(&run, Deal { count, receiver, later_ns: later * MS + 7 });
        prop_assert_eq!(joined.outcome, one.outcome);
        for (joined, one) in joined.stages.iter().zip(&one.stages) {
            prop_assert_eq!(without_workers(joined), without_workers(one));
            let planned: u64 = joined.generator.workers.iter().map(|w| w.planned).sum();
            prop_assert_eq!(planned, one.exchanges.planned);
            prop_assert_eq!(joined.generator.workers.len(), usize::from(count));
        }
        let failing = |verdict: &Verdict| -> Vec<_> {
            let checks = verdict.checks.iter().filter(|c| c.outcome != Judgement::Pass);
            checks.map(|c| (c.name.clone(), c.stage.clone(), c.evidence.clone())).collect()
        };
        prop_assert_eq!(failing(&joined), failing(&one));
        prop_assert_eq!(joined.receiver.spans, books);
        prop_assert_eq!(&joined.losses, &one.losses);
        prop_assert_eq!(joined.shards.iter().map(|s| s.planned).sum::<u64>(), run.exchanges.len() as u64);
        prop_assert_eq!(joined.shards.iter().map(|s| s.spans).sum::<u64>(), books);
        // Wall clocks that agree: nothing else is drawn than what one would draw.
        prop_assert_eq!(joined.clocks, one.clocks);
    }
}

#[test]
fn a_shard_alone_is_a_part_and_no_verdict() {
    let mut run = whole();
    run.thresholds(&["error_rate<50%", "coverage==1", "rps>900", "p99<1ms"]);
    let deal = Deal {
        count: 3,
        receiver: 1,
        later_ns: 0,
    };
    let folder = TempDir::new().unwrap();
    let parts = deal.write(&run, folder.path());
    let verdict = judge(&RunFolder::open(&parts[1]).unwrap());
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert!(
        verdict.reasons[0].contains("this is shard 1/3, a part of a run"),
        "{:?}",
        verdict.reasons
    );
    let failed = verdict
        .checks
        .iter()
        .filter(|c| c.outcome == Judgement::Fail);
    assert_eq!(failed.count(), 0, "{:#?}", verdict.checks);
    assert_evidence(check(&verdict, "coverage==1"), "shard 1/3 alone");
    assert!(verifier::verdict::judge::recorded_part(&verdict));

    let joined = judge(&join(&parts, &folder.path().join("joined")).unwrap());
    assert_eq!(check(&joined, "all_shards").outcome, Judgement::Pass);
    assert_eq!(joined.outcome, Judgement::Fail, "p99<1ms does not hold");
    assert!(!verifier::verdict::judge::recorded_part(&joined));
}

#[test]
fn a_shard_that_was_interrupted_makes_the_whole_unknown() {
    let mut deal = Vec::new();
    let folder = TempDir::new().unwrap();
    for index in 0..2 {
        let of = Deal {
            count: 2,
            receiver: 0,
            later_ns: 0,
        };
        let mut part = of.part(&Run::of(800), index);
        if index == 1 {
            let signal = "SIGTERM".to_owned();
            part.note_before_end(Observation::Interrupted { signal });
        }
        let path = folder.path().join(index.to_string());
        deal.push(part.write_to(&path).path().to_owned());
    }
    let verdict = judge(&join(&deal, &folder.path().join("joined")).unwrap());
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert_evidence(check(&verdict, "run_whole"), "interrupted by SIGTERM");
}

/// The second shard's machine is five seconds ahead: its requests seem to have been sent so much later, while the
/// senders' clocks are those of before.
#[test]
fn a_shard_whose_clock_is_off_is_found_by_the_senders_that_both_know() {
    let run = Run::of(1000);
    let deal = Deal {
        count: 2,
        receiver: 0,
        later_ns: 0,
    };
    let folder = TempDir::new().unwrap();
    for index in 0..2 {
        let mut part = deal.part(&run, index);
        part.origin_unix_ns += u64::from(index) * 5000 * MS;
        part.write_to(&folder.path().join(index.to_string()));
    }
    let out = folder.path().join("joined");
    let joined = judge(&join(&[folder.path().to_owned()], &out).unwrap());
    let (first, second) = (&joined.shards[0], &joined.shards[1]);
    assert_eq!(
        (first.clock_least_ms, first.clock_greatest_ms),
        (Some(0.0), Some(0.0))
    );
    let (least, greatest) = (
        second.clock_least_ms.unwrap(),
        second.clock_greatest_ms.unwrap(),
    );
    assert!(
        least <= 5000.0 && greatest >= 5000.0 && greatest - least < 1.0,
        "{second:?}"
    );
    let clock = &joined.clocks[0];
    assert!(
        !clock.contradictory && clock.least_ms <= 0.5 && clock.greatest_ms >= -0.5,
        "{clock:?}"
    );
    assert!(
        joined
            .warnings
            .iter()
            .any(|w| w.contains("clock of shard 1")),
        "{:?}",
        joined.warnings
    );
    assert!(
        joined
            .warnings
            .iter()
            .any(|w| w.contains("began 5.0 s after the first")),
        "{:?}",
        joined.warnings
    );
    assert_eq!(
        joined.stages[0].latency_ms,
        run.judge().stages[0].latency_ms
    );
}

#[test]
fn seconds_are_added_up_and_no_percentile_is_made_up() {
    let deal = Deal {
        count: 2,
        receiver: 0,
        later_ns: 0,
    };
    let folder = TempDir::new().unwrap();
    for index in 0..2 {
        let mut part = deal.part(&Run::of(100), index);
        for second in 1..=2_u64 {
            let figures = Second {
                done: 10 * second,
                failed: 1,
                p99_ns: 5 + u64::from(index),
                spans: 100 * second,
                ..Second::default()
            };
            part.note(second * 1000 * MS + 3, Observation::Second(figures));
        }
        part.write_to(&folder.path().join(index.to_string()));
    }
    let joined = join(&[folder.path().to_owned()], &folder.path().join("joined")).unwrap();
    let journal = verifier::record::read_journal(&joined.journal()).unwrap();
    let seconds: Vec<_> = journal
        .iter()
        .filter_map(|Entry { at_ns, observation }| match observation {
            Observation::Second(s) => Some((*at_ns, s.done, s.failed, s.p99_ns, s.spans)),
            _ => None,
        })
        .collect();
    let second = |n: u64| (n * 1000 * MS + 3, 20 * n, 2, 6, 200 * n);
    assert_eq!(seconds, [second(1), second(2)]);
    assert!(journal.is_sorted_by_key(|entry| entry.at_ns));
    assert_eq!(joined.read().unwrap().origin_unix_ns, ORIGIN);
}
