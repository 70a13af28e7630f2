//! One stage of load: how requests arrive, and for how long.

use super::duration;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
}

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Closed loop, as wrk: each connection sends its next request when the answer to the last has come.
    Connections {
        /// Connections, all opened at the start.
        connections: u32,
    },
    /// Closed loop, as Locust: each user waits between an answer and its next request.
    Users {
        /// Users when all are spawned.
        users: u32,
        /// Users spawned per second.
        spawn_rate: f64,
        /// Pause between an answer and the user's next request.
        wait: Wait,
    },
    /// Open loop: request i is intended at `start + i/rate`, whatever the target does.
    Rate {
        /// Requests per second.
        rate: f64,
        /// Most connections; a request that finds none free waits, and the wait counts as latency.
        connections: u32,
    },
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

impl Load {
    /// `connections`, `users` or `rate`.
    pub fn kind(&self) -> &'static str {
        match self {
            Load::Connections { .. } => "connections",
            Load::Users { .. } => "users",
            Load::Rate { .. } => "rate",
        }
    }

    /// The number that a person sizes the stage by: connections, users, or requests per second.
    pub fn size(&self) -> f64 {
        match *self {
            Load::Connections { connections } => f64::from(connections),
            Load::Users { users, .. } => f64::from(users),
            Load::Rate { rate, .. } => rate,
        }
    }

    /// Most connections it opens.
    pub fn connections(&self) -> u32 {
        match *self {
            Load::Connections { connections } | Load::Rate { connections, .. } => connections,
            Load::Users { users, .. } => users,
        }
    }
}

/// A stage as it stands in a TOML file: flat, its kind by name.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    kind: String,
    #[serde(with = "duration")]
    duration: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connections: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spawn_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait: Option<WrittenWait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WrittenWait {
    Constant(Text),
    Between([Text; 2]),
    ConstantThroughput(f64),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Text(#[serde(with = "duration")] Duration);

const MOST_CONNECTIONS: u32 = 50_000;

impl TryFrom<Written> for Stage {
    type Error = String;

    fn try_from(w: Written) -> Result<Stage, String> {
        let name = &w.name;
        if name.is_empty()
            || name.len() > 64
            || name.contains(':')
            || name.chars().any(char::is_control)
        {
            return Err(format!(
                "stage name {name:?} must have 1 to 64 characters, no ':' among them"
            ));
        }
        if w.duration < Duration::from_millis(1) {
            return Err(format!("stage {name:?}: duration must be at least 1ms"));
        }
        let load = match w.kind.as_str() {
            "connections" => {
                w.no("users", w.users.is_some())?;
                w.no("rate", w.rate.is_some())?;
                w.no("spawn_rate", w.spawn_rate.is_some())?;
                w.no("wait", w.wait.is_some())?;
                Load::Connections {
                    connections: w.count("connections", w.connections)?,
                }
            }
            "users" => {
                w.no("connections", w.connections.is_some())?;
                w.no("rate", w.rate.is_some())?;
                let users = w.count("users", w.users)?;
                Load::Users {
                    users,
                    spawn_rate: w
                        .positive("spawn_rate", Some(w.spawn_rate.unwrap_or(f64::from(users))))?,
                    wait: w.wait()?,
                }
            }
            "rate" => {
                w.no("users", w.users.is_some())?;
                w.no("spawn_rate", w.spawn_rate.is_some())?;
                w.no("wait", w.wait.is_some())?;
                Load::Rate {
                    rate: w.positive("rate", w.rate)?,
                    connections: w.count("connections", Some(w.connections.unwrap_or(256)))?,
                }
            }
            kind => {
                return Err(format!(
                    "stage {name:?}: kind {kind:?} is none of connections, users, rate"
                ));
            }
        };
        Ok(Stage {
            name: w.name,
            duration: w.duration,
            load,
        })
    }
}

impl Written {
    fn no(&self, key: &str, present: bool) -> Result<(), String> {
        if present {
            Err(format!(
                "stage {:?}: {key} has no meaning for kind {:?}",
                self.name, self.kind
            ))
        } else {
            Ok(())
        }
    }

    fn count(&self, key: &str, value: Option<u32>) -> Result<u32, String> {
        match value {
            Some(n @ 1..=MOST_CONNECTIONS) => Ok(n),
            Some(n) => Err(format!(
                "stage {:?}: {key} = {n} is not between 1 and {MOST_CONNECTIONS}",
                self.name
            )),
            None => Err(format!(
                "stage {:?}: kind {:?} needs {key}",
                self.name, self.kind
            )),
        }
    }

    fn positive(&self, key: &str, value: Option<f64>) -> Result<f64, String> {
        match value {
            Some(x) if x > 0.0 && x <= 10e6 => Ok(x),
            Some(x) => Err(format!(
                "stage {:?}: {key} = {x} is not above 0 and at most 10000000",
                self.name
            )),
            None => Err(format!(
                "stage {:?}: kind {:?} needs {key}",
                self.name, self.kind
            )),
        }
    }

    fn wait(&self) -> Result<Wait, String> {
        Ok(match self.wait {
            None => Wait::Constant(Duration::from_secs(1)),
            Some(WrittenWait::Constant(Text(pause))) => Wait::Constant(pause),
            Some(WrittenWait::Between([Text(least), Text(most)])) if least <= most => {
                Wait::Between(least, most)
            }
            Some(WrittenWait::Between(_)) => {
                return Err(format!(
                    "stage {:?}: wait.between has its longer pause first",
                    self.name
                ));
            }
            Some(WrittenWait::ConstantThroughput(rate)) => {
                Wait::ConstantThroughput(self.positive("wait.constant_throughput", Some(rate))?)
            }
        })
    }
}

impl From<Stage> for Written {
    fn from(stage: Stage) -> Written {
        let mut w = Written {
            name: stage.name,
            kind: stage.load.kind().to_owned(),
            duration: stage.duration,
            ..Written::default()
        };
        match stage.load {
            Load::Connections { connections } => w.connections = Some(connections),
            Load::Rate { rate, connections } => {
                (w.rate, w.connections) = (Some(rate), Some(connections))
            }
            Load::Users {
                users,
                spawn_rate,
                wait,
            } => {
                (w.users, w.spawn_rate) = (Some(users), Some(spawn_rate));
                w.wait = Some(match wait {
                    Wait::Constant(pause) => WrittenWait::Constant(Text(pause)),
                    Wait::Between(least, most) => WrittenWait::Between([Text(least), Text(most)]),
                    Wait::ConstantThroughput(rate) => WrittenWait::ConstantThroughput(rate),
                });
            }
        }
        w
    }
}
