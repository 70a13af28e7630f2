//! Arrivals and connections as they are dealt to workers, and to the workers of several shards.

use super::*;
use crate::plan::Arrivals;
use crate::record::Shard;
use proptest::prelude::*;

fn place(load: Load, worker: usize, workers: usize) -> Option<Place> {
    Place::of(load, Shard::WHOLE, worker, workers)
}

/// When each shard wants its requests, whatever number of workers it has, all together in order.
fn wanted(load: Load, workers: &[usize], seconds: u64) -> Vec<u64> {
    let mut all = Vec::new();
    let count = u16::try_from(workers.len()).unwrap();
    for (index, workers) in (0..count).zip(workers) {
        for worker in 0..*workers {
            let place = Place::of(load, Shard { index, count }, worker, *workers);
            let mut pace = Pace::new(load, place, 1000, Duration::from_secs(seconds), 1);
            while let Some(at) = pace.arrival_ns() {
                all.push(at);
                pace.take_arrival();
            }
        }
    }
    all.sort_unstable();
    all
}

proptest! {
    #[test]
    fn an_open_loop_wants_exactly_rate_times_duration(rate in 1_u32..5000, seconds in 1_u64..5, workers in 1_usize..5) {
        let load = Load::rate(f64::from(rate), 2);
        let mut all = Vec::new();
        for worker in 0..workers {
            let mut pace = Pace::new(load, place(load, worker, workers), 1000, Duration::from_secs(seconds), 1);
            while let Some(at) = pace.arrival_ns() {
                all.push(at);
                pace.take_arrival();
            }
        }
        all.sort_unstable();
        prop_assert_eq!(all.len() as u64, u64::from(rate) * seconds);
        prop_assert_eq!(all[0], 1000);
        for (i, at) in all.iter().enumerate() {
            prop_assert_eq!(*at, 1000 + (i as f64 / f64::from(rate) * 1e9).round() as u64);
        }
    }

    #[test]
    fn connections_are_dealt_whole(connections in 1_u32..3000, workers in 1_usize..9) {
        let load = Load::Connections { connections };
        let of = |worker| Pace::new(load, place(load, worker, workers), 0, Duration::ZERO, 1).connections();
        prop_assert_eq!((0..workers).map(of).sum::<usize>(), connections as usize);
        let numbers = |worker| {
            let pace = Pace::new(load, place(load, worker, workers), 0, Duration::ZERO, 1);
            (0..pace.connections()).map(|n| pace.connection(n)).collect::<Vec<_>>()
        };
        let mut all: Vec<u32> = (0..workers).flat_map(numbers).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (0..connections).collect::<Vec<_>>());
    }
}

#[test]
fn users_wait_as_told() {
    let users = |wait| {
        let load = Load::Users {
            users_from: 0,
            users: 4,
            spawn_rate: 2.0,
            wait,
        };
        Pace::new(load, place(load, 0, 1), 0, Duration::from_secs(60), 9)
    };
    assert_eq!(
        users(Wait::Constant(Duration::from_nanos(5))).first_ns(3),
        1_500_000_000
    );
    assert_eq!(
        users(Wait::Constant(Duration::from_nanos(5))).next_ns(0, 100),
        105
    );
    assert_eq!(
        users(Wait::ConstantThroughput(2.0)).next_ns(0, 100),
        500_000_000
    );
    let mut between = users(Wait::Between(
        Duration::from_nanos(5),
        Duration::from_nanos(7),
    ));
    let seen: std::collections::BTreeSet<u64> = (0..100).map(|_| between.next_ns(0, 100)).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [105, 106, 107]);
}

#[test]
fn users_go_up_and_down_at_their_rate() {
    let pace = |users_from, users| {
        let load = Load::Users {
            users_from,
            users,
            spawn_rate: 2.0,
            wait: Wait::Constant(Duration::ZERO),
        };
        Pace::new(load, place(load, 0, 1), 0, Duration::from_secs(60), 9)
    };
    let end = 60_000_000_000;
    let up = pace(2, 5);
    assert_eq!(up.connections(), 5);
    assert!(up.first_ns(1) < 1_000_000, "those who are there already");
    assert_eq!(
        [2, 3, 4].map(|user| up.first_ns(user)),
        [0, 500_000_000, 1_000_000_000]
    );
    assert_eq!(up.last_ns(4), end);
    let down = pace(5, 2);
    assert_eq!(down.connections(), 5);
    assert_eq!(
        [0, 1, 2, 3, 4].map(|user| down.last_ns(user)),
        [end, end, 1_000_000_000, 500_000_000, 0]
    );
    // Faster than the stage is long, they all are there or gone; slower, they go on to its end.
    assert_eq!(pace(500, 1).last_ns(1), end);
}

proptest! {
    #[test]
    fn shards_want_together_what_one_wants(
        rate in 1_u32..3000, to in 1_u32..3000, poisson: bool, connections in 1_u32..20,
        workers in proptest::collection::vec(1_usize..5, 1..6),
    ) {
        let load = Load::Rate {
            rate: f64::from(rate),
            rate_to: f64::from(to),
            arrivals: if poisson { Arrivals::Poisson } else { Arrivals::Constant },
            connections,
        };
        prop_assert_eq!(wanted(load, &workers, 2), wanted(load, &[1], 2));
    }

    #[test]
    fn users_are_dealt_whole_and_spawned_when_one_would_spawn_them(
        users in 1_u32..300, workers in proptest::collection::vec(1_usize..5, 1..6),
    ) {
        let load = Load::Users { users_from: 0, users, spawn_rate: 3.0, wait: Wait::Constant(Duration::ZERO) };
        let count = u16::try_from(workers.len()).unwrap();
        let mut spawned = Vec::new();
        for (index, workers) in (0..count).zip(&workers) {
            let shard = Shard { index, count };
            let of_shard: usize = (0..*workers).map(|worker| {
                let place = Place::of(load, shard, worker, *workers);
                let pace = Pace::new(load, place, 0, Duration::from_secs(200), 1);
                spawned.extend((0..pace.connections()).map(|n| (pace.connection(n), pace.first_ns(n))));
                pace.connections()
            }).sum();
            prop_assert_eq!(of_shard as u64, shard.share(u64::from(users)));
        }
        spawned.sort_unstable();
        let pace = Pace::new(load, place(load, 0, 1), 0, Duration::from_secs(200), 1);
        let of_one: Vec<_> = (0..users as usize).map(|n| (pace.connection(n), pace.first_ns(n))).collect();
        prop_assert_eq!(spawned, of_one);
    }
}
