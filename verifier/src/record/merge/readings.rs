//! What several shards read of one process's counters, as one series that never steps back but where the process did.

use super::part::Part;
use crate::record::{Entry, Observation};
use std::collections::HashMap;

/// Machines' clocks are nearer to each other than this, and a process that was ended is not back within it: what is
/// less than another shard read so shortly before was read earlier, by a clock that is ahead.
const CLOCKS_APART_NS: u64 = 5_000_000_000;

/// How far a process's counters have come: they never shrink while it lives.
#[derive(Clone, Debug, PartialEq)]
enum Progress {
    /// Spans started, and settled.
    Service(u64, u64),
    /// Seconds since its start, and spans accepted.
    Collector(f64, u64),
}

impl Progress {
    /// This was read before the other, or of a process that came after.
    fn is_behind(&self, other: &Progress) -> bool {
        match (self, other) {
            (Progress::Service(started, settled), Progress::Service(other, others_settled)) => {
                started < other || (started == other && settled < others_settled)
            }
            (
                Progress::Collector(uptime, accepted),
                Progress::Collector(other, others_accepted),
            ) => uptime < other || accepted < others_accepted,
            _ => false,
        }
    }
}

/// The processes whose counters are known.
#[derive(Debug, Default)]
pub(super) struct Readings {
    furthest: HashMap<String, (usize, u64, Progress)>,
    by_shard: HashMap<(String, usize), Progress>,
}

impl Readings {
    /// Takes the next reading in time, of this shard; false: it tells nothing new, and would look like a restart.
    pub(super) fn take(&mut self, shard: usize, entry: &Entry) -> bool {
        let (process, progress) = match &entry.observation {
            Observation::ServiceBooks(books) => {
                let lost: u64 = books.lost.values().sum();
                let settled = books.acknowledged + lost + books.left_on_disk;
                let progress = Progress::Service(books.started, settled);
                (format!("service {}", books.source), progress)
            }
            Observation::CollectorBooks(books) => {
                let progress = Progress::Collector(books.uptime_seconds, books.accepted);
                (format!("collector {}", books.place), progress)
            }
            _ => return true,
        };
        let own = self
            .by_shard
            .insert((process.clone(), shard), progress.clone());
        // A shard that saw the counters shrink itself saw another process.
        let restarted = own.is_some_and(|own| progress.is_behind(&own));
        if let Some((other, at_ns, furthest)) = self.furthest.get(&process)
            && *other != shard
            && !restarted
            && progress.is_behind(furthest)
            && entry.at_ns.saturating_sub(*at_ns) < CLOCKS_APART_NS
        {
            return false;
        }
        self.furthest
            .insert(process, (shard, entry.at_ns, progress));
        true
    }
}

/// Two machines' collectors at the same address of their own are two.
pub(super) fn place(parts: &[Part], part: &Part, place: &str) -> String {
    let own = ["127.0.0.1", "localhost", "[::1]"];
    let several = parts.iter().any(|other| other.host.name != part.host.name);
    match several && own.iter().any(|address| place.contains(address)) {
        true => format!("{place} on {}", part.host.name),
        false => place.to_owned(),
    }
}
