//! The stages that began, and what the plan wants of each at any moment.

use crate::plan::{Load, Plan};
use crate::verdict::page;
use std::time::Duration;

/// A stage that began.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Begun {
    /// Its number in the plan.
    pub(in super::super) index: usize,
    pub(in super::super) start_ns: u64,
    pub(in super::super) end_ns: Option<u64>,
}

/// A change of users that somebody made while a stage ran.
#[derive(Clone, Copy, Debug)]
struct Changed {
    at_ns: u64,
    index: usize,
    users: f64,
}

/// All of them, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Stages {
    pub(in super::super) begun: Vec<Begun>,
    changed: Vec<Changed>,
}

impl Stages {
    pub(super) fn start(&mut self, index: usize, start_ns: u64) {
        self.begun.push(Begun {
            index,
            start_ns,
            end_ns: None,
        });
    }

    pub(super) fn end(&mut self, index: usize, end_ns: u64) {
        let begun = self.begun.iter_mut().rfind(|begun| begun.index == index);
        if let Some(begun) = begun {
            begun.end_ns = Some(end_ns);
        }
    }

    /// Somebody wants another number of users from now on.
    pub(super) fn change(&mut self, index: usize, at_ns: u64, users: f64) {
        self.changed.push(Changed {
            at_ns,
            index,
            users,
        });
    }

    /// The stage that has begun and not ended.
    pub(in super::super) fn present(&self) -> Option<Begun> {
        let last = self.begun.last().copied();
        last.filter(|begun| begun.end_ns.is_none())
    }

    /// As the page has them.
    pub(super) fn page(&self, plan: &Plan) -> Vec<page::Stage> {
        let begun = self.begun.iter().filter_map(|begun| {
            let stage = plan.stages.get(begun.index)?;
            Some(page::Stage {
                name: stage.name.clone(),
                kind: stage.load.kind().to_owned(),
                size: stage.load.size(),
                start_seconds: begun.start_ns as f64 / 1e9,
                end_seconds: begun.end_ns.map(|ns| ns as f64 / 1e9),
            })
        });
        begun.collect()
    }

    /// Users, or connections of a closed loop, and requests per second of an open one, that are wanted at that moment.
    pub(in super::super) fn wanted(&self, plan: &Plan, at_ns: u64) -> (Option<f64>, Option<f64>) {
        let under_way = self.begun.iter().rfind(|begun| begun.start_ns <= at_ns);
        let Some((begun, stage)) =
            under_way.and_then(|begun| Some((begun, plan.stages.get(begun.index)?)))
        else {
            return (None, None);
        };
        let since = Duration::from_nanos(at_ns - begun.start_ns);
        if begun.end_ns.is_some_and(|end_ns| end_ns < at_ns) || since > stage.duration {
            return (None, None);
        }
        let mut changed = self.changed.iter();
        let changed = changed
            .rfind(|changed| changed.index == begun.index && changed.at_ns <= at_ns)
            .map(|changed| changed.users);
        match stage.load {
            Load::Rate { .. } => (None, stage.rate_at(since)),
            Load::Connections { connections } => (Some(f64::from(connections)), None),
            Load::Users { .. } => (
                Some(changed.unwrap_or_else(|| f64::from(stage.load.users_at(since).unwrap_or(0)))),
                None,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_plan_wants() {
        let plan = Plan::parse(
            r#"
            name = "a"
            [[stage]]
            name = "up"
            kind = "users"
            duration = "10s"
            users = 20
            spawn_rate = 4
            [[stage]]
            name = "open"
            kind = "rate"
            duration = "10s"
            rate = 100
            rate_to = 200
            [[stage]]
            name = "closed"
            kind = "connections"
            duration = "10s"
            connections = 7
            "#,
            "test",
        )
        .unwrap();
        let mut stages = Stages::default();
        let second = |s: f64| (s * 1e9) as u64;
        for (index, from) in [(0, 1.0), (1, 11.0), (2, 21.0)] {
            stages.start(index, second(from));
            stages.end(index, second(from + 10.0));
        }
        let wanted = |at: f64| stages.wanted(&plan, second(at));
        assert_eq!(wanted(0.5), (None, None));
        assert_eq!(wanted(2.0), (Some(5.0), None));
        assert_eq!(wanted(9.0), (Some(20.0), None));
        assert_eq!(wanted(16.0), (None, Some(150.0)));
        assert_eq!(wanted(25.0), (Some(7.0), None));
        assert_eq!(wanted(31.5), (None, None));
        stages.change(0, second(5.0), 30.0);
        assert_eq!(stages.wanted(&plan, second(6.0)), (Some(30.0), None));
        assert_eq!(stages.wanted(&plan, second(2.0)), (Some(5.0), None));
    }
}
