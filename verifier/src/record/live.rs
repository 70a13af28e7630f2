//! Running figures of a run, for the drain and for whoever watches; verdicts never use them.

use super::{Exchange, Expected, Outcome, Second, Span};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

/// Counters that the recorder keeps up to date.
#[derive(Debug, Default)]
pub struct Live {
    /// Spans of this run received.
    pub spans: AtomicU64,
    /// Exchanges whose trace is due.
    pub traces_expected: AtomicU64,
    /// Of those, complete.
    pub traces_complete: AtomicU64,
    second: Mutex<Second>,
    failure: Mutex<Option<String>>,
}

impl Live {
    /// Figures of the last whole second in which an exchange ended.
    pub fn second(&self) -> Second {
        self.second
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_second(&self, second: Second) {
        *self.second.lock().unwrap_or_else(PoisonError::into_inner) = second;
    }

    /// Why recording failed, if it did: the run must then stop.
    pub fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn fail(&self, error: &anyhow::Error) {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| format!("{error:#}"));
    }
}

/// Which requests have their whole trace, by sequence number: 4 bytes a request.
#[derive(Debug)]
pub struct Completeness {
    requests: Vec<Request>,
    /// By task.
    due: Vec<Due>,
    expected: u64,
    complete: u64,
}

#[derive(Clone, Copy, Debug, Default)]
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

impl Completeness {
    /// Sequence numbers past this one are not followed (the judge still counts them): 1 GiB of memory.
    const LIMIT: u64 = 1 << 28;

    /// Follows the first 16 expected spans.
    pub fn new(expected: &[Expected]) -> Completeness {
        let mask = |of_task: &dyn Fn(&Expected) -> u64, task: u32| {
            let spans = expected.iter().take(16).enumerate();
            spans
                .filter(|(_, span)| of_task(span) >> task & 1 == 1)
                .fold(0, |mask, (i, _)| mask | 1 << i)
        };
        let tasks = 0..u64::BITS;
        let due = tasks.map(|task| Due {
            of_answered: mask(&|span| span.of_answered, task),
            of_ok: mask(&|span| span.of_ok, task),
        });
        Completeness {
            requests: Vec::new(),
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

    fn request(&mut self, seq: u64) -> Option<&mut Request> {
        if seq >= Completeness::LIMIT {
            return None;
        }
        let index = usize::try_from(seq).ok()?;
        if index >= self.requests.len() {
            self.requests.resize(index + 1, Request::default());
        }
        self.requests.get_mut(index)
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
            if due == 0 {
                continue;
            }
            if let Some(request) = self.request(row.seq) {
                request.due = due;
                let whole = request.seen & due == due;
                self.expected += 1;
                self.complete += u64::from(whole);
            }
        }
    }

    /// Takes in spans that have arrived.
    pub fn spans(&mut self, rows: &[Span]) {
        for row in rows {
            if row.name >= 16 {
                continue;
            }
            // A sequence number far beyond every request can only be a forged id: it must not grow the table.
            if row.seq > self.requests.len() as u64 + (1 << 20) {
                continue;
            }
            if let Some(request) = self.request(row.seq) {
                let before = request.due != 0 && request.seen & request.due == request.due;
                request.seen |= 1 << row.name;
                let after = request.due != 0 && request.seen & request.due == request.due;
                self.complete += u64::from(after && !before);
            }
        }
    }
}

/// A histogram of nanoseconds with buckets 1/32 of their power of two wide (error below 3.2 %).
#[derive(Debug)]
pub struct Sketch {
    counts: Box<[u32; 64 * 32]>,
    total: u64,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            counts: Box::new([0; 64 * 32]),
            total: 0,
        }
    }
}

impl Sketch {
    /// Adds one value.
    pub fn record(&mut self, ns: u64) {
        let power = 63 - (ns | 1).leading_zeros();
        let index = if power < 5 {
            u64::from(32 * power)
        } else {
            u64::from(32 * power) + ((ns >> (power - 5)) & 31)
        };
        self.counts[usize::try_from(index).unwrap_or(0)] += 1;
        self.total += 1;
    }

    /// Lower edge of the bucket that holds the quantile; 0 when empty.
    pub fn quantile(&self, q: f64) -> u64 {
        let mut left = (q * self.total as f64).ceil() as u64;
        for (index, count) in self.counts.iter().enumerate() {
            if u64::from(*count) >= left && left > 0 {
                let (power, step) = (index / 32, index as u64 % 32);
                return if power < 5 {
                    1 << power
                } else {
                    (32 + step) << (power - 5)
                };
            }
            left = left.saturating_sub(u64::from(*count));
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sketch_is_within_its_error() {
        let mut sketch = Sketch::default();
        for ns in 1..=100_000_u64 {
            sketch.record(ns);
        }
        for (q, truth) in [(0.5, 50_000.0), (0.99, 99_000.0)] {
            let error = (sketch.quantile(q) as f64 - truth).abs() / truth;
            assert!(error < 0.032, "{q}: {error}");
        }
    }

    #[test]
    fn completeness_takes_either_order_and_counts_once() {
        let expected = [
            Expected {
                name: "root".into(),
                of_answered: 0b11,
                of_ok: 0b11,
            },
            Expected {
                name: "child".into(),
                of_answered: 0,
                of_ok: 0b01,
            },
        ];
        let span = |seq, name| Span {
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
        };
        let exchange = |seq, outcome| Exchange {
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
        };
        let mut c = Completeness::new(&expected);
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
}
