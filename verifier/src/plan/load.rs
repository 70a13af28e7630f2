//! How requests arrive in a stage: the three kinds of load, and the fine print of each.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Most connections, or users, of a stage.
pub const MOST_CONNECTIONS: u32 = 50_000;

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Closed loop, as wrk: each connection sends its next request when the answer to the last has come.
    Connections {
        /// Connections, all opened at the start.
        connections: u32,
    },
    /// Closed loop, as Locust: each user waits between an answer and its next request. Stages of this kind
    /// after one another, each from where the last one ended, are what Locust calls a `LoadTestShape`.
    Users {
        /// Users that are there when the stage begins.
        users_from: u32,
        /// Users when all have been spawned, or stopped.
        users: u32,
        /// Users spawned, or stopped, per second, from `users_from` to `users`.
        spawn_rate: f64,
        /// Pause between an answer and the user's next request.
        wait: Wait,
    },
    /// Open loop: requests are intended at moments that are known beforehand, whatever the target does.
    Rate {
        /// Requests per second when the stage begins.
        rate: f64,
        /// Requests per second when it ends; in between the rate goes in a straight line.
        rate_to: f64,
        /// How the moments are spaced.
        arrivals: Arrivals,
        /// Most connections; a request that finds none free waits, and the wait counts as latency.
        connections: u32,
    },
}

/// How an open loop's requests are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Evenly: request i is intended when the integral of the rate reaches i.
    #[default]
    Constant,
    /// As a Poisson process of that rate, from the plan's seed: users who know nothing of each other.
    Poisson,
}

/// A user's pause, named as in Locust.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    /// Always the same.
    Constant(Duration),
    /// Uniformly distributed between the two.
    Between(Duration, Duration),
    /// Each user starts this many requests per second, if the target is fast enough.
    ConstantThroughput(f64),
}

/// What becomes of a connection after an exchange. A balancer in front of replicas deals out connections,
/// not requests: those that stay never reach a replica that came later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// It carries the next request, as long as the target keeps it open.
    #[default]
    Keep,
    /// It is closed: each request has a connection of its own, and the time to connect is part of its latency.
    Fresh,
    /// It is closed after the first exchange that ends later than this since it was opened, give or take half
    /// of it at random, so that connections that were opened together are not closed together.
    Rotate(Duration),
}

impl Load {
    /// `connections`, `users` or `rate`.
    pub fn kind(&self) -> &'static str {
        match self {
            Load::Connections { .. } => "connections",
            Load::Users { .. } => "users",
            Load::Rate { .. } => "rate",
        }
    }

    /// The number that a person sizes the stage by: connections, users, or requests per second; the most, where it changes.
    pub fn size(&self) -> f64 {
        match *self {
            Load::Connections { connections } => f64::from(connections),
            Load::Users { .. } => f64::from(self.connections()),
            Load::Rate { rate, rate_to, .. } => rate.max(rate_to),
        }
    }

    /// Most connections it opens.
    pub fn connections(&self) -> u32 {
        match *self {
            Load::Connections { connections } | Load::Rate { connections, .. } => connections,
            Load::Users {
                users_from, users, ..
            } => users.max(users_from),
        }
    }

    /// How many users there are so long after the stage's beginning; `None` for the other kinds.
    pub fn users_at(&self, since_start: Duration) -> Option<u32> {
        let Load::Users {
            users_from,
            users,
            spawn_rate,
            ..
        } = *self
        else {
            return None;
        };
        // The first comes, or goes, at once.
        let changed = (since_start.as_secs_f64() * spawn_rate).floor() + 1.0;
        let changed = changed.min(f64::from(u32::MAX)) as u32;
        Some(if users < users_from {
            users_from.saturating_sub(changed).max(users)
        } else {
            users_from.saturating_add(changed).min(users)
        })
    }

    /// An open loop of one even rate.
    pub fn rate(rate: f64, connections: u32) -> Load {
        Load::Rate {
            rate,
            rate_to: rate,
            arrivals: Arrivals::Constant,
            connections,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_and_go_at_their_rate() {
        let at = |users_from, users, milliseconds| {
            let load = Load::Users {
                users_from,
                users,
                spawn_rate: 2.0,
                wait: Wait::Constant(Duration::ZERO),
            };
            load.users_at(Duration::from_millis(milliseconds)).unwrap()
        };
        let moments = [0, 499, 500, 1000, 9000];
        assert_eq!(moments.map(|ms| at(0, 3, ms)), [1, 1, 2, 3, 3]);
        assert_eq!(moments.map(|ms| at(5, 3, ms)), [4, 4, 3, 3, 3]);
        assert_eq!(at(4, 4, 0), 4);
        assert_eq!(at(0, 3, u64::MAX), 3);
        assert_eq!(Load::rate(5.0, 1).users_at(Duration::ZERO), None);
    }
}
