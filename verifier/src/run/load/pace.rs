//! When requests are wanted: the arrival model of one stage, as one worker sees it. Pure arithmetic.

use super::arrivals::ArrivalTimes;
use super::place::Place;
use crate::plan::{Load, Wait};
use std::time::Duration;

/// Connections of a stage are opened this far apart, or within a tenth of the stage if that is shorter.
const OPENING_GAP_NS: f64 = 100_000.0;

/// An open loop denser than this is sent in batches this far apart. The delay is part of the latency and of the lag.
const WAKE_GAP_NS: u64 = 50_000;

/// An open loop denser than this is near what one core can do. There a wake-up for each answer costs half as
/// much as the request, and a timer twice as much: what is due and what has come is seen to in turns, so that
/// an answer is seen [`TURN_NS`] late at most.
const IN_TURNS_NS: u64 = 10_000;
const TURN_NS: u64 = 200_000;

/// One worker's part of a stage's arrivals. Requests, connections and users are dealt to workers in turn.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    load: Load,
    /// `None`: it has no part in the stage.
    place: Option<Place>,
    start_ns: u64,
    end_ns: u64,
    /// Open loop: when this worker's requests are wanted.
    arrivals: Option<ArrivalTimes>,
    /// Users are stopped within the stage.
    stopping: bool,
    /// How many users there are, once a person has said so.
    by_hand: Option<u32>,
    random: u64,
}

impl Pace {
    pub(super) fn new(
        load: Load,
        place: Option<Place>,
        start_ns: u64,
        duration: Duration,
        seed: u64,
    ) -> Pace {
        let arrivals = place
            .and_then(|Place { at, of }| ArrivalTimes::new(load, at, of, start_ns, duration, seed));
        let number = place.map_or(0, |place| place.at + 1);
        Pace {
            load,
            place,
            arrivals,
            stopping: matches!(load, Load::Users { users_from, users, .. } if users < users_from),
            by_hand: None,
            start_ns,
            end_ns: start_ns + nanoseconds(duration),
            random: (seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.load, Load::Rate { .. })
    }

    pub(super) fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Nothing is started from `now_ns` on: whatever would have been wanted later never was.
    pub(super) fn stop(&mut self, now_ns: u64) {
        self.end_ns = self.end_ns.min(now_ns);
    }

    pub(super) fn has_users(&self) -> bool {
        matches!(self.load, Load::Users { .. })
    }

    /// Connections (or users) that this worker holds.
    pub(super) fn connections(&self) -> usize {
        self.own(self.load.connections().max(self.by_hand.unwrap_or(0)))
    }

    /// How many of the stage's first `all` are this worker's.
    fn own(&self, all: u32) -> usize {
        let all = u64::from(all);
        let mine = self
            .place
            .map_or(0, |Place { at, of }| all / of + u64::from(at < all % of));
        usize::try_from(mine).unwrap_or(usize::MAX)
    }

    /// A person says how many users there are from now on. Gives the first of this worker's users whom that concerns:
    /// those before go on as they were.
    pub(super) fn set_users(&mut self, users: u32, now_ns: u64) -> usize {
        let since_start = Duration::from_nanos(now_ns.saturating_sub(self.start_ns));
        let planned = self.load.users_at(since_start);
        let were = self.by_hand.or(planned).unwrap_or(0);
        self.by_hand = Some(users);
        self.own(users.min(were))
    }

    /// The stage's number of this worker's connection (or user) `number`.
    pub(super) fn connection(&self, number: usize) -> u32 {
        let Place { at, of } = self.place.unwrap_or(Place { at: 0, of: 1 });
        u32::try_from(number as u64 * of + at).unwrap_or(u32::MAX)
    }

    /// When connection (or user) `number` of this worker is to be opened; in a closed loop, for its first request.
    pub(super) fn first_ns(&self, number: usize) -> u64 {
        let place = self.connection(number);
        let (at_once, spawn_gap_ns) = match self.load {
            Load::Users {
                users_from,
                spawn_rate,
                ..
            } => (users_from, 1e9 / spawn_rate),
            Load::Connections { connections } | Load::Rate { connections, .. } => {
                (connections, 0.0)
            }
        };
        if place >= at_once {
            return self.start_ns + (f64::from(place - at_once) * spawn_gap_ns) as u64;
        }
        // All at once would overflow the target's accept queue, and a dropped SYN costs a second.
        let tenth = (self.end_ns - self.start_ns) as f64 / 10.0;
        let gap_ns = OPENING_GAP_NS.min(tenth / f64::from(at_once));
        self.start_ns + (f64::from(place) * gap_ns) as u64
    }

    /// From when on connection (or user) `number` of this worker begins nothing more: the stage's end, or
    /// before, for a user who is stopped. Users who came last go first.
    pub(super) fn last_ns(&self, number: usize) -> u64 {
        if let Some(users) = self.by_hand {
            let there = self.connection(number) < users;
            return if there { self.end_ns } else { self.start_ns };
        }
        if !self.stopping {
            return self.end_ns;
        }
        let Load::Users {
            users_from,
            users,
            spawn_rate,
            ..
        } = self.load
        else {
            return self.end_ns;
        };
        let place = self.connection(number);
        if place < users {
            return self.end_ns;
        }
        let before = f64::from(users_from - 1 - place);
        self.end_ns
            .min(self.start_ns + (before / spawn_rate * 1e9) as u64)
    }

    /// When a closed-loop connection wants its next request, its last having been wanted at
    /// `intended_ns` and answered at `done_ns`.
    pub(super) fn next_ns(&mut self, intended_ns: u64, done_ns: u64) -> u64 {
        match self.load {
            Load::Users {
                wait: Wait::Constant(pause),
                ..
            } => done_ns + nanoseconds(pause),
            Load::Users {
                wait: Wait::Between(least, most),
                ..
            } => {
                let (least, most) = (nanoseconds(least), nanoseconds(most));
                done_ns + least + self.random() % (most - least + 1)
            }
            Load::Users {
                wait: Wait::ConstantThroughput(rate),
                ..
            } => done_ns.max(intended_ns + (1e9 / rate) as u64),
            Load::Connections { .. } | Load::Rate { .. } => done_ns,
        }
    }

    /// Open loop: when the next request of this worker is wanted; `None` when all have been taken.
    pub(super) fn arrival_ns(&self) -> Option<u64> {
        let at_ns = self.arrivals.as_ref()?.next_ns();
        (at_ns < self.end_ns).then_some(at_ns)
    }

    /// Open loop: how long after now the next wake-up may be at the earliest, and whether answers wait for
    /// it, too. Only where arrivals are denser anyway: to wake for each would cost more than to send it.
    pub(super) fn wake_gap_ns(&self) -> (u64, bool) {
        match &self.arrivals {
            Some(arrivals) if arrivals.denser_than(IN_TURNS_NS) => (TURN_NS, true),
            Some(arrivals) if arrivals.denser_than(WAKE_GAP_NS) => (WAKE_GAP_NS, false),
            _ => (0, false),
        }
    }

    /// Open loop: takes the request that [`Pace::arrival_ns`] gave.
    pub(super) fn take_arrival(&mut self) {
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.take();
        }
    }

    /// A number for back-off's jitter and for waits (xorshift64, Marsaglia 2003).
    pub(super) fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests;
