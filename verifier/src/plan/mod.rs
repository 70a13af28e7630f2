//! BEFORE: a plan says what to do and what must hold. It is parsed once into types that can not be
//! wrong; every complaint names its line.

mod builtin;
mod duration;
mod load;
mod overrides;
mod stage;
mod stage_toml;
mod threshold;

pub use builtin::{BUILTIN, builtin};
pub use duration::{format_duration, parse_duration};
pub use load::{Arrivals, Load, Reuse, Wait};
pub use overrides::Overrides;
pub use stage::Stage;
pub use threshold::{Metric, Operator, Statistic, Threshold};

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The request.
    #[serde(default)]
    pub request: Request,
    /// When the generator itself is unfit to judge by.
    #[serde(default)]
    pub generator: Generator,
    /// What traces are expected.
    #[serde(default)]
    pub traces: Traces,
    /// The stages, one after the other.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

/// The request that every exchange makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers beside `host`, `content-length`, `traceparent`, which the generator sets.
    pub headers: BTreeMap<String, String>,
    /// Bodies, taken in turn by sequence number; one empty body for none.
    pub bodies: Vec<String>,
    /// An exchange without its whole answer by then (from its send) ends as a timeout.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for Request {
    fn default() -> Request {
        // One flower of each class, so that every class is predicted.
        let bodies = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.3, 3.3, 6.0, 2.5]].map(|[a, b, c, d]| {
            format!(r#"{{"sepal_length":{a:?},"sepal_width":{b:?},"petal_length":{c:?},"petal_width":{d:?}}}"#)
        });
        Request {
            method: "POST".into(),
            path: "/predict".into(),
            headers: BTreeMap::from([("content-type".into(), "application/json".into())]),
            bodies: bodies.into(),
            timeout: Duration::from_secs(5),
        }
    }
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

/// What traces are expected, and how long they may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Traces {
    /// How long the run waits, after the load, for traces that are still on their way.
    #[serde(with = "duration")]
    pub drain: Duration,
    /// A trace whose last span arrives longer than this after its exchange ended is counted late (and complete).
    #[serde(with = "duration")]
    pub late_after: Duration,
    /// The spans of one request's trace, root first. None: traces are not judged.
    pub spans: Vec<ExpectedSpan>,
}

impl Default for Traces {
    fn default() -> Traces {
        let child = |name: &str| ExpectedSpan {
            name: name.into(),
            kind: SpanKind::Internal,
            parent: Some("POST /predict".into()),
            on: On::Ok,
        };
        Traces {
            drain: Duration::from_secs(15),
            late_after: Duration::from_secs(5),
            spans: vec![
                ExpectedSpan {
                    name: "POST /predict".into(),
                    kind: SpanKind::Server,
                    parent: None,
                    on: On::Answered,
                },
                child("data_preparation"),
                child("model_inference"),
            ],
        }
    }
}

/// One span that the trace of a request must have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedSpan {
    /// Its name, exactly.
    pub name: String,
    /// Its kind.
    #[serde(default)]
    pub kind: SpanKind,
    /// Name of its parent among the expected; absent: its parent is the client's span, from `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Of which exchanges it is expected.
    #[serde(default)]
    pub on: On,
}

/// Span kinds, as OpenTelemetry names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// Inside one process.
    #[default]
    Internal,
    /// Handles a remote request.
    Server,
    /// Makes a remote request.
    Client,
    /// Sends a message.
    Producer,
    /// Receives a message.
    Consumer,
}

impl SpanKind {
    /// The code on the OTLP wire (`opentelemetry.proto.trace.v1.Span.SpanKind`).
    pub fn code(self) -> u8 {
        self as u8 + 1
    }
}

/// Of which exchanges a span is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// Of those answered with success.
    #[default]
    Ok,
    /// Of every one that got an answer.
    Answered,
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
        Ok(toml::to_string_pretty(self)?)
    }

    /// Holds what no single field can: names that refer to each other.
    ///
    /// # Errors
    /// When a name is taken twice or refers to nothing.
    pub fn check(&self) -> Result<()> {
        ensure!(
            !self.stages.is_empty(),
            "a plan needs at least one [[stage]]"
        );
        ensure!(self.stages.len() <= 1000, "a plan has at most 1000 stages");
        ensure!(
            !self.request.bodies.is_empty(),
            "request.bodies needs at least one body; \"\" for none"
        );
        ensure!(
            self.request.path.starts_with('/'),
            "request.path must start with '/'"
        );
        let token = |s: &str| {
            !s.is_empty()
                && s.bytes()
                    .all(|b| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b))
        };
        ensure!(
            token(&self.request.method),
            "request.method {:?} is not an HTTP method",
            self.request.method
        );
        ensure!(
            self.request.path.bytes().all(|b| b.is_ascii_graphic()),
            "request.path {:?} has a space, a control character or a letter that is not ASCII: percent-encode it",
            self.request.path
        );
        for (name, value) in &self.request.headers {
            ensure!(
                token(name),
                "request.headers: {name:?} is not a header name"
            );
            ensure!(
                value.bytes().all(|b| b == b'\t' || (32..127).contains(&b)),
                "request.headers.{name}: the value has a character that a header can not carry"
            );
            ensure!(
                ![
                    "content-length",
                    "transfer-encoding",
                    "traceparent",
                    "connection"
                ]
                .contains(&name.to_ascii_lowercase().as_str()),
                "request.headers.{name}: the load generator sets this header itself"
            );
        }
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
        ensure!(
            self.traces.spans.len() <= 16,
            "traces.spans: at most 16 spans can be followed"
        );
        let spans: BTreeSet<&str> = self.traces.spans.iter().map(|s| s.name.as_str()).collect();
        ensure!(
            spans.len() == self.traces.spans.len(),
            "traces.spans: two spans have the same name"
        );
        for span in &self.traces.spans {
            if let Some(parent) = &span.parent {
                ensure!(
                    spans.contains(parent.as_str()),
                    "traces.spans: the parent {parent:?} of {:?} is not expected itself",
                    span.name
                );
                ensure!(
                    *parent != span.name,
                    "traces.spans: {parent:?} is its own parent"
                );
            }
        }
        for threshold in &self.thresholds {
            if let Metric::Span(name, statistic) = &threshold.metric {
                let text = &threshold.text;
                ensure!(
                    spans.contains(name.as_str()),
                    "threshold {text:?}: {name:?} is not among traces.spans"
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
        if let Some(first) = self.traces.spans.first() {
            ensure!(
                first.parent.is_none(),
                "traces.spans: the first span is the root and has no parent"
            );
        }
        ensure!(
            self.generator.max_cpu > 0.0 && self.generator.max_cpu <= 1.0,
            "generator.max_cpu is a share of one CPU, above 0 and at most 1"
        );
        Ok(())
    }

    /// How long the load takes by plan.
    pub fn duration(&self) -> Duration {
        self.stages.iter().map(|s| s.duration).sum()
    }
}
