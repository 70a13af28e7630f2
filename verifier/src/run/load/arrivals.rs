//! When an open loop wants its requests: even or Poisson, at a steady or a changing rate. Pure arithmetic.

use crate::plan::{Arrivals, Load};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A Poisson process is the sum of this many independent ones, each a part of its rate, and each worker
/// holds some of them whole: so the moments are the same, whatever the number of workers up to this.
const STREAMS: u64 = 256;

/// One worker's part of an open loop's moments, in order.
#[derive(Clone, Debug)]
pub(super) struct ArrivalTimes {
    /// Requests per nanosecond when the stage begins.
    rate: f64,
    /// By how much the rate grows per nanosecond.
    slope: f64,
    start_ns: u64,
    workers: u64,
    next_ns: u64,
    /// Mean gap between arrivals of this worker around the next one.
    gap_ns: f64,
    model: Model,
}

#[derive(Clone, Debug)]
enum Model {
    /// Index, within the stage, of the next request of this worker.
    Even { index: u64 },
    Poisson {
        streams: Vec<Stream>,
        /// The next moment of each stream.
        next: BinaryHeap<Reverse<(u64, usize)>>,
    },
}

/// A Poisson process in the stage's own time, in which one request is wanted per unit.
#[derive(Clone, Debug)]
struct Stream {
    at: f64,
    random: u64,
}

impl Stream {
    /// The first moment comes from the seed and the stream's number alone.
    fn new(seed: u64, number: u64) -> Stream {
        let random = splitmix(seed ^ splitmix(number)) | 1;
        Stream { at: 0.0, random }.next()
    }

    /// Exponential gaps, by inversion (Knuth, The Art of Computer Programming, vol. 2, 3.4.1.D).
    fn next(mut self) -> Stream {
        self.random = splitmix(self.random);
        // 53 random bits, never zero.
        let uniform = ((self.random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        self.at -= uniform.ln() * STREAMS as f64;
        self
    }
}

/// A random number from the one before (Steele, Lea, Flood 2014: splitmix64).
pub(super) fn splitmix(before: u64) -> u64 {
    let mut z = before.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl ArrivalTimes {
    /// The moments of worker `worker` of `workers`; `None` for a closed loop.
    pub(super) fn new(
        load: Load,
        worker: u64,
        workers: u64,
        start_ns: u64,
        duration: Duration,
        seed: u64,
    ) -> Option<ArrivalTimes> {
        let Load::Rate {
            rate,
            rate_to,
            arrivals,
            ..
        } = load
        else {
            return None;
        };
        let model = match arrivals {
            Arrivals::Constant => Model::Even { index: worker },
            Arrivals::Poisson => Model::Poisson {
                streams: (0..STREAMS)
                    .filter(|stream| stream % workers == worker)
                    .map(|stream| Stream::new(seed, stream))
                    .collect(),
                next: BinaryHeap::new(),
            },
        };
        let mut times = ArrivalTimes {
            rate: rate / 1e9,
            slope: (rate_to - rate) / 1e9 / duration.as_nanos() as f64,
            start_ns,
            workers,
            next_ns: 0,
            gap_ns: 0.0,
            model,
        };
        times.begin();
        Some(times)
    }

    fn begin(&mut self) {
        if let Model::Poisson { streams, .. } = &self.model {
            let first = streams.iter().enumerate();
            let first = first.map(|(place, stream)| Reverse((self.time_of(stream.at), place)));
            let first = first.collect();
            if let Model::Poisson { next, .. } = &mut self.model {
                *next = first;
            }
        }
        self.look();
    }

    /// When the next request is wanted. Past the stage's end, the moments go on as far as the rate does.
    pub(super) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Around the next request, this worker's arrivals are less than `gap_ns` apart.
    pub(super) fn denser_than(&self, gap_ns: u64) -> bool {
        self.gap_ns < gap_ns as f64
    }

    /// Takes the next request.
    pub(super) fn take(&mut self) {
        match &mut self.model {
            Model::Even { index } => *index += self.workers,
            Model::Poisson { streams, next } => {
                if let Some(Reverse((_, place))) = next.pop() {
                    let stream = streams[place].clone().next();
                    let at_ns = time_of(self.rate, self.slope, self.start_ns, stream.at);
                    streams[place] = stream;
                    next.push(Reverse((at_ns, place)));
                }
            }
        }
        self.look();
    }

    fn look(&mut self) {
        self.next_ns = match &self.model {
            Model::Even { index } => self.time_of(*index as f64),
            Model::Poisson { next, .. } => next.peek().map_or(u64::MAX, |Reverse((at, _))| *at),
        };
        let passed = self.next_ns.saturating_sub(self.start_ns) as f64;
        let rate = self.rate + self.slope * passed;
        self.gap_ns = self.workers as f64 / rate;
    }

    fn time_of(&self, count: f64) -> u64 {
        time_of(self.rate, self.slope, self.start_ns, count)
    }
}

/// When the integral of the rate since the start reaches `count`: the root of
/// `rate * t + slope / 2 * t^2 = count`, in the form that cancels nothing. Each from the start anew:
/// nothing adds up over a long stage. `u64::MAX` when a falling rate never gets there.
fn time_of(rate: f64, slope: f64, start_ns: u64, count: f64) -> u64 {
    let passed = if slope == 0.0 {
        count / (rate * 1e9) * 1e9
    } else {
        let square = rate * rate + 2.0 * slope * count;
        if square < 0.0 {
            return u64::MAX;
        }
        2.0 * count / (rate + square.sqrt())
    };
    start_ns.saturating_add(passed.round() as u64)
}

#[cfg(test)]
mod tests;
