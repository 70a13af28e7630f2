//! What the command line changes in a plan.

use super::{Http, Load, Plan, Reuse, Stage, Threshold, Wait};
use anyhow::{Result, ensure};
use std::time::Duration;

/// Changes to a plan; empty ones change nothing.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// One closed stage per number of connections.
    pub connections: Vec<u32>,
    /// One closed stage per number of users.
    pub users: Vec<u32>,
    /// Users spawned per second; all at once when absent.
    pub spawn_rate: Option<f64>,
    /// One open stage per rate.
    pub rate: Vec<f64>,
    /// Duration of every stage, or of every probe of a search.
    pub duration: Option<Duration>,
    /// Factor on the duration of every stage, and on what happens within it.
    pub scale_time: Option<f64>,
    /// Further thresholds.
    pub thresholds: Vec<Threshold>,
    /// Break nothing: the plan without its faults.
    pub no_faults: bool,
    /// Speak HTTP/2.
    pub http2: bool,
    /// Watch the cluster in this namespace.
    pub namespace: Option<String>,
    /// Seed.
    pub seed: Option<u64>,
}

impl Overrides {
    /// The plan with the changes made.
    ///
    /// # Errors
    /// When the changed plan is not valid.
    pub fn apply(self, mut plan: Plan) -> Result<Plan> {
        let duration = self.duration.unwrap_or(Duration::from_secs(10));
        let closed = self
            .connections
            .iter()
            .map(|&connections| Load::Connections { connections });
        let users = self.users.iter().map(|&users| Load::Users {
            users_from: 0,
            users,
            spawn_rate: self.spawn_rate.unwrap_or(f64::from(users)),
            wait: Wait::Constant(Duration::from_secs(1)),
        });
        let open = self.rate.iter().map(|&rate| Load::rate(rate, 256));
        let stages: Vec<Stage> = closed
            .chain(users)
            .chain(open)
            .map(|load| Stage {
                name: format!("{}-{}", load.kind(), load.size()),
                duration,
                load,
                reuse: Reuse::Keep,
            })
            .collect();
        if self.no_faults {
            plan.faults.clear();
        }
        if !stages.is_empty() {
            plan.thresholds.retain(|t| t.stage.is_none());
            plan.faults.retain(|fault| fault.stage.is_none());
            plan.stages = stages;
            plan.search = None;
        } else if let Some(duration) = self.duration {
            if let Some(search) = &mut plan.search {
                search.probe = duration;
            }
            plan.stages
                .iter_mut()
                .for_each(|stage| stage.duration = duration);
        }
        if let Some(factor) = self.scale_time {
            ensure!(
                factor > 0.0 && factor <= 1000.0,
                "--scale-time {factor} is not a factor above 0 and at most 1000: 0.1 makes each stage ten times shorter"
            );
            plan.stages
                .iter_mut()
                .for_each(|stage| stage.scale_time(factor));
            for fault in &mut plan.faults {
                fault.scale_time(factor);
            }
            if let Some(search) = &mut plan.search {
                search.scale_time(factor);
            }
        }
        if self.http2 {
            plan.request.http = Http::Two;
        }
        if let Some(namespace) = self.namespace {
            plan.cluster.get_or_insert_default().namespace = namespace;
        }
        plan.thresholds.extend(self.thresholds);
        plan.seed = self.seed.or(plan.seed);
        plan.check()?;
        // What was typed goes through the same checks as what was written in a file.
        let checked = Plan::parse(&plan.to_toml()?, "the command line")?;
        ensure!(
            checked == plan,
            "the command line does not survive being written to plan.toml"
        );
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_replaced_and_checked() {
        let plan = Plan::named("quick").unwrap();
        let changed = Overrides {
            connections: vec![10, 50],
            rate: vec![500.0],
            ..Overrides::default()
        }
        .apply(plan.clone())
        .unwrap();
        let names: Vec<_> = changed.stages.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["connections-10", "connections-50", "rate-500"]);

        let longer = Overrides {
            duration: Some(Duration::from_secs(60)),
            ..Overrides::default()
        }
        .apply(plan.clone())
        .unwrap();
        assert_eq!(longer.duration(), Duration::from_secs(180));

        let shorter = Overrides {
            scale_time: Some(0.5),
            ..Overrides::default()
        }
        .apply(plan.clone())
        .unwrap();
        assert_eq!(shorter.duration(), plan.duration() / 2);

        let other = Overrides {
            http2: true,
            ..Overrides::default()
        }
        .apply(plan.clone())
        .unwrap();
        assert_eq!(other.request.http, Http::Two);

        let watched = Overrides {
            namespace: Some("iris-2".to_owned()),
            ..Overrides::default()
        }
        .apply(plan.clone())
        .unwrap();
        let cluster = watched.cluster.unwrap();
        assert_eq!(cluster.namespace, "iris-2");
        assert_eq!(cluster.service, "iris-prediction-api-service");

        for wrong in [
            Overrides {
                namespace: Some(String::new()),
                ..Overrides::default()
            },
            Overrides {
                scale_time: Some(0.0),
                ..Overrides::default()
            },
            Overrides {
                scale_time: Some(f64::NAN),
                ..Overrides::default()
            },
            Overrides {
                connections: vec![0],
                ..Overrides::default()
            },
            Overrides {
                connections: vec![10, 10],
                ..Overrides::default()
            },
            Overrides {
                rate: vec![-1.0],
                ..Overrides::default()
            },
            Overrides {
                duration: Some(Duration::ZERO),
                ..Overrides::default()
            },
            Overrides {
                thresholds: vec!["nowhere: p99<1s".parse().unwrap()],
                ..Overrides::default()
            },
        ] {
            assert!(wrong.clone().apply(plan.clone()).is_err(), "{wrong:?}");
        }
    }
}
