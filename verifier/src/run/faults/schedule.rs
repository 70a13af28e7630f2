//! When a fault is due: the moment by plan and what is seen of the run in, "later", "now" or "not any more" out.

use crate::plan::{Condition, Fault, Plan, Replicas};
use crate::record::StageNow;

/// What is seen of the run at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// On the run's clock.
    pub(super) now_ns: u64,
    /// The stage whose load began last.
    pub(super) stage: Option<StageNow>,
    /// Replicas desired and ready, as far as they are known.
    pub(super) replicas: (Option<u64>, Option<u64>),
}

/// Whether a fault's moment has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Not yet.
    Later,
    /// Do it.
    Now,
    /// It will not come any more; why, for a person.
    Missed(String),
}

/// A fault's moment.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    stage: u16,
    stage_name: String,
    stage_ns: u64,
    at_ns: u64,
    when: Option<Condition>,
}

impl Moment {
    /// By plan; `None` for a stage that it does not have, which no checked plan names.
    pub(super) fn of(fault: &Fault, plan: &Plan) -> Option<Moment> {
        let index = match &fault.stage {
            None => 0,
            Some(name) => plan.stages.iter().position(|stage| stage.name == *name)?,
        };
        let stage = plan.stages.get(index)?;
        Some(Moment {
            stage: u16::try_from(index).ok()?,
            stage_name: stage.name.clone(),
            stage_ns: u64::try_from(stage.duration.as_nanos()).ok()?,
            at_ns: u64::try_from(fault.at.as_nanos()).ok()?,
            when: fault.when,
        })
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let at = std::time::Duration::from_nanos(self.at_ns);
        let at = crate::plan::format_duration(at);
        match self.when {
            None => format!("{at} into stage {:?}", self.stage_name),
            Some(when) => format!(
                "{at} into stage {:?}, when {when} holds there",
                self.stage_name
            ),
        }
    }

    /// Whether it has come.
    pub(super) fn due(&self, seen: &Seen) -> Due {
        let Some(now) = seen.stage.filter(|now| now.stage >= self.stage) else {
            return Due::Later;
        };
        let into_ns = seen.now_ns.saturating_sub(now.since_ns);
        if now.stage > self.stage || into_ns >= self.stage_ns {
            return Due::Missed(self.missed(seen));
        }
        let (desired, ready) = seen.replicas;
        let holds = self.when.is_none_or(|when| when.holds(desired, ready));
        if into_ns >= self.at_ns && holds {
            Due::Now
        } else {
            Due::Later
        }
    }

    fn missed(&self, seen: &Seen) -> String {
        let stage = &self.stage_name;
        let Some(when) = self.when else {
            return format!("not done: stage {stage:?} was over before its turn came");
        };
        let (desired, ready) = seen.replicas;
        let count = match when.figure {
            Replicas::Desired => desired,
            Replicas::Ready => ready,
        };
        let last = count.map_or_else(
            || "the count is not known".to_owned(),
            |count| format!("at its end there were {count}"),
        );
        format!("not done: {when} did not hold until stage {stage:?} ended ({last})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
name = "x"
[cluster]
[[stage]]
name = "a"
kind = "connections"
connections = 1
duration = "10s"
[[stage]]
name = "b"
kind = "connections"
connections = 1
duration = "20s"
[[fault]]
name = "plain"
action = "delete_pod"
stage = "b"
at = "5s"
[[fault]]
name = "waits"
action = "delete_pod"
stage = "b"
when = "ready>=3"
[[fault]]
name = "first"
action = "delete_pod"
"#;

    fn moment(index: usize) -> Moment {
        let plan = Plan::parse(PLAN, "x").unwrap();
        Moment::of(&plan.faults[index], &plan).unwrap()
    }

    fn seen(second: u64, stage: Option<(u16, u64)>, ready: Option<u64>) -> Seen {
        const SECOND: u64 = 1_000_000_000;
        Seen {
            now_ns: second * SECOND,
            stage: stage.map(|(stage, since)| StageNow {
                stage,
                since_ns: since * SECOND,
            }),
            replicas: (None, ready),
        }
    }

    #[test]
    fn a_fault_comes_at_its_moment_of_its_stage() {
        let moment = moment(0);
        for early in [
            seen(3, None, None),
            seen(8, Some((0, 2)), None),
            seen(16, Some((1, 12)), None),
        ] {
            assert_eq!(moment.due(&early), Due::Later, "{early:?}");
        }
        assert_eq!(moment.due(&seen(17, Some((1, 12)), None)), Due::Now);
        let Due::Missed(why) = moment.due(&seen(32, Some((1, 12)), None)) else {
            panic!("the stage is over");
        };
        assert!(why.contains("stage \"b\" was over"), "{why}");
    }

    #[test]
    fn without_a_stage_it_is_of_the_first() {
        assert_eq!(moment(2).due(&seen(2, None, None)), Due::Later);
        assert_eq!(moment(2).due(&seen(2, Some((0, 2)), None)), Due::Now);
        let late = moment(2).due(&seen(20, Some((1, 12)), None));
        assert!(matches!(late, Due::Missed(_)), "{late:?}");
    }

    #[test]
    fn it_waits_for_its_condition_until_its_stage_ends() {
        let moment = moment(1);
        for (ready, due) in [
            (None, Due::Later),
            (Some(2), Due::Later),
            (Some(3), Due::Now),
        ] {
            assert_eq!(moment.due(&seen(13, Some((1, 12)), ready)), due);
        }
        for (ready, why) in [(Some(2), "there were 2"), (None, "not known")] {
            let Due::Missed(said) = moment.due(&seen(32, Some((1, 12)), ready)) else {
                panic!("the stage is over");
            };
            assert!(said.contains("ready>=3") && said.contains(why), "{said}");
        }
    }
}
