//! The spans that the trace of a request must have, and how long traces may take.

use super::duration;
use anyhow::ensure;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::collections::BTreeSet;
use std::time::Duration;

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
    #[serde(deserialize_with = "checked")]
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

/// Most different spans that the recorder can follow: it has a word of 16 bits for each request.
pub(super) const MOST_SPANS: usize = 16;

/// Takes spans in, so that a complaint names their line.
pub(super) fn checked<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<ExpectedSpan>, D::Error> {
    let spans = Vec::<ExpectedSpan>::deserialize(deserializer)?;
    check(&spans).map_err(de::Error::custom)?;
    Ok(spans)
}

/// Holds what a single span can not: names that refer to each other.
///
/// # Errors
/// When a name is taken twice or refers to nothing.
pub(super) fn check(spans: &[ExpectedSpan]) -> anyhow::Result<()> {
    ensure!(
        spans.len() <= MOST_SPANS,
        "spans: at most {MOST_SPANS} spans can be followed"
    );
    let names: BTreeSet<&str> = spans.iter().map(|s| s.name.as_str()).collect();
    ensure!(
        names.len() == spans.len(),
        "spans: two spans have the same name"
    );
    for span in spans {
        if let Some(parent) = &span.parent {
            ensure!(
                names.contains(parent.as_str()),
                "spans: the parent {parent:?} of {:?} is not expected itself",
                span.name
            );
            ensure!(*parent != span.name, "spans: {parent:?} is its own parent");
        }
    }
    if let Some(first) = spans.first() {
        ensure!(
            first.parent.is_none(),
            "spans: the first span is the root and has no parent"
        );
    }
    Ok(())
}
