//! A histogram of durations: from nanoseconds to quantiles and counts, in bounded memory.

/// Each power of two is divided into 2^BITS buckets: what a quantile says is at most 1/128 below the truth.
const BITS: u32 = 7;
const STEPS: u64 = 1 << BITS;
const BUCKETS: usize = (64 - BITS as usize + 1) << BITS;

/// A histogram of nanoseconds with buckets 1/128 of their power of two wide (error below 0.8 %); the longest is exact.
#[derive(Clone, Debug)]
pub struct Sketch {
    counts: Box<[u64]>,
    total: u64,
    longest_ns: u64,
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
            longest_ns: 0,
        }
    }
}

impl Sketch {
    /// Adds one value.
    pub fn record(&mut self, ns: u64) {
        // Below 2^BITS each value has a bucket of its own.
        let power = (63 - (ns | STEPS).leading_zeros()) - BITS;
        let index = (u64::from(power) << BITS) + (ns >> power);
        self.counts[index as usize] += 1;
        self.total += 1;
        self.longest_ns = self.longest_ns.max(ns);
    }

    /// Adds what the other has.
    pub fn add(&mut self, other: &Sketch) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
    }

    /// Forgets everything, and keeps its memory.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.total, self.longest_ns) = (0, 0);
    }

    /// How many values there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The longest; 0 when empty.
    pub fn longest_ns(&self) -> u64 {
        self.longest_ns
    }

    /// Lower edge of the bucket that holds the quantile; 0 when empty.
    pub fn quantile(&self, q: f64) -> u64 {
        let mut left = (q * self.total as f64).ceil() as u64;
        for (from_ns, count) in self.buckets() {
            if count >= left && left > 0 {
                return from_ns;
            }
            left = left.saturating_sub(count);
        }
        0
    }

    /// The lower edge and the count of every bucket, in order.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        let counts = self.counts.iter().enumerate();
        counts.map(|(index, count)| (lower_edge(index as u64), *count))
    }
}

fn lower_edge(index: u64) -> u64 {
    let power = (index >> BITS).saturating_sub(1);
    (index - (power << BITS)) << power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_is_within_its_error() {
        let mut sketch = Sketch::default();
        for ns in 1..=100_000_u64 {
            sketch.record(ns);
        }
        for (q, truth) in [(0.5, 50_000.0), (0.99, 99_000.0)] {
            let error = (truth - sketch.quantile(q) as f64) / truth;
            assert!((0.0..0.008).contains(&error), "{q}: {error}");
        }
        assert_eq!((sketch.total(), sketch.longest_ns()), (100_000, 100_000));
    }

    #[test]
    fn every_value_has_its_bucket() {
        for ns in [0, 1, 127, 128, 129, 255, 256, 1000, 1 << 40, u64::MAX] {
            let mut sketch = Sketch::default();
            sketch.record(ns);
            let edge = sketch.quantile(0.5);
            assert!(edge <= ns && ns - edge <= ns / 128, "{ns}: {edge}");
        }
    }

    #[test]
    fn sums_are_what_one_would_have_had() {
        let (mut a, mut b, mut both) = <(Sketch, Sketch, Sketch)>::default();
        for ns in (0..10_000_u64).map(|n| n * n) {
            if ns % 3 == 0 { &mut a } else { &mut b }.record(ns);
            both.record(ns);
        }
        a.add(&b);
        assert!(a.buckets().eq(both.buckets()));
        assert_eq!(a.longest_ns(), both.longest_ns());
        a.clear();
        assert_eq!((a.total(), a.quantile(0.5)), (0, 0));
    }
}
