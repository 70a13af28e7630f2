//! A run that several verifiers drove: what a part of it can not tell, and what its parts were once they are joined.

use super::checks::{self, SHARDS};
use super::judgement;
use crate::record::{Observation, Shard, ShardJoined};
use crate::verdict::align::{Timeline, shard_of};
use crate::verdict::outcome::{Check, Judgement, ShardFigures};

/// Shards of a joined run whose stage began further apart than this did not drive it together, seconds.
const APART: f64 = 1.0;

/// Which part of a run this is; `None` for a run that is whole.
pub(super) fn part(timeline: &Timeline<'_>) -> Option<Shard> {
    timeline.observations().find_map(|o| match o {
        Observation::Shard(shard) if shard.is_part() => Some(*shard),
        _ => None,
    })
}

fn joined<'t>(timeline: &'t Timeline<'_>) -> impl Iterator<Item = &'t ShardJoined> {
    timeline.observations().filter_map(|o| match o {
        Observation::ShardJoined(joined) => Some(joined),
        _ => None,
    })
}

/// All shards are there; `None` where nobody spoke of shards.
pub(super) fn check(timeline: &Timeline<'_>) -> Option<Check> {
    if let Some(shard) = part(timeline) {
        let evidence = format!(
            "this is shard {shard}, a part of a run: `verifier merge` joins the run folders of all {} shards and judges them together",
            shard.count
        );
        return Some(checks::check(
            SHARDS,
            None,
            Judgement::Unknown,
            vec![evidence],
        ));
    }
    let count = joined(timeline).next()?.count;
    let there = joined(timeline).count();
    let whole = there == usize::from(count);
    let evidence = format!("{there} of {count} shards, each come to its end");
    let outcome = judgement(whole.then_some(true));
    Some(checks::check(SHARDS, None, outcome, vec![evidence]))
}

/// Why not every span of a part's requests can be there, where it received them itself.
pub(super) fn elsewhere(timeline: &Timeline<'_>, source: u8) -> Option<String> {
    let shard = part(timeline)?;
    let sources = crate::record::sources(&timeline.recorded.journal);
    let received = |(number, name): &(u8, String)| *number == source && name == "otlp";
    sources.iter().any(received).then(|| {
        format!("shard {shard} alone: the other shards received spans of its requests, too")
    })
}

/// Thresholds are on the whole plan: a part of the load says nothing against them.
pub(super) fn of_a_part(timeline: &Timeline<'_>, checks: &mut [Check]) {
    if part(timeline).is_none() {
        return;
    }
    let against = |check: &&mut Check| {
        check.stage.is_some() && check.limit.is_some() && check.outcome == Judgement::Fail
    };
    for check in checks.iter_mut().filter(against) {
        check.outcome = Judgement::Unknown;
        let why = "of this shard's share of the load alone";
        check.evidence.push(why.to_owned());
    }
}

/// Each shard of a joined run.
pub(super) fn figures(timeline: &Timeline<'_>) -> Vec<ShardFigures> {
    let count = joined(timeline).count();
    if count == 0 {
        return Vec::new();
    }
    let mut planned = vec![0_u64; count];
    for exchange in &timeline.recorded.exchanges {
        planned[shard_of(exchange.seq, count)] += 1;
    }
    let figures = joined(timeline).map(|shard| {
        let index = usize::from(shard.index);
        let clock = timeline.clocks.shards.get(index).copied().flatten();
        let clock = clock.filter(|clock| !clock.contradictory());
        ShardFigures {
            index: shard.index,
            run: shard.run_id.clone(),
            host: shard.host.name.clone(),
            first_worker: shard.first_worker,
            workers: shard.workers,
            planned: planned.get(index).copied().unwrap_or(0),
            spans: shard.spans,
            clock_least_ms: clock.map(|clock| clock.least_ns as f64 / 1e6),
            clock_greatest_ms: clock.map(|clock| clock.greatest_ns as f64 / 1e6),
        }
    });
    figures.collect()
}

/// Sentences on shards whose clocks, or whose stages' starts, are apart.
pub(super) fn warnings(timeline: &Timeline<'_>, figures: &[ShardFigures]) -> Vec<String> {
    let mut warnings = Vec::new();
    for shard in figures {
        if let (Some(least), Some(greatest)) = (shard.clock_least_ms, shard.clock_greatest_ms)
            && (least > 0.0 || greatest < 0.0)
        {
            warnings.push(format!(
                "the clock of shard {} ({}) is ahead of the first shard's by {least:.3} to {greatest:.3} ms: latencies are not touched by it, but when a shard's requests took place is off by as much",
                shard.index, shard.host
            ));
        }
    }
    for (index, stage) in timeline.plan.stages.iter().enumerate() {
        let starts = joined(timeline).filter_map(|s| s.stage_starts_ns.get(index).copied());
        let starts: Vec<u64> = starts.collect();
        if let (Some(first), Some(last)) = (starts.iter().min(), starts.iter().max()) {
            let apart = (last - first) as f64 / 1e9;
            if apart > APART {
                warnings.push(format!(
                    "{}: the last shard began {apart:.1} s after the first, so that its load was not the plan's all the time (--shard-peers lets all begin together)",
                    stage.name
                ));
            }
        }
    }
    warnings
}
