//! Fresh ids for spans and traces, from a generator per thread: no lock, no system call.

use std::cell::Cell;

thread_local! {
    static STATE: Cell<u64> = Cell::new(seed());
}

fn seed() -> u64 {
    let mut bytes = [0; 8];
    // Without entropy the thread's stack address and the clock still tell threads apart.
    if getrandom::fill(&mut bytes).is_err() {
        let here = std::ptr::from_ref(&bytes) as u64;
        return here ^ super::now_unix_ns();
    }
    u64::from_ne_bytes(bytes)
}

/// wyrand (github.com/wangyi-fudan/wyhash, final version 4).
fn next() -> u64 {
    STATE.with(|state| {
        let s = state.get().wrapping_add(0xa076_1d64_78bd_642f);
        state.set(s);
        let product = u128::from(s) * u128::from(s ^ 0xe703_7ed1_a0b4_28db);
        (product >> 64) as u64 ^ product as u64
    })
}

/// A fresh span id, never all zero.
pub fn new_span_id() -> [u8; 8] {
    next().max(1).to_be_bytes()
}

/// A fresh trace id, never all zero.
pub fn new_trace_id() -> [u8; 16] {
    let high = u128::from(next().max(1)) << 64;
    (high | u128::from(next())).to_be_bytes()
}
