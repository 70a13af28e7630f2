//! A stage as it stands in a TOML file: flat, its kind by name; and the complaints about what can not be.

mod write;

use super::load::MOST_CONNECTIONS;
use super::{Arrivals, Load, Reuse, Stage, Wait, duration};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A stage as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: String,
    kind: String,
    #[serde(with = "duration")]
    duration: Duration,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connections: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users_from: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    users: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spawn_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wait: Option<WrittenWait>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate_to: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    arrivals: Option<Arrivals>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reuse: Option<WrittenReuse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection_lifetime: Option<Text>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum WrittenWait {
    Constant(Text),
    Between([Text; 2]),
    ConstantThroughput(f64),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenReuse {
    Keep,
    Fresh,
    Rotate,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Text(#[serde(with = "duration")] Duration);

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
        Ok(Stage {
            load: w.load()?,
            reuse: w.reuse()?,
            name: w.name,
            duration: w.duration,
        })
    }
}

impl Written {
    fn load(&self) -> Result<Load, String> {
        match self.kind.as_str() {
            "connections" => {
                self.no_users()?;
                self.no_rate()?;
                Ok(Load::Connections {
                    connections: self.count("connections", self.connections)?,
                })
            }
            "users" => {
                self.no("connections", self.connections.is_some())?;
                self.no_rate()?;
                self.users()
            }
            "rate" => {
                self.no_users()?;
                let rate = self.positive("rate", self.rate)?;
                Ok(Load::Rate {
                    rate,
                    rate_to: self.positive("rate_to", Some(self.rate_to.unwrap_or(rate)))?,
                    arrivals: self.arrivals.unwrap_or_default(),
                    connections: self
                        .count("connections", Some(self.connections.unwrap_or(256)))?,
                })
            }
            kind => Err(format!(
                "stage {:?}: kind {kind:?} is none of connections, users, rate",
                self.name
            )),
        }
    }

    fn users(&self) -> Result<Load, String> {
        let users_from = match self.users_from {
            None | Some(0) => 0,
            from => self.count("users_from", from)?,
        };
        let users = match self.users {
            Some(0) if users_from > 0 => 0,
            users => self.count("users", users)?,
        };
        let all_at_once = f64::from(users.max(users_from));
        Ok(Load::Users {
            users_from,
            users,
            spawn_rate: self
                .positive("spawn_rate", Some(self.spawn_rate.unwrap_or(all_at_once)))?,
            wait: self.wait()?,
        })
    }

    fn reuse(&self) -> Result<Reuse, String> {
        let complain = |why: &str| Err(format!("stage {:?}: {why}", self.name));
        match (self.reuse, &self.connection_lifetime) {
            (Some(WrittenReuse::Rotate), Some(Text(lifetime))) if !lifetime.is_zero() => {
                Ok(Reuse::Rotate(*lifetime))
            }
            (Some(WrittenReuse::Rotate), _) => {
                complain("reuse = \"rotate\" needs a connection_lifetime above 0, like \"30s\"")
            }
            (_, Some(_)) => complain(
                "connection_lifetime has no meaning without reuse = \"rotate\": add it, or leave both out",
            ),
            (Some(WrittenReuse::Fresh), None) => Ok(Reuse::Fresh),
            (Some(WrittenReuse::Keep) | None, None) => Ok(Reuse::Keep),
        }
    }

    fn no_users(&self) -> Result<(), String> {
        self.no("users", self.users.is_some())?;
        self.no("users_from", self.users_from.is_some())?;
        self.no("spawn_rate", self.spawn_rate.is_some())?;
        self.no("wait", self.wait.is_some())
    }

    fn no_rate(&self) -> Result<(), String> {
        self.no("rate", self.rate.is_some())?;
        self.no("rate_to", self.rate_to.is_some())?;
        self.no("arrivals", self.arrivals.is_some())
    }

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
