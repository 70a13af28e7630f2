//! Which of several a fault hits: how many there are in, positions out; the same seed picks the same positions.

/// `count` of the positions below `of`, or all of them, in order.
pub(super) fn pick(of: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut left: Vec<usize> = (0..of).collect();
    let mut random = seed;
    let mut picked = Vec::new();
    while picked.len() < count && !left.is_empty() {
        random = splitmix(random);
        // A list that fits into memory has less than 2^64 places.
        let at = (random % left.len() as u64) as usize;
        picked.push(left.remove(at));
    }
    picked.sort_unstable();
    picked
}

/// Steele, Lea, Flood 2014: splitmix64.
fn splitmix(before: u64) -> u64 {
    let mut z = before.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::pick;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_picks_the_same_and_others_pick_others() {
        assert_eq!(pick(10, 3, 7), pick(10, 3, 7));
        let first: BTreeSet<usize> = (0..100).map(|seed| pick(10, 1, seed)[0]).collect();
        assert_eq!(first.len(), 10, "every position has its seeds");
    }

    #[test]
    fn none_is_picked_twice_nor_more_than_there_are() {
        for seed in 0..50 {
            let picked = pick(6, 4, seed);
            assert_eq!(picked.iter().collect::<BTreeSet<_>>().len(), 4);
            assert!(picked.iter().all(|at| *at < 6));
        }
        assert_eq!(pick(3, 9, 1), [0, 1, 2]);
        assert!(pick(0, 1, 1).is_empty());
    }
}
