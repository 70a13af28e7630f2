//! A task: one kind of request among several, how often it is made, and what its trace must hold.

use super::{
    Cluster, ExpectedSpan, Fault, Generator, Http, Plan, Search, Stage, Threshold, Traces,
    duration, request, span,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// One kind of request. Each exchange does one task, chosen at random by weight, from the plan's seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Unique in the plan; figures are given under it.
    pub name: String,
    /// How often it is done, in proportion to the other tasks' weights.
    #[serde(default = "one", deserialize_with = "weight")]
    pub weight: u32,
    /// HTTP method.
    #[serde(default = "get", deserialize_with = "request::method")]
    pub method: String,
    /// Path and query.
    #[serde(deserialize_with = "request::path")]
    pub path: String,
    /// Headers beside `host`, `content-length`, `traceparent`, which the generator sets.
    #[serde(default, deserialize_with = "request::headers")]
    pub headers: BTreeMap<String, String>,
    /// Bodies, taken in turn by sequence number; one empty body for none.
    #[serde(default = "no_body", deserialize_with = "request::bodies")]
    pub bodies: Vec<String>,
    /// The spans of its trace, root first, where they are others than `traces.spans`. An empty list: its
    /// traces are not judged.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "spans"
    )]
    pub spans: Option<Vec<ExpectedSpan>>,
}

fn one() -> u32 {
    1
}

fn get() -> String {
    "GET".to_owned()
}

fn no_body() -> Vec<String> {
    vec![String::new()]
}

fn weight<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        weight @ 1..=1_000_000 => Ok(weight),
        other => Err(serde::de::Error::custom(format!(
            "weight = {other} is not between 1 and 1000000: leave out a task that is not to be done"
        ))),
    }
}

fn spans<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<ExpectedSpan>>, D::Error> {
    span::checked(deserializer).map(Some)
}

/// Most tasks of a plan: a recorded exchange has a byte for its task's number, and the recorder a word of bits.
pub(super) const MOST_TASKS: usize = 64;

impl Task {
    fn spans(&self) -> Option<&[ExpectedSpan]> {
        self.spans.as_deref()
    }
}

impl Plan {
    /// What exchanges do: the plan's tasks, or `[request]` as the only one.
    pub fn all_tasks(&self) -> Vec<Task> {
        if !self.tasks.is_empty() {
            return self.tasks.clone();
        }
        let request = &self.request;
        vec![Task {
            name: format!("{} {}", request.method, request.path),
            weight: 1,
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            bodies: request.bodies.clone(),
            spans: None,
        }]
    }

    /// For each task, the spans that its trace must hold.
    pub fn spans_by_task(&self) -> Vec<&[ExpectedSpan]> {
        if self.tasks.is_empty() {
            return vec![&self.traces.spans];
        }
        let of = |task| Task::spans(task).unwrap_or(&self.traces.spans);
        self.tasks.iter().map(of).collect()
    }

    /// For each task, the name of the verifier's own span of it: method and path, without the query.
    pub fn client_span_names(&self) -> Vec<String> {
        let name = |task: &Task| {
            let path = task.path.split('?').next().unwrap_or_default();
            format!("{} {path}", task.method)
        };
        self.all_tasks().iter().map(name).collect()
    }

    /// Names of all expected spans, each once, in the order of the tasks that expect them first.
    pub fn span_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for span in self.spans_by_task().into_iter().flatten() {
            if !names.contains(&span.name.as_str()) {
                names.push(&span.name);
            }
        }
        names
    }
}

/// A plan with tasks as it is written: of `[request]`, only what is of all of them.
#[derive(Serialize)]
pub(super) struct WithTasks<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    thresholds: &'a [Threshold],
    request: OfAllTasks,
    generator: &'a Generator,
    traces: &'a Traces,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a Cluster>,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<&'a Search>,
    #[serde(skip_serializing_if = "<[Stage]>::is_empty")]
    stage: &'a [Stage],
    task: &'a [Task],
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    fault: &'a [Fault],
}

