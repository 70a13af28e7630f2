//! A shard: which of several verifiers this one is, and which numbers of requests are its own.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Shards of one run: a Poisson process is made of that many streams, and each shard needs one of its own.
const MOST_SHARDS: u16 = 256;

/// One of `count` verifiers that drive one plan together. Whatever the plan counts (requests, connections, users) is
/// dealt to them in turn: number n is of shard n modulo `count`, so that no two ever have the same and all together
/// have every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u16,
    /// How many there are.
    pub count: u16,
}

impl Shard {
    /// The only one: a run as it is without shards.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// There are others.
    pub fn is_part(self) -> bool {
        self.count > 1
    }

    /// The request is this shard's own.
    pub fn holds(self, seq: u64) -> bool {
        seq % u64::from(self.count) == u64::from(self.index)
    }

    /// Number among this shard's own requests; `None`: another's.
    pub fn own(self, seq: u64) -> Option<u64> {
        self.holds(seq).then(|| seq / u64::from(self.count))
    }

    /// The number in the run of this shard's request `own`: the inverse of [`Shard::own`].
    pub fn seq(self, own: u64) -> u64 {
        own.wrapping_mul(u64::from(self.count))
            .wrapping_add(u64::from(self.index))
    }

    /// How many of `all` are this shard's: the shares of all shards add up to `all`.
    pub fn share(self, all: u64) -> u64 {
        let (index, count) = (u64::from(self.index), u64::from(self.count));
        all / count + u64::from(index < all % count)
    }

    /// The others.
    pub fn others(self) -> impl Iterator<Item = u16> {
        (0..self.count).filter(move |index| *index != self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/');
        let numbers =
            numbers.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let Some((index, count)) = numbers else {
            return Err(format!(
                "{text:?} is no shard like 0/3: its index from 0, and how many there are"
            ));
        };
        if !(1..=MOST_SHARDS).contains(&count) {
            return Err(format!(
                "{text:?}: there can be 1 to {MOST_SHARDS} shards, not {count}"
            ));
        }
        if index >= count {
            return Err(format!(
                "{text:?}: the index counts from 0, so that the last of {count} shards is {}/{count}",
                count - 1
            ));
        }
        Ok(Shard { index, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shards_are_written_as_index_and_count() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
        assert_eq!("0/1".parse(), Ok(Shard::WHOLE));
        for wrong in ["", "1", "3/3", "0/0", "-1/2", "a/b", "1/2/3", "0/257"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_of_one_shard(count in 1_u16..=MOST_SHARDS, seq: u64, all in 0_u64..100_000) {
            let shards = || (0..count).map(|index| Shard { index, count });
            let own: Vec<(Shard, u64)> = shards().filter_map(|s| Some((s, s.own(seq)?))).collect();
            prop_assert_eq!(own.len(), 1);
            prop_assert_eq!(own[0].0.seq(own[0].1), seq);
            prop_assert_eq!(shards().map(|s| s.share(all)).sum::<u64>(), all);
        }
    }
}
