//! Fresh ids for spans and traces, from a generator per thread: no lock, no system call.

use std::cell::Cell;

thread_local! {
    static STATE: Cell<[u64; 4]> = Cell::new(seed());
}

fn seed() -> [u64; 4] {
    let mut bytes = [0; 32];
    if getrandom::fill(&mut bytes).is_err() {
        // Without entropy the thread's stack address and the clock still tell threads apart.
        let here = std::ptr::from_ref(&bytes) as u64;
        let mut state = here.rotate_left(32) ^ super::now_unix_ns();
        return std::array::from_fn(|_| split_mix(&mut state));
    }
    let mut words = bytes
        .chunks_exact(8)
        .map(|b| b.try_into().map_or(1, u64::from_ne_bytes));
    std::array::from_fn(|_| words.next().unwrap_or(1))
}

/// SplitMix64 (prng.di.unimi.it/splitmix64.c): spreads a poor seed.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// xoshiro256++ (prng.di.unimi.it/xoshiro256plusplus.c). 256 bits of state: with 64, the streams
/// of a large fleet's threads could meet, and from there on every id would be there twice.
fn next() -> u64 {
    STATE.with(|state| {
        let mut s = state.get();
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        state.set(s);
        result
    })
}

/// A fresh span id, never all zero.
pub fn new_span_id() -> [u8; 8] {
    next().max(1).to_be_bytes()
}

/// A fresh trace id, never all zero.
pub fn new_trace_id() -> [u8; 16] {
    let high = u128::from(next()) << 64;
    (high | u128::from(next().max(1))).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_within_and_between_threads() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..10_000).map(|_| new_trace_id()).collect::<Vec<_>>()))
            .collect();
        let all: HashSet<_> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        assert_eq!(all.len(), 40_000);
        assert!((0..10_000).all(|_| new_span_id() != [0; 8]));
    }
}
