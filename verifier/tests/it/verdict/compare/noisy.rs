//! Runs with the noise of a load test, from a seed.

use crate::verdict::builder::Run;

/// A run whose requests take 1 ms and more, log-normal; each resembles the one before it, as under load. Times
/// from the send on are multiplied by `slower`.
pub(in crate::verdict) fn noisy(n: u64, seed: u64, slower: f64) -> Run {
    let mut run = Run::of(n);
    let mut random = Random(seed);
    let mut state = random.normal();
    for at in 0..run.exchanges.len() {
        state = 0.9 * state + 0.19_f64.sqrt() * random.normal();
        let factor = (0.4 * state).exp() * slower;
        let times = |ns: u64| (ns as f64 * factor) as u64;
        let exchange = &mut run.exchanges[at];
        let took = times(1_100_000);
        exchange.done_ns = exchange.sent_ns + took;
        exchange.first_byte_ns = exchange.done_ns - 1000;
        for (span, ns) in run.spans[3 * at..]
            .iter_mut()
            .zip([900_000, 100_000, 500_000])
        {
            span.end_unix_ns = span.start_unix_ns + times(ns);
        }
    }
    run
}

struct Random(u64);

impl Random {
    /// splitmix64, in (0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}
