//! How far senders' clocks are off. A server span must lie inside the exchange that caused it, from
//! its send to its end; each trace narrows the sender's offset by that.

use super::Timeline;
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
}

/// The offsets of all senders of root spans. A span `[s, e]` of an exchange `[sent, done]` bounds the
/// offset o: `sent <= s - o` and `e - o <= done`, so `e - done <= o <= s - sent`.
pub(super) fn offsets(timeline: &Timeline<'_>) -> BTreeMap<u16, SenderOffset> {
    let origin = timeline.recorded.origin_unix_ns.cast_signed();
    let mut offsets: BTreeMap<u16, SenderOffset> = BTreeMap::new();
    for (exchange, spans) in timeline
        .all()
        .filter(|(exchange, _)| exchange.outcome.answered())
    {
        let root_name = timeline.expected(exchange).names.first().copied().flatten();
        for span in spans.iter().filter(|span| Some(span.name) == root_name) {
            let start = span.start_unix_ns.cast_signed().wrapping_sub(origin);
            let end = span.end_unix_ns.cast_signed().wrapping_sub(origin);
            let least_ns = end.wrapping_sub(exchange.done_ns.cast_signed());
            let greatest_ns = start.wrapping_sub(exchange.sent_ns.cast_signed());
            let bounds = offsets.entry(span.source).or_insert(SenderOffset {
                least_ns,
                greatest_ns,
            });
            bounds.least_ns = bounds.least_ns.max(least_ns);
            bounds.greatest_ns = bounds.greatest_ns.min(greatest_ns);
        }
    }
    offsets
}
