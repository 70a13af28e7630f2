//! Trace ids by arithmetic: a run key and a request's sequence number give its trace id, and a
//! trace id gives the number back, so that no map joins spans with requests.

use std::fmt;
use std::str::FromStr;

/// The key of one run. A trace id of the run is 16 bytes, big endian: the 8-byte `prefix`, then a
/// keyed bijection of the sequence number on 64 bits. It looks random, as the W3C Trace Context
/// (level 2, random-trace-id) asks of the rightmost 7 bytes, and is never all zero, since the prefix is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunKey {
    prefix: u64,
    whiten: u64,
}

// splitmix64's finalizer (Steele, Lea, Flood 2014: "Fast splittable pseudorandom number
// generators") is a bijection on 64 bits: xor-shifts and multiplications by odd numbers.
const M1: u64 = 0xbf58_476d_1ce4_e5b9;
const M2: u64 = 0x94d0_49bb_1331_11eb;
// Their inverses modulo 2^64.
const M1_INVERSE: u64 = 0x96de_1b17_3f11_9089;
const M2_INVERSE: u64 = 0x3196_42b2_d24d_8ec3;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(M1);
    z = (z ^ (z >> 27)).wrapping_mul(M2);
    z ^ (z >> 31)
}

const fn unmix(mut z: u64) -> u64 {
    z = (z ^ (z >> 31) ^ (z >> 62)).wrapping_mul(M2_INVERSE);
    z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(M1_INVERSE);
    z ^ (z >> 30) ^ (z >> 60)
}

impl RunKey {
    /// A key from a seed: the same seed gives the same trace ids.
    pub fn from_seed(seed: u64) -> RunKey {
        let prefix = match mix(seed ^ 0x7072_6566_6978) {
            0 => 1,
            prefix => prefix,
        };
        RunKey {
            prefix,
            whiten: mix(seed ^ 0x7768_6974_656e),
        }
    }

    /// A key from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn random() -> anyhow::Result<RunKey> {
        let seed =
            getrandom::u64().map_err(|e| anyhow::anyhow!("no randomness for the run key: {e}"))?;
        Ok(RunKey::from_seed(seed))
    }

    /// The trace id of request number `seq`.
    pub fn trace_id(&self, seq: u64) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.prefix.to_be_bytes());
        id[8..].copy_from_slice(&mix(seq ^ self.whiten).to_be_bytes());
        id
    }

    /// The number of the request that carried this trace id, or `None` for a trace of another run.
    /// Any id with the run's prefix gives a number: the caller checks that it was planned.
    pub fn seq(&self, trace_id: &[u8; 16]) -> Option<u64> {
        let prefix = u64::from_be_bytes(trace_id[..8].try_into().ok()?);
        let mixed = u64::from_be_bytes(trace_id[8..].try_into().ok()?);
        (prefix == self.prefix).then(|| unmix(mixed) ^ self.whiten)
    }

    /// The span id that request `seq` claims as its own in `traceparent`: the parent id that the
    /// target's server span must have. Never zero.
    pub fn client_span_id(&self, seq: u64) -> [u8; 8] {
        mix(seq ^ self.prefix).max(1).to_be_bytes()
    }

    /// The `traceparent` header value of request `seq`, version 00, flag 01 (sampled): 55 bytes.
    pub fn traceparent(&self, seq: u64) -> [u8; 55] {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-01";
        hex_into(&self.trace_id(seq), &mut out[3..35]);
        hex_into(&self.client_span_id(seq), &mut out[36..52]);
        out
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.prefix, self.whiten)
    }
}

impl FromStr for RunKey {
    type Err = String;

    fn from_str(s: &str) -> Result<RunKey, String> {
        let bad = || format!("run key {s:?} is not 32 hex digits");
        if s.len() != 32 || !s.is_ascii() {
            return Err(bad());
        }
        let prefix = u64::from_str_radix(&s[..16], 16).map_err(|_| bad())?;
        let whiten = u64::from_str_radix(&s[16..], 16).map_err(|_| bad())?;
        Ok(RunKey { prefix, whiten })
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes `bytes` as lower-case hex digits into `out`, which has two places for each byte.
pub fn hex_into(bytes: &[u8], out: &mut [u8]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
}

/// `bytes` as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut out = vec![0; bytes.len() * 2];
    hex_into(bytes, &mut out);
    out.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn inverses_are_inverses() {
        assert_eq!(M1.wrapping_mul(M1_INVERSE), 1);
        assert_eq!(M2.wrapping_mul(M2_INVERSE), 1);
    }

    proptest! {
        #[test]
        fn a_trace_id_gives_its_request_back(seed: u64, seq: u64) {
            let key = RunKey::from_seed(seed);
            prop_assert_eq!(key.seq(&key.trace_id(seq)), Some(seq));
            let text = String::from_utf8(key.traceparent(seq).to_vec()).unwrap();
            prop_assert_eq!(text, format!("00-{}-{}-01", hex(&key.trace_id(seq)), hex(&key.client_span_id(seq))));
            prop_assert_eq!(key.to_string().parse::<RunKey>().unwrap(), key);
        }

        #[test]
        fn a_foreign_trace_is_foreign(seed: u64, other: u64, seq: u64) {
            prop_assume!(seed != other);
            prop_assert_eq!(RunKey::from_seed(seed).seq(&RunKey::from_seed(other).trace_id(seq)), None);
        }
    }
}
