//! How far senders' clocks are off. A server span must lie inside the exchange that caused it, from
//! its send to its end; each trace narrows the sender's offset by that. Where shards of a run have clocks of their
//! own, what they know of the same senders tells how far these are apart.

use super::Timeline;
use crate::record::Observation;
use std::collections::BTreeMap;

/// Bounds on a sender's clock minus the run's, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderOffset {
    /// No less than this.
    pub least_ns: i64,
    /// No more than this.
    pub greatest_ns: i64,
}

impl SenderOffset {
    /// The offset to draw with: zero where the bounds allow it, else the bound nearest to zero.
    pub fn best_ns(&self) -> i64 {
        if self.contradictory() {
            return i64::midpoint(self.least_ns, self.greatest_ns);
        }
        0.clamp(self.least_ns, self.greatest_ns)
    }

    /// No constant offset explains all spans.
    pub fn contradictory(&self) -> bool {
        self.least_ns > self.greatest_ns
    }

    fn narrow(&mut self, other: SenderOffset) {
        self.least_ns = self.least_ns.max(other.least_ns);
        self.greatest_ns = self.greatest_ns.min(other.greatest_ns);
    }
}

/// Offsets of clocks against the run's, which is the first shard's.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// Of senders of root spans, by number of the source.
    pub senders: BTreeMap<u16, SenderOffset>,
    /// Of the shards that the run was joined of, by index; `None` for one that shares no sender with the first.
    pub shards: Vec<Option<SenderOffset>>,
}

impl Clocks {
    /// What is subtracted from a sender's time to have it on the clock that timed this request.
    pub fn offset_ns(&self, source: u16, seq: u64) -> i64 {
        let sender = self.senders.get(&source).map_or(0, SenderOffset::best_ns);
        sender.wrapping_sub(best_ns(&self.shards, shard_of(seq, self.shards.len())))
    }

    pub(super) fn of(timeline: &Timeline<'_>) -> Clocks {
        let joined = timeline.observations().filter_map(|o| match o {
            Observation::ShardJoined(joined) => Some(joined.index),
            _ => None,
        });
        let count = joined.count();
        let seen = offsets(timeline, count);
        let shards: Vec<Option<SenderOffset>> = (0..count)
            .map(|shard| against_first(&seen, shard))
            .collect();
        let mut senders: BTreeMap<u16, SenderOffset> = BTreeMap::new();
        for ((shard, source), offset) in seen {
            let ahead_ns = best_ns(&shards, shard);
            let offset = SenderOffset {
                least_ns: offset.least_ns.wrapping_add(ahead_ns),
                greatest_ns: offset.greatest_ns.wrapping_add(ahead_ns),
            };
            senders.entry(source).or_insert(offset).narrow(offset);
        }
        Clocks { senders, shards }
    }
}

fn best_ns(shards: &[Option<SenderOffset>], shard: usize) -> i64 {
    let offset = shards.get(shard).copied().flatten();
    offset.map_or(0, |offset| offset.best_ns())
}

/// Of so many shards, the one whose request it is; 0 where there are none.
pub fn shard_of(seq: u64, count: usize) -> usize {
    usize::try_from(seq % count.max(1) as u64).unwrap_or(0)
}

/// The shard's clock minus the first's: of a sender that both know, the first knows the offset `f` and the shard `o`,
/// and the difference is `f - o`.
fn against_first(
    seen: &BTreeMap<(usize, u16), SenderOffset>,
    shard: usize,
) -> Option<SenderOffset> {
    let mut bounds: Option<SenderOffset> = None;
    for ((_, source), of_first) in seen.range((0, 0)..=(0, u16::MAX)) {
        if let Some(of_shard) = seen.get(&(shard, *source)) {
            let difference = SenderOffset {
                least_ns: of_first.least_ns.saturating_sub(of_shard.greatest_ns),
                greatest_ns: of_first.greatest_ns.saturating_sub(of_shard.least_ns),
            };
            bounds.get_or_insert(difference).narrow(difference);
        }
    }
    // The first shard is not off against itself, however little its spans say.
    match shard {
        0 => Some(SenderOffset {
            least_ns: 0,
            greatest_ns: 0,
        }),
        _ => bounds,
    }
}

/// The offsets of all senders of root spans against each shard's clock. A span `[s, e]` of an exchange `[sent, done]`
/// bounds the offset o: `sent <= s - o` and `e - o <= done`, so `e - done <= o <= s - sent`.
fn offsets(timeline: &Timeline<'_>, shards: usize) -> BTreeMap<(usize, u16), SenderOffset> {
    let origin = timeline.recorded.origin_unix_ns.cast_signed();
    let mut offsets: BTreeMap<(usize, u16), SenderOffset> = BTreeMap::new();
    for (exchange, spans) in timeline
        .all()
        .filter(|(exchange, _)| exchange.outcome.answered())
    {
        let shard = shard_of(exchange.seq, shards);
        let root_name = timeline.expected(exchange).names.first().copied().flatten();
        for span in spans.iter().filter(|span| Some(span.name) == root_name) {
            let start = span.start_unix_ns.cast_signed().wrapping_sub(origin);
            let end = span.end_unix_ns.cast_signed().wrapping_sub(origin);
            let bounds = SenderOffset {
                least_ns: end.wrapping_sub(exchange.done_ns.cast_signed()),
                greatest_ns: start.wrapping_sub(exchange.sent_ns.cast_signed()),
            };
            offsets
                .entry((shard, span.source))
                .or_insert(bounds)
                .narrow(bounds);
        }
    }
    offsets
}
