//! Nanoseconds in, percentiles out: buckets of a 64th of their power of two, so that a percentile is within 0.8 %.

/// Buckets of one power of two.
const BUCKETS: usize = 64;
const BUCKET_BITS: u32 = BUCKETS.trailing_zeros();
/// Powers that a `u64` can have above the first block, which counts whole nanoseconds.
const BLOCKS: usize = 64 - BUCKET_BITS as usize + 1;

/// A histogram; only powers of two that were seen take memory, half a kilobyte each.
#[derive(Clone, Debug)]
pub(in super::super) struct Histogram {
    blocks: Vec<Option<Box<[u64; BUCKETS]>>>,
    n: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            blocks: vec![None; BLOCKS],
            n: 0,
        }
    }
}

/// The block and the bucket in it of a value.
fn place(ns: u64) -> (usize, usize) {
    let power = 63 - (ns | 1).leading_zeros();
    if power < BUCKET_BITS {
        return (0, (ns & 63) as usize);
    }
    let bucket = (ns >> (power - BUCKET_BITS)) & 63;
    ((power - BUCKET_BITS) as usize + 1, bucket as usize)
}

/// The middle of a bucket.
fn middle(block: usize, bucket: usize) -> u64 {
    match block {
        0 => bucket as u64,
        _ => {
            let low = (BUCKETS as u64 + bucket as u64) << (block - 1);
            low + ((1_u64 << (block - 1)) >> 1)
        }
    }
}

impl Histogram {
    /// Adds a value.
    pub(in super::super) fn record(&mut self, ns: u64) {
        let (block, bucket) = place(ns);
        self.blocks[block].get_or_insert_with(|| Box::new([0; BUCKETS]))[bucket] += 1;
        self.n += 1;
    }

    /// Adds all that another has.
    pub(in super::super) fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.blocks.iter_mut().zip(&other.blocks) {
            let Some(theirs) = theirs else { continue };
            let mine = mine.get_or_insert_with(|| Box::new([0; BUCKETS]));
            for (sum, count) in mine.iter_mut().zip(theirs.iter()) {
                *sum += count;
            }
        }
        self.n += other.n;
    }

    /// Nearest rank for each of the shares of 1, which rise; `None` of nothing.
    pub(in super::super) fn percentiles_ns<const N: usize>(
        &self,
        shares: [f64; N],
    ) -> [Option<u64>; N] {
        let rank = |share: f64| ((share * self.n as f64).ceil() as u64).clamp(1, self.n.max(1));
        let mut found = [None; N];
        let (mut next, mut below) = (0, 0);
        for (block, buckets) in self.blocks.iter().enumerate() {
            let buckets = buckets
                .iter()
                .flat_map(|buckets| buckets.iter().enumerate());
            for (bucket, count) in buckets.filter(|(_, count)| **count > 0) {
                below += count;
                while next < N && rank(shares[next]) <= below {
                    found[next] = Some(middle(block, bucket));
                    next += 1;
                }
            }
        }
        found
    }

    /// How many values.
    pub(in super::super) fn n(&self) -> u64 {
        self.n
    }
}

/// Nanoseconds as milliseconds.
pub(in super::super) fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_one_percent() {
        for scale in [1_u64, 37, 1_000, 1_234_567] {
            let mut histogram = Histogram::default();
            let values = (1..=100_000_u64).map(|i| i * scale);
            values.clone().for_each(|ns| histogram.record(ns));
            let found = histogram.percentiles_ns([0.0, 0.5, 0.95, 0.99, 1.0]);
            for (share, ns) in [0.00001, 0.5, 0.95, 0.99, 1.0].into_iter().zip(found) {
                let truth = share * 100_000.0 * scale as f64;
                let error = (ns.unwrap() as f64 - truth).abs() / truth;
                assert!(error < 0.01, "{scale}, {share}: {error}");
            }
        }
        assert_eq!(Histogram::default().percentiles_ns([0.5]), [None]);
    }

    #[test]
    fn the_ends_of_the_range_have_a_place() {
        let mut histogram = Histogram::default();
        [0, 63, 64, u64::MAX]
            .iter()
            .for_each(|ns| histogram.record(*ns));
        let [least, most] = histogram.percentiles_ns([0.1, 1.0]);
        assert_eq!(least, Some(0));
        assert!(most.unwrap() > u64::MAX / 100 * 99);
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!(twice.n(), 8);
    }
}
