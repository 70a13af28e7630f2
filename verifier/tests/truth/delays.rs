//! Servers that make each request wait by a script, and note how long it really waited.

use crate::server::{Server, answer_ok};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The delays that a server made: from the request as it was read to its answer, by the server's own clock.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u64>>>);

impl Log {
    pub fn delays_ns(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, begun: Instant) {
        let delay = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        self.0.lock().unwrap().push(delay);
    }
}

/// Lognormal: median 40 ms, p99.9 about 160 ms. So long that what a generator adds is far below 1 %.
pub fn lognormal(log: &Log) -> Server {
    let (log, number) = (log.clone(), AtomicU64::new(1));
    Server::start(move |stream, on_connection| {
        let begun = Instant::now();
        let z = normal(number.fetch_add(1, Relaxed));
        let delay = (0.040 * (0.45 * z).exp()).clamp(0.010, 0.400);
        std::thread::sleep(Duration::from_secs_f64(delay));
        log.note(begun);
        answer_ok(stream, on_connection)
    })
}

/// A millisecond each, but from 3 s after the first request on nobody is answered for so long.
pub fn freezing(log: &Log, freeze: Duration) -> Server {
    let (log, first) = (log.clone(), OnceLock::new());
    Server::start(move |stream, number| {
        let begun = Instant::now();
        std::thread::sleep(Duration::from_millis(1));
        let from = *first.get_or_init(|| begun) + Duration::from_secs(3);
        let now = Instant::now();
        if now >= from {
            std::thread::sleep((from + freeze).saturating_duration_since(now));
        }
        log.note(begun);
        answer_ok(stream, number)
    })
}

/// Always the same delay.
pub fn steady(delay: Duration) -> Server {
    Server::start(move |stream, number| {
        std::thread::sleep(delay);
        answer_ok(stream, number)
    })
}

/// The nearest-rank percentile.
pub fn nearest_rank(sorted: &[u64], p: f64) -> u64 {
    sorted[(p * sorted.len() as f64).ceil() as usize - 1]
}

/// A standard normal number of that number: SplitMix64, then Box and Muller.
fn normal(number: u64) -> f64 {
    let uniform = |n: u64| {
        let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 1.0) / (1_u64 << 53) as f64
    };
    (-2.0 * uniform(2 * number).ln()).sqrt()
        * (std::f64::consts::TAU * uniform(2 * number + 1)).cos()
}