#[derive(Serialize)]
struct OfAllTasks {
    #[serde(with = "duration")]
    timeout: Duration,
    http: Http,
}

impl<'a> From<&'a Plan> for WithTasks<'a> {
    fn from(plan: &'a Plan) -> WithTasks<'a> {
        WithTasks {
            name: &plan.name,
            description: &plan.description,
            seed: plan.seed,
            thresholds: &plan.thresholds,
            request: OfAllTasks {
                timeout: plan.request.timeout,
                http: plan.request.http,
            },
            generator: &plan.generator,
            traces: &plan.traces,
            cluster: plan.cluster.as_ref(),
            search: plan.search.as_ref(),
            stage: &plan.stages,
            task: &plan.tasks,
            fault: &plan.faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: &str =
        "[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nduration = '1s'\n";

    #[test]
    fn tasks_survive_being_written_and_expect_their_own_spans() {
        let text = format!(
            "name = 'x'\n[request]\ntimeout = '2s'\nhttp = '2'\n{STAGE}\
             [[task]]\nname = 'predict'\nweight = 9\nmethod = 'POST'\npath = '/predict'\nbodies = ['{{}}']\n\
             [[task]]\nname = 'health'\npath = '/healthz'\nspans = [{{ name = 'GET /healthz', kind = 'server' }}]\n"
        );
        let plan = Plan::parse(&text, "x").unwrap();
        let written = plan.to_toml().unwrap();
        assert_eq!(written.matches("path = ").count(), 2, "{written}");
        assert_eq!(Plan::parse(&written, "written").unwrap(), plan);
        let spans = plan.spans_by_task();
        assert_eq!(spans[0].len(), 3);
        assert_eq!(spans[1][0].name, "GET /healthz");
        assert_eq!(
            plan.span_names(),
            [
                "POST /predict",
                "data_preparation",
                "model_inference",
                "GET /healthz"
            ]
        );
        assert_eq!(plan.all_tasks()[1].weight, 1);
    }

    #[test]
    fn complaints_name_the_line_of_the_field() {
        for (task, line, why) in [
            ("name = 'a'", "line 7", "missing field `path`"),
            ("name = 'a'\npath = 'b'", "line 9", "must start with '/'"),
            ("name = 'a'\npath = '/'\nweight = 0", "line 10", "leave out"),
            (
                "name = 'a'\npath = '/'\nmethod = 'GE T'",
                "line 10",
                "not an HTTP method",
            ),
            (
                "name = 'a'\npath = '/'\nspans = [{ name = 'x', parent = 'y' }]",
                "line 10",
                "is not expected itself",
            ),
            (
                "name = 'a'\npath = '/'\nheaders = { connection = 'close' }",
                "line 10",
                "sets this header itself",
            ),
        ] {
            let text = format!("name = 'x'\n{STAGE}[[task]]\n{task}\n");
            let error = Plan::parse(&text, "x").unwrap_err().to_string();
            assert!(
                error.contains(line) && error.contains(why),
                "{task}\n{error}"
            );
        }
        let twice = format!(
            "name = 'x'\n{STAGE}[[task]]\nname = 'a'\npath = '/'\n[[task]]\nname = 'a'\npath = '/b'\n"
        );
        let both = format!(
            "name = 'x'\n{STAGE}[request]\npath = '/b'\n[[task]]\nname = 'a'\npath = '/'\n"
        );
        for (text, why) in [
            (twice, "two tasks are named"),
            (both, "only request.timeout"),
            (
                format!(
                    "name = 'x'\n[request]\nhttp = '2'\n{STAGE}[[task]]\nname = 'a'\npath = '/'\nheaders = {{ Upgrade = 'h2c' }}\n"
                ),
                "a: headers.Upgrade: there is no such header in HTTP/2",
            ),
        ] {
            let error = Plan::parse(&text, "x").unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
