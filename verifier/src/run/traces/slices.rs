//! Time in slices that are read one after the other, and halved where they hold too much.

use super::reading::Window;

/// Shorter ones are not halved.
const SHORTEST_NS: u64 = 1_000;

/// What is still to be read, the earliest last. Slices are half-open.
pub(super) struct Slices {
    whole_ns: u64,
    left: Vec<(u64, u64)>,
}

impl Slices {
    /// The window in so many equal slices.
    pub(super) fn new(window: Window, slices: u64) -> Slices {
        let (from, to) = (window.from_unix_ns, window.to_unix_ns);
        let whole_ns = to - from;
        let slices = slices.clamp(1, whole_ns.max(1));
        let bound = |number: u64| {
            let part = u128::from(whole_ns) * u128::from(number) / u128::from(slices);
            from + u64::try_from(part).unwrap_or(whole_ns)
        };
        let left = (0..slices).rev().map(|n| (bound(n), bound(n + 1)));
        Slices {
            whole_ns,
            left: left.collect(),
        }
    }

    /// The earliest.
    pub(super) fn next(&mut self) -> Option<(u64, u64)> {
        self.left.pop()
    }

    /// The slice could not be read.
    pub(super) fn again(&mut self, slice: (u64, u64)) {
        self.left.push(slice);
    }

    /// The slice holds too much; false when it is too short to be halved.
    pub(super) fn halve(&mut self, (from, to): (u64, u64)) -> bool {
        if to - from <= SHORTEST_NS {
            return false;
        }
        let middle = from + (to - from) / 2;
        self.left.extend([(middle, to), (from, middle)]);
        true
    }

    /// The share of the window that is not read yet, beside so many nanoseconds of a slice under way, in words.
    pub(super) fn left(&self, under_way_ns: u64) -> String {
        let left: u64 = self.left.iter().map(|(from, to)| to - from).sum();
        let share = (left + under_way_ns) as f64 / self.whole_ns.max(1) as f64;
        format!("{:.0} %", share * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is halved: each nanosecond is in exactly one slice, in order.
        #[test]
        fn every_moment_is_read_once(from in 0_u64..1_000_000, length in 0_u64..1_000_000_000, slices in 0_u64..100, halved in proptest::collection::vec(any::<bool>(), 0..200)) {
            let window = Window { from_unix_ns: from, to_unix_ns: from + length };
            let mut slices = Slices::new(window, slices);
            let mut halved = halved.into_iter();
            let mut at = from;
            while let Some(slice) = slices.next() {
                prop_assert_eq!(slice.0, at);
                if !(halved.next() == Some(true) && slices.halve(slice)) {
                    at = slice.1;
                }
            }
            prop_assert_eq!(at, from + length);
        }
    }
}
