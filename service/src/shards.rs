//! One value per thread, summed by whoever reads: counting without a write that two cores share.

use std::sync::atomic::{AtomicUsize, Ordering};

/// More threads than this share; the sums stay right.
const SHARDS: usize = 64;

/// A cache line of its own (128: adjacent lines are fetched in pairs).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line<T>(T);

/// One `T` per thread.
#[derive(Debug)]
pub struct Shards<T>(Box<[Line<T>]>);

impl<T: Default> Default for Shards<T> {
    fn default() -> Shards<T> {
        Shards((0..SHARDS).map(|_| Line::default()).collect())
    }
}

impl<T> Shards<T> {
    /// The calling thread's value.
    #[inline]
    pub fn mine(&self) -> &T {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS);
        &self.0[MINE.with(|mine| *mine)].0
    }

    /// Every thread's value.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|line| &line.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn sums_are_right_with_more_threads_than_shards() {
        let shards: Shards<AtomicU64> = Shards::default();
        std::thread::scope(|scope| {
            for _ in 0..SHARDS + 9 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        shards.mine().fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let sum: u64 = shards
            .all()
            .map(|shard| shard.load(Ordering::Relaxed))
            .sum();
        assert_eq!(sum, 100 * (SHARDS as u64 + 9));
    }
}
