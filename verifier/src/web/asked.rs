//! What somebody asks for in the start form, checked as the command line would be, and the arguments that it comes to.

use super::plans::Plans;
use crate::plan::{Overrides, Plan, parse_duration};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::ffi::OsString;

/// Of a run from a page nobody needs more.
const MOST_STAGES: usize = 100;

/// The form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) plan: Option<String>,
    pub(super) host: Option<String>,
    pub(super) users: Option<Vec<u32>>,
    pub(super) spawn_rate: Option<f64>,
    pub(super) connections: Option<Vec<u32>>,
    pub(super) rate: Option<Vec<f64>>,
    pub(super) run_time: Option<String>,
    pub(super) replicas: Option<u16>,
    pub(super) scale_time: Option<f64>,
}

impl Asked {
    /// The plan as it would be run.
    ///
    /// # Errors
    /// In words, when something of it can not be.
    pub(super) fn plan(&self, plans: &Plans) -> Result<Plan> {
        let name = self.plan.as_deref().unwrap_or("quick");
        let plan = plans.named(name)?;
        for (what, count) in [
            ("users", self.users.as_ref().map(Vec::len)),
            ("connections", self.connections.as_ref().map(Vec::len)),
            ("rate", self.rate.as_ref().map(Vec::len)),
        ] {
            ensure!(
                count.unwrap_or(0) <= MOST_STAGES,
                "{what}: at most {MOST_STAGES} stages"
            );
        }
        ensure!(
            self.spawn_rate.is_none() || self.users.as_ref().is_some_and(|users| !users.is_empty()),
            "spawn_rate: only with users, which are spawned at that rate"
        );
        if let Some(host) = &self.host {
            check_host(host)?;
            ensure!(
                self.replicas.is_none(),
                "replicas: they are of the service that is started here: leave out host, or replicas"
            );
        }
        ensure!(
            self.replicas
                .is_none_or(|replicas| (1..=64).contains(&replicas)),
            "replicas: from 1 to 64"
        );
        let duration = { self.run_time.as_deref() }.map(parse_duration).transpose();
        let overrides = Overrides {
            connections: self.connections.clone().unwrap_or_default(),
            users: self.users.clone().unwrap_or_default(),
            spawn_rate: self.spawn_rate,
            rate: self.rate.clone().unwrap_or_default(),
            duration: duration.context("run_time")?,
            scale_time: self.scale_time,
            ..Overrides::default()
        };
        overrides.apply(plan)
    }

    /// As arguments of `verifier run`; the plan as `plans` knows it.
    pub(super) fn args(&self, plans: &Plans) -> Vec<OsString> {
        let name = self.plan.as_deref().unwrap_or("quick");
        let mut args = vec![plans.argument(name)];
        let mut push = |flag: &str, value: Option<String>| {
            args.extend(value.map(|value| OsString::from(format!("--{flag}={value}"))));
        };
        push("url", self.host.clone());
        push("users", list(self.users.as_deref()));
        push("spawn-rate", self.spawn_rate.map(|rate| rate.to_string()));
        push("connections", list(self.connections.as_deref()));
        push("rate", list(self.rate.as_deref()));
        push("duration", self.run_time.clone());
        push(
            "replicas",
            self.replicas.map(|replicas| replicas.to_string()),
        );
        push(
            "scale-time",
            self.scale_time.map(|factor| factor.to_string()),
        );
        args
    }
}

fn list<T: ToString>(values: Option<&[T]>) -> Option<String> {
    let values: Vec<String> = values?.iter().map(ToString::to_string).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn check_host(host: &str) -> Result<()> {
    let like = || format!("host {host:?}: write it like http://10.0.0.7:8080");
    let uri: http::Uri = host.parse().with_context(like)?;
    ensure!(matches!(uri.scheme_str(), Some("http" | "https")), like());
    ensure!(
        uri.authority()
            .is_some_and(|authority| !authority.host().is_empty()),
        like()
    );
    ensure!(
        uri.path().trim_matches('/').is_empty() && uri.query().is_none(),
        "host {host}: the path belongs in the plan, as request.path"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(json: &str) -> Asked {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_form_as_arguments() {
        let plans = Plans::default();
        let form = asked(
            r#"{"plan":"quick","host":"http://10.0.0.7:8080","users":[10,20],"spawn_rate":2.5,"connections":null,"rate":null,
                "run_time":"30s","replicas":null,"scale_time":null}"#,
        );
        let plan = form.plan(&plans).unwrap();
        assert_eq!(plan.stages.len(), 2);
        assert_eq!(
            form.args(&plans),
            [
                "quick",
                "--url=http://10.0.0.7:8080",
                "--users=10,20",
                "--spawn-rate=2.5",
                "--duration=30s"
            ]
        );
        let plain = asked("{}");
        assert_eq!(plain.args(&plans), ["quick"]);
        assert_eq!(plain.plan(&plans).unwrap(), Plan::named("quick").unwrap());
    }

    #[test]
    fn what_can_not_be_is_said_in_words() {
        for (json, words) in [
            (r#"{"plan":"nothing"}"#, "no plan \"nothing\""),
            (r#"{"plan":"/etc/passwd"}"#, "no plan \"/etc/passwd\""),
            (r#"{"host":"10.0.0.7"}"#, "write it like"),
            (r#"{"host":"file:///etc/passwd"}"#, "write it like"),
            (r#"{"host":"http://a/predict"}"#, "request.path"),
            (r#"{"host":"http://a","replicas":2}"#, "leave out host"),
            (r#"{"replicas":0}"#, "from 1 to 64"),
            (r#"{"users":[0]}"#, "users"),
            (r#"{"spawn_rate":1}"#, "only with users"),
            (r#"{"run_time":"soon"}"#, "run_time"),
            (r#"{"scale_time":0}"#, "factor above 0"),
        ] {
            let error = format!("{:#}", asked(json).plan(&Plans::default()).unwrap_err());
            assert!(error.contains(words), "{json}: {error}");
        }
        assert!(serde_json::from_str::<Asked>(r#"{"usres":[1]}"#).is_err());
    }
}
