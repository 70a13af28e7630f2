//! What a run's figures can not say, in sentences.

use super::super::{duration, text};
use crate::verdict::outcome::{SenderClock, Verdict};
use crate::verdict::page::Series;

/// Clocks that have a sentence each.
const MOST_CLOCKS: usize = 12;

/// How the figures were measured.
pub(super) fn of(verdict: &Verdict, series: &Series) -> Vec<String> {
    let mut limits = vec![match verdict.shards.len() {
        0 | 1 => format!(
            "One load generator on one machine: {}. A target on the same machine shares its CPUs, and latencies are then higher than they would be apart.",
            verdict.run.host
        ),
        shards => format!(
            "{shards} load generators, each on its own clock; their rows are on that of the first, as far as common senders of spans tell."
        ),
    }];
    limits.extend(
        [
            "Percentiles are exact (nearest rank); one that fewer than two samples would exceed with 99 % confidence is n/a. Those by the second are of that second's few: a picture, no claim.",
            "Closed stages slow down with the target; their latencies say nothing about a load that does not wait.",
        ]
        .map(str::to_owned),
    );
    if series.step_seconds > 1 {
        limits.push(format!(
            "The run was too long for a row a second: each row of the charts stands for {} seconds, and counts are of all of them.",
            series.step_seconds
        ));
    }
    let late = verdict.stages.iter().filter_map(text::seen_late);
    limits.extend(late.map(|sentence| sentence + "."));
    limits.extend(clocks(&verdict.clocks));
    limits
}

/// Each sender's clock; of very many, all in one sentence and those that contradict themselves.
fn clocks(clocks: &[SenderClock]) -> Vec<String> {
    if clocks.len() <= MOST_CLOCKS {
        return clocks.iter().map(clock).collect();
    }
    let least_ms = clocks.iter().map(|c| c.least_ms).fold(f64::MAX, f64::min);
    let greatest_ms = clocks.iter().map(|c| c.greatest_ms);
    let greatest_ms = greatest_ms.fold(f64::MIN, f64::max);
    let all = format!(
        "Clocks of {} senders: between {} and {} ahead of the verifier's.",
        clocks.len(),
        duration(least_ms),
        duration(greatest_ms)
    );
    let wrong = clocks.iter().filter(|clock| clock.contradictory);
    let wrong = wrong.take(MOST_CLOCKS).map(clock);
    std::iter::once(all).chain(wrong).collect()
}

fn clock(clock: &SenderClock) -> String {
    let more = match clock.contradictory {
        true => "; no constant offset explains all of its spans",
        false => "",
    };
    format!(
        "Clock of {}: between {} and {} ahead of the verifier's{more}.",
        clock.source,
        duration(clock.least_ms),
        duration(clock.greatest_ms)
    )
}
