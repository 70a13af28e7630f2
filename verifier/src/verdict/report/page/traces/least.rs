//! Places of the rows of least key among many: as many as are asked for, in the order of their keys.

use std::collections::BinaryHeap;

/// The least so far, by key and then by place.
pub(super) struct Least {
    most: usize,
    /// The greatest of them on top.
    kept: BinaryHeap<(u64, usize)>,
}

impl Least {
    /// Of so many at most.
    pub(super) fn of(most: usize) -> Least {
        let kept = BinaryHeap::new();
        Least { most, kept }
    }

    /// Takes a row in, if it is one of the least.
    pub(super) fn offer(&mut self, key: u64, place: usize) {
        if self.kept.len() < self.most {
            self.kept.push((key, place));
        } else if let Some(mut greatest) = self.kept.peek_mut()
            && (key, place) < *greatest
        {
            *greatest = (key, place);
        }
    }

    /// Their places, that of the least key first.
    pub(super) fn places(self) -> Vec<usize> {
        let sorted = self.kept.into_sorted_vec().into_iter();
        sorted.map(|(_, place)| place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Least;

    #[test]
    fn ties_go_to_the_first_place() {
        let mut least = Least::of(3);
        for (place, key) in [5, 3, 9, 3, 3, 4].into_iter().enumerate() {
            least.offer(key, place);
        }
        assert_eq!(least.places(), [1, 3, 4]);
        let mut none = Least::of(0);
        none.offer(1, 1);
        assert!(none.places().is_empty());
    }
}
