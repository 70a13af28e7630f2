//! BEFORE: a plan says what to do and what must hold. It is parsed once into types that can not be
//! wrong; every complaint names its line.

mod builtin;
mod cluster;
mod duration;
mod fault;
mod load;
mod overrides;
mod request;
pub mod search;
mod span;
mod stage;
mod stage_toml;
mod task;
mod threshold;

pub use builtin::{BUILTIN, builtin};
pub use cluster::Cluster;
pub use duration::{format_duration, parse_duration};
pub use fault::{Action, Condition, Fault, Replicas};
pub use load::{Arrivals, Load, MOST_CONNECTIONS, Reuse, Wait};
pub use overrides::Overrides;
pub use request::{Http, Request};
pub use search::Search;
pub use span::{ExpectedSpan, On, SpanKind, Traces};
pub use stage::Stage;
pub use task::Task;
pub use threshold::{Metric, Operator, Statistic, Threshold};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// What a run does and what must hold for it to pass. The `plan.toml` of a run folder is this with every default filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Short name, used in the run's id.
    pub name: String,
    /// One sentence for a person.
    #[serde(default)]
    pub description: String,
    /// Seed of the run key and of every random choice; random when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What must hold in every stage, beside the checks that always hold.
    #[serde(default = "default_thresholds")]
    pub thresholds: Vec<Threshold>,
    /// The request, where there is only one kind. With tasks, only its timeout and version of HTTP count.
    #[serde(default)]
    pub request: Request,
    /// When the generator itself is unfit to judge by.
    #[serde(default)]
    pub generator: Generator,
    /// What traces are expected.
    #[serde(default)]
    pub traces: Traces,
    /// The Kubernetes objects to watch; absent: no cluster is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Cluster>,
    /// A search instead of stages that are known beforehand: each probe becomes a stage as it is run.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "search::checked"
    )]
    pub search: Option<Search>,
    /// The stages, one after the other.
    #[serde(default, rename = "stage", skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Kinds of requests, where there are several. None: [`Plan::request`] is the only one.
    #[serde(default, rename = "task", skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
    /// What is broken on purpose while the load runs.
    #[serde(default, rename = "fault", skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// Bounds on the load generator's own health; beyond them a stage's latencies are not judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generator {
    /// Longest 99th percentile of the delay between the moment a request could have been sent and its send.
    #[serde(with = "duration")]
    pub max_lag_p99: Duration,
    /// Largest share of a load worker's wall time spent on the CPU; a worker above it was the bottleneck.
    pub max_cpu: f64,
}

impl Default for Generator {
    fn default() -> Generator {
        Generator {
            max_lag_p99: Duration::from_millis(100),
            max_cpu: 0.95,
        }
    }
}

fn default_thresholds() -> Vec<Threshold> {
    // Parsed from constants: `builtin` tests that they parse.
    ["error_rate==0", "coverage==1"]
        .iter()
        .filter_map(|t| t.parse().ok())
        .collect()
}

impl Plan {
    /// Parses a plan; `origin` names it in complaints.
    ///
    /// # Errors
    /// With line, column and the line itself, when the text is no valid plan.
    pub fn parse(text: &str, origin: &str) -> Result<Plan> {
        let plan: Plan = match toml::from_str(text) {
            Ok(plan) => plan,
            Err(error) => bail!("{origin}: {error}"),
        };
        plan.check()
            .map_err(|error| anyhow::anyhow!("{origin}: {error:#}"))?;
        Ok(plan)
    }

    /// The plan as TOML, every default filled in.
    ///
    /// # Errors
    /// Never for a plan that was parsed.
    pub fn to_toml(&self) -> Result<String> {
        Ok(match self.tasks.as_slice() {
            [] => toml::to_string_pretty(self)?,
            _ => toml::to_string_pretty(&task::WithTasks::from(self))?,
        })
    }

    /// Holds what no single field can: names that refer to each other.
    ///
    /// # Errors
    /// When a name is taken twice or refers to nothing.
    pub fn check(&self) -> Result<()> {
        match &self.search {
            None => ensure!(
                !self.stages.is_empty(),
                "a plan needs at least one [[stage]], or a [search]"
            ),
            Some(search) => {
                search.check()?;
                ensure!(
                    self.stages.is_empty(),
                    "a plan with a [search] makes its stages itself: leave out [[stage]], or [search]"
                );
            }
        }
        ensure!(self.stages.len() <= 1000, "a plan has at most 1000 stages");
        self.request.check().context("request")?;
        self.check_tasks()?;
        if let Some(cluster) = &self.cluster {
            cluster.check()?;
        }
        fault::check(self)?;
        let mut names = BTreeSet::new();
        for stage in &self.stages {
            ensure!(
                names.insert(&stage.name),
                "two stages are named {:?}",
                stage.name
            );
        }
        for threshold in &self.thresholds {
            if let Some(stage) = &threshold.stage {
                ensure!(
                    names.contains(stage),
                    "threshold {:?} names no stage of this plan",
                    threshold.text
                );
            }
        }
        span::check(&self.traces.spans).context("traces")?;
        let spans = self.span_names();
        ensure!(
            spans.len() <= span::MOST_SPANS,
            "the tasks expect {} different spans: at most {} can be followed",
            spans.len(),
            span::MOST_SPANS
        );
        for threshold in &self.thresholds {
            if let Metric::Span(name, statistic) = &threshold.metric {
                let text = &threshold.text;
                ensure!(
                    spans.contains(&name.as_str()),
                    "threshold {text:?}: {name:?} is not among traces.spans, nor among a task's"
                );
                ensure!(
                    matches!(
                        statistic,
                        Statistic::Max
                            | Statistic::Percentile {
                                per_mille: 500 | 900 | 990
                            }
                    ),
                    "threshold {text:?}: of spans there are p50, p90, p99 and max"
                );
            }
        }
        ensure!(
            self.generator.max_cpu > 0.0 && self.generator.max_cpu <= 1.0,
            "generator.max_cpu is a share of one CPU, above 0 and at most 1"
        );
        Ok(())
    }

    fn check_tasks(&self) -> Result<()> {
        ensure!(
            self.tasks.len() <= task::MOST_TASKS,
            "a plan has at most {} tasks",
            task::MOST_TASKS
        );
        let mut names = BTreeSet::new();
        for task in &self.tasks {
            ensure!(
                names.insert(&task.name),
                "two tasks are named {:?}",
                task.name
            );
        }
        let of_all_tasks = Request {
            timeout: self.request.timeout,
            http: self.request.http,
            ..Request::default()
        };
        ensure!(
            self.tasks.is_empty() || self.request == of_all_tasks,
            "request: beside [[task]] only request.timeout and request.http count: make a [[task]] of the rest"
        );
        if self.request.http == Http::Two {
            for task in self.all_tasks() {
                request::check_for_http2(&task.method, &task.path, &task.headers)
                    .context(task.name)?;
            }
        }
        Ok(())
    }

    /// How long the load takes by plan.
    pub fn duration(&self) -> Duration {
        self.stages.iter().map(|s| s.duration).sum()
    }
}
