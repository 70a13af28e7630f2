//! Which requests have their whole trace, by sequence number, in bounded memory: takes exchanges and spans as they
//! come, in any order, and gives how many traces are due and how many are whole.

use super::{Exchange, Expected, Outcome, Shard, Span};
use std::collections::{HashMap, VecDeque};

/// Requests followed by place, 4 bytes each: 64 KiB a page.
const PAGE: u64 = 1 << 14;
/// Pages: the last million requests, 4 MiB. By then nearly all have their trace, and nothing of them need be kept.
const PAGES: usize = 64;
/// Older requests that still lack something, some 40 bytes each: at most 160 MiB, when millions of traces stay away.
/// More are not followed (the judge still counts them).
const MOST_OLD: usize = 1 << 22;

/// A request whose trace is due and not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Sequence number.
    pub seq: u64,
    /// Bit i: the expected span number i has arrived.
    pub seen: u16,
}

/// Counts whole traces.
#[derive(Debug)]
pub struct Completeness {
    /// Whose requests are followed, by their numbers among its own.
    shard: Shard,
    /// Pages from number `first` on; an untouched one is empty.
    pages: VecDeque<Vec<Request>>,
    first: u64,
    old: HashMap<u64, Request>,
    /// Past the highest number of an exchange.
    end: u64,
    /// By task.
    due: Vec<Due>,
    expected: u64,
    complete: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Request {
    /// Bit i: the expected span number i has arrived.
    seen: u16,
    /// Bits that must be seen; 0 until an answered exchange is known.
    due: u16,
}

/// Bits of the spans that are due of one task's exchanges.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    of_answered: u16,
    of_ok: u16,
}

impl Request {
    fn whole(self) -> bool {
        self.due != 0 && self.seen & self.due == self.due
    }
}

impl Completeness {
    /// Follows the first 16 expected spans in the traces of a shard's own requests.
    pub fn new(shard: Shard, expected: &[Expected]) -> Completeness {
        let mask = |of_task: &dyn Fn(&Expected) -> u64, task: u32| {
            let spans = expected.iter().take(16).enumerate();
            spans
                .filter(|(_, span)| of_task(span) >> task & 1 == 1)
                .fold(0, |mask, (i, _)| mask | 1 << i)
        };
        let due = (0..u64::BITS).map(|task| Due {
            of_answered: mask(&|span| span.of_answered, task),
            of_ok: mask(&|span| span.of_ok, task),
        });
        Completeness {
            shard,
            pages: VecDeque::new(),
            first: 0,
            old: HashMap::new(),
            end: 0,
            due: due.collect(),
            expected: 0,
            complete: 0,
        }
    }

    /// Exchanges whose trace is due.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// Of those, the ones that have every expected span.
    pub fn complete(&self) -> u64 {
        self.complete
    }

    /// The requests whose trace is due and not whole, the oldest first, so many at most.
    pub fn lacking(&self, most: usize) -> Vec<Lacking> {
        let mut old: Vec<(u64, Request)> = self.old.iter().map(|(seq, r)| (*seq, *r)).collect();
        old.sort_unstable_by_key(|(seq, _)| *seq);
        let pages = (self.first..).zip(&self.pages);
        let followed =
            pages.flat_map(|(page, requests)| (page * PAGE..).zip(requests.iter().copied()));
        let all = old.into_iter().chain(followed);
        let lacking = all.filter(|(_, request)| request.due != 0 && !request.whole());
        lacking
            .map(|(own, request)| Lacking {
                seq: self.shard.seq(own),
                seen: request.seen,
            })
            .take(most)
            .collect()
    }

