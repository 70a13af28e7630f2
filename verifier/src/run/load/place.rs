//! A worker's place among all who share a stage: from its shard and its number to which of the stage's things are its own.

use crate::plan::Load;
use crate::record::Shard;

/// Whatever a stage counts is dealt in turn: number n is of the worker for whom n modulo `of` is `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) of: u64,
}

impl Place {
    /// First shards, then the workers of each, which may be more on one machine than on another: what is of a shard
    /// does not depend on how many workers the others have. `None` for a worker for whom no connection is left: it
    /// could carry nothing, and has no part in the arrivals either. Users may come while the stage runs: all workers
    /// have a place, so that whose a user is does not depend on how many there are.
    pub(super) fn of(load: Load, shard: Shard, worker: usize, workers: usize) -> Option<Place> {
        if let Load::Users { .. } = load {
            return Some(Place::of_numbers(shard, worker, workers));
        }
        let all = u64::from(load.connections());
        let shards = u64::from(shard.count).min(all);
        let (index, worker) = (u64::from(shard.index), worker as u64);
        let workers = (workers as u64).min(shard.share(all));
        (index < shards && worker < workers).then_some(Place {
            at: index + shards * worker,
            of: shards * workers,
        })
    }

    /// The same for the numbers of requests, which every worker needs.
    pub(super) fn of_numbers(shard: Shard, worker: usize, workers: usize) -> Place {
        let shards = u64::from(shard.count);
        Place {
            at: u64::from(shard.index) + shards * worker as u64,
            of: shards * workers as u64,
        }
    }
}
