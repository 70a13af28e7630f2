//! From a stage to what stands in a TOML file, every default filled in.

use super::{Text, Written, WrittenReuse, WrittenWait};
use crate::plan::{Load, Reuse, Stage, Wait};

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
            Load::Rate {
                rate,
                rate_to,
                arrivals,
                connections,
            } => {
                (w.rate, w.connections) = (Some(rate), Some(connections));
                w.arrivals = Some(arrivals);
                // An even rate is written once, so that who changes it need not change it twice.
                w.rate_to = (rate_to != rate).then_some(rate_to);
            }
            Load::Users {
                users_from,
                users,
                spawn_rate,
                wait,
            } => {
                (w.users_from, w.users) = (Some(users_from), Some(users));
                w.spawn_rate = Some(spawn_rate);
                w.wait = Some(match wait {
                    Wait::Constant(pause) => WrittenWait::Constant(Text(pause)),
                    Wait::Between(least, most) => WrittenWait::Between([Text(least), Text(most)]),
                    Wait::ConstantThroughput(rate) => WrittenWait::ConstantThroughput(rate),
                });
            }
        }
        (w.reuse, w.connection_lifetime) = match stage.reuse {
            Reuse::Keep => (Some(WrittenReuse::Keep), None),
            Reuse::Fresh => (Some(WrittenReuse::Fresh), None),
            Reuse::Rotate(lifetime) => (Some(WrittenReuse::Rotate), Some(Text(lifetime))),
        };
        w
    }
}