    /// Takes in exchanges that have ended.
    pub fn exchanges(&mut self, rows: &[Exchange]) {
        for row in rows {
            let of_task = self.due.get(usize::from(row.task));
            let due = of_task.map_or(0, |due| match row.outcome {
                Outcome::Ok => due.of_ok,
                Outcome::HttpError => due.of_answered,
                _ => 0,
            });
            let Some(own) = self.shard.own(row.seq) else {
                continue; // a shard plans none but its own
            };
            self.end = self.end.max(own.saturating_add(1));
            if due != 0 {
                self.expected += 1;
                self.change(own, |request| request.due = due);
            }
        }
    }

    /// Takes in spans that have arrived.
    pub fn spans(&mut self, rows: &[Span]) {
        for row in rows {
            // What is another shard's is due there.
            let Some(own) = self.shard.own(row.seq) else {
                continue;
            };
            // A sequence number far beyond every request can only be a forged id: it must not push the others out.
            if row.name < 16 && own <= self.end + (1 << 20) {
                self.change(own, |request| request.seen |= 1 << row.name);
            }
        }
    }

    fn change(&mut self, seq: u64, change: impl Fn(&mut Request)) {
        let page = seq / PAGE;
        if page < self.first {
            return self.change_old(seq, change);
        }
        while page - self.first >= PAGES as u64 {
            self.retire(page);
        }
        let index = usize::try_from(page - self.first).unwrap_or(0);
        if index >= self.pages.len() {
            self.pages.resize(index + 1, Vec::new());
        }
        let requests = &mut self.pages[index];
        if requests.is_empty() {
            requests.resize(PAGE as usize, Request::default());
        }
        let request = &mut requests[(seq % PAGE) as usize];
        let before = request.whole();
        change(request);
        self.complete += u64::from(request.whole() && !before);
    }

    fn change_old(&mut self, seq: u64, change: impl Fn(&mut Request)) {
        let room = self.old.len() < MOST_OLD;
        let mut request = match self.old.get(&seq) {
            Some(request) => *request,
            None if room => Request::default(),
            None => return,
        };
        change(&mut request);
        if request.whole() {
            self.complete += 1;
            self.old.remove(&seq);
        } else {
            self.old.insert(seq, request);
        }
    }

