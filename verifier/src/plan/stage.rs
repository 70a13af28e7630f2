//! One stage of load: its name, how long it lasts, how requests arrive, what becomes of connections.

use super::stage_toml::Written;
use super::{Load, Reuse};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// No stage is shortened below this: less than a second of load says nothing about a target.
const SHORTEST: Duration = Duration::from_secs(1);

/// One stage of load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Stage {
    /// Unique in the plan.
    pub name: String,
    /// How long requests are started; what is then in flight may still end, within the request timeout.
    pub duration: Duration,
    /// How requests arrive.
    pub load: Load,
    /// What becomes of a connection after an exchange.
    pub reuse: Reuse,
}

impl Stage {
    /// Open loop: the mean rate that the plan asks for over the stage's first `seconds`, requests per second;
    /// `None` for a closed loop, and for no time at all.
    pub fn requested_rate(&self, seconds: f64) -> Option<f64> {
        match self.load {
            Load::Rate { rate, rate_to, .. } if seconds > 0.0 => {
                let share = seconds / self.duration.as_secs_f64();
                Some(rate + (rate_to - rate) * share / 2.0)
            }
            _ => None,
        }
    }

    /// Open loop: requests per second that the plan asks for so long after the stage's begin; `None` for a closed loop.
    pub fn rate_at(&self, since: Duration) -> Option<f64> {
        match self.load {
            Load::Rate { rate, rate_to, .. } => {
                let share = since.as_secs_f64() / self.duration.as_secs_f64();
                Some(rate + (rate_to - rate) * share.min(1.0))
            }
            _ => None,
        }
    }

    /// The stage as it stands in a plan, without its `[[stage]]`.
    pub fn to_toml(&self) -> String {
        // A table of plain values can always be written.
        toml::to_string(self).unwrap_or_default()
    }

    /// Reads [`Stage::to_toml`] back.
    ///
    /// # Errors
    /// When it is no such text.
    pub fn from_toml(text: &str) -> anyhow::Result<Stage> {
        Ok(toml::from_str(text)?)
    }

    /// Makes the stage longer or shorter: its duration (not below a second, unless it is shorter already),
    /// and with it what happens within: users are spawned, and connections rotated, at the same share of it.
    pub fn scale_time(&mut self, factor: f64) {
        let before = self.duration;
        // Whole milliseconds, as a person would have written them.
        let millis = (before.as_secs_f64() * factor * 1e3).round() as u64;
        self.duration = Duration::from_millis(millis).max(SHORTEST.min(before));
        let factor = self.duration.as_secs_f64() / before.as_secs_f64();
        if let Load::Users { spawn_rate, .. } = &mut self.load {
            *spawn_rate /= factor;
        }
        if let Reuse::Rotate(lifetime) = &mut self.reuse {
            *lifetime = lifetime.mul_f64(factor).max(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Wait;

    fn users(seconds: u64, spawn_rate: f64) -> Stage {
        Stage {
            name: "a".into(),
            duration: Duration::from_secs(seconds),
            load: Load::Users {
                users_from: 0,
                users: 100,
                spawn_rate,
                wait: Wait::Constant(Duration::from_secs(1)),
            },
            reuse: Reuse::Rotate(Duration::from_secs(10)),
        }
    }

    #[test]
    fn users_are_all_there_at_the_same_share_of_a_shortened_stage() {
        let mut stage = users(100, 10.0);
        stage.scale_time(0.1);
        assert_eq!(stage.duration, Duration::from_secs(10));
        assert_eq!(stage.reuse, Reuse::Rotate(Duration::from_secs(1)));
        let Load::Users { spawn_rate, .. } = stage.load else {
            panic!("another kind");
        };
        assert!((spawn_rate - 100.0).abs() < 1e-9, "{spawn_rate}");
    }

    #[test]
    fn no_stage_is_shortened_to_nothing() {
        let mut stage = users(20, 10.0);
        stage.scale_time(0.001);
        assert_eq!(stage.duration, Duration::from_secs(1));
        let Load::Users { spawn_rate, .. } = stage.load else {
            panic!("another kind");
        };
        assert!(
            (spawn_rate - 200.0).abs() < 1e-9,
            "by what it was shortened"
        );
        let mut short = users(1, 10.0);
        short.duration = Duration::from_millis(300);
        short.scale_time(0.001);
        assert_eq!(short.duration, Duration::from_millis(300));
    }
}
