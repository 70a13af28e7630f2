//! Cuts flowers into folds that hold the same share of each class, by a seeded shuffle.

use ndarray::Array1;

/// The fold of each row: rows of a class are shuffled, then dealt out in turn.
pub(super) fn stratified(classes: &Array1<usize>, folds: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut fold_of = vec![0; classes.len()];
    for class in 0..=classes.iter().copied().max().unwrap_or(0) {
        let mut rows: Vec<usize> = (0..classes.len())
            .filter(|row| classes[*row] == class)
            .collect();
        // Fisher-Yates.
        for last in (1..rows.len()).rev() {
            let other = (split_mix(&mut state) % (last as u64 + 1)) as usize;
            rows.swap(last, other);
        }
        for (place, row) in rows.into_iter().enumerate() {
            fold_of[row] = place % folds;
        }
    }
    fold_of
}

/// SplitMix64 (Steele, Lea, Flood 2014): here, so that a crate's update can not move the folds.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fold_holds_the_same_share_of_each_class() {
        let classes = Array1::from_iter((0..150).map(|row| row / 50));
        let fold_of = stratified(&classes, 5, 7);
        for fold in 0..5 {
            for class in 0..3 {
                let count = (0..150)
                    .filter(|row| fold_of[*row] == fold && classes[*row] == class)
                    .count();
                assert_eq!(count, 10);
            }
        }
        assert_ne!(fold_of, stratified(&classes, 5, 8));
        assert_eq!(fold_of, stratified(&classes, 5, 7));
    }
}