    /// Gives up the oldest page, or all of them if `wanted` is far ahead; what lacks something is kept by itself.
    fn retire(&mut self, wanted: u64) {
        let Some(page) = self.pages.pop_front() else {
            self.first = wanted;
            return;
        };
        for (seq, request) in (self.first * PAGE..).zip(page) {
            let lacks = request != Request::default() && !request.whole();
            if lacks && self.old.len() < MOST_OLD {
                self.old.insert(seq, request);
            }
        }
        self.first += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn expected() -> [Expected; 2] {
        // The first task makes a child span when it succeeds, the second one never.
        [("root", 0b11, 0b11), ("child", 0, 0b01)].map(|(name, of_answered, of_ok)| Expected {
            name: name.into(),
            of_answered,
            of_ok,
        })
    }

    fn span(seq: u64, name: u16) -> Span {
        Span {
            seq,
            name,
            span_id: 1,
            parent_span_id: 0,
            start_unix_ns: 0,
            end_unix_ns: 0,
            arrived_ns: 0,
            source: 0,
            detail: 0,
            http_status: 0,
            kind: 2,
            status: 0,
        }
    }

    fn exchange(seq: u64, outcome: Outcome) -> Exchange {
        Exchange {
            seq,
            intended_ns: 1,
            sent_ns: 1,
            connected_ns: 0,
            first_byte_ns: 2,
            done_ns: 2,
            connection: 0,
            bytes: 0,
            stage: 0,
            status: 200,
            outcome,
            task: 0,
        }
    }

    #[test]
    fn completeness_takes_either_order_and_counts_once() {
        let mut c = Completeness::new(Shard::WHOLE, &expected());
        c.spans(&[span(0, 0), span(0, 1)]);
        c.exchanges(&[
            exchange(0, Outcome::Ok),
            exchange(1, Outcome::Ok),
            exchange(2, Outcome::HttpError),
            exchange(3, Outcome::Timeout),
        ]);
        assert_eq!((c.expected(), c.complete()), (3, 1));
        c.spans(&[span(1, 0), span(2, 0), span(2, 0)]);
        assert_eq!((c.expected(), c.complete()), (3, 2));
        assert_eq!(c.lacking(9), [Lacking { seq: 1, seen: 1 }]);
        c.spans(&[span(1, 1), span(1, 1), span(u64::MAX, 1), span(5, 17)]);
        assert_eq!((c.expected(), c.complete()), (3, 3));
        // The other task makes no child, a third one nothing that is due.
        let of_task = |seq, task| Exchange {
            task,
            ..exchange(seq, Outcome::Ok)
        };
        c.exchanges(&[of_task(6, 1), of_task(7, 2)]);
        c.spans(&[span(6, 0)]);
        assert_eq!((c.expected(), c.complete()), (4, 4));
    }

    #[test]
    fn a_shard_follows_its_own_requests() {
        let shard = Shard { index: 1, count: 3 };
        let mut c = Completeness::new(shard, &expected());
        c.exchanges(&[exchange(1, Outcome::Ok), exchange(4, Outcome::Ok)]);
        c.spans(&[span(1, 0), span(1, 1), span(4, 0), span(2, 0), span(3, 1)]);
        assert_eq!((c.expected(), c.complete()), (2, 1));
        assert_eq!(c.lacking(9), [Lacking { seq: 4, seen: 1 }]);
    }

    proptest! {
        /// Beside a map that forgets nothing: far apart in number and in time, every trace is counted once.
        #[test]
        fn what_is_forgotten_is_not_missed(events in proptest::collection::vec((0_u64..200, 0_u64..40, 0_u16..4), 1..400)) {
            let mut c = Completeness::new(Shard::WHOLE, &expected());
            let mut model: BTreeMap<u64, (u16, u16)> = BTreeMap::new();
            let mut end = 0;
            for (page, request, event) in events {
                let seq = page * PAGE + request;
                let entry = model.entry(seq).or_default();
                match event {
                    0 | 1 if seq <= end + (1 << 20) => {
                        c.spans(&[span(seq, event)]);
                        entry.0 |= 1 << event;
                    }
                    2 | 3 if entry.1 == 0 => {
                        let (outcome, due) = [(Outcome::Ok, 3), (Outcome::HttpError, 1)][usize::from(event - 2)];
                        c.exchanges(&[exchange(seq, outcome)]);
                        (entry.1, end) = (due, end.max(seq + 1));
                    }
                    _ => {}
                }
                let due = model.values().filter(|(_, due)| *due != 0);
                prop_assert_eq!(c.expected(), due.clone().count() as u64);
                prop_assert_eq!(c.complete(), due.filter(|(seen, due)| seen & due == *due).count() as u64);
            }
            let lacking = model.iter().filter(|(_, (seen, due))| *due != 0 && seen & due != *due);
            let lacking = lacking.map(|(seq, (seen, _))| Lacking { seq: *seq, seen: *seen });
            prop_assert_eq!(c.lacking(usize::MAX), lacking.collect::<Vec<_>>());
        }
    }

    #[test]
    fn memory_does_not_grow_with_requests() {
        let mut c = Completeness::new(Shard::WHOLE, &expected());
        let requests = 20 * PAGE * PAGES as u64 / 10;
        for seq in 0..requests {
            c.exchanges(&[exchange(seq, Outcome::Ok)]);
            if seq % 1000 != 0 {
                c.spans(&[span(seq, 0), span(seq, 1)]);
            }
        }
        assert_eq!(
            (c.expected(), c.complete()),
            (requests, requests - requests.div_ceil(1000))
        );
        assert!(c.pages.len() <= PAGES);
        assert!(
            c.old.len() as u64 <= requests.div_ceil(1000),
            "{} old ones",
            c.old.len()
        );
    }
}
