//! The spans of Google Cloud Trace: a `Trace` or a page of them (`ListTracesResponse`) as JSON in, the fields that a span row
//! needs out.
//!
//! Format: cloud.google.com/trace/docs/reference/v1/rest/v1/projects.traces. A span there has no status and no
//! resource: both are read from its labels, where exporters and Google's own agents leave them.

use crate::run::traces::decode::RawSpan;
use crate::run::traces::json::{Number, unhex};
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::collections::HashMap;
use std::time::UNIX_EPOCH;

const HTTP_STATUS: [&str; 3] = [
    "http.response.status_code",
    "/http/status_code",
    "http.status_code",
];
/// Any of them tells of a failure, the first that is there why.
const ERROR_TYPE: [&str; 2] = ["error.type", "/error/name"];
const ERROR_MESSAGE: [&str; 2] = ["/error/message", "otel.status_description"];
/// The pod, else what else tells replicas apart. `g.co/r/..`: the monitored resource, as Google's exporters label it.
const SENDER: [&str; 6] = [
    "k8s.pod.name",
    "g.co/r/k8s_container/pod_name",
    "g.co/r/k8s_pod/pod_name",
    "service.instance.id",
    "g.co/r/generic_task/task_id",
    "service.name",
];
const KIND_INTERNAL: i32 = 1;
const KIND_SERVER: i32 = 2;
const KIND_CLIENT: i32 = 3;
const STATUS_ERROR: i32 = 2;

/// One trace, or a page of them.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    traces: Vec<Trace>,
    #[serde(flatten)]
    trace: Trace,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Trace {
    trace_id: String,
    spans: Vec<Span>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Span {
    span_id: Number,
    parent_span_id: Number,
    name: String,
    kind: Kind,
    #[serde(deserialize_with = "unix_ns")]
    start_time: u64,
    #[serde(deserialize_with = "unix_ns")]
    end_time: u64,
    labels: HashMap<String, String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum Kind {
    #[serde(rename = "RPC_SERVER")]
    Server,
    #[serde(rename = "RPC_CLIENT")]
    Client,
    /// `SPAN_KIND_UNSPECIFIED`, which is not written.
    #[default]
    #[serde(other)]
    Unspecified,
}

/// RFC 3339 in UTC, to the nanosecond.
fn unix_ns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom(format!("{text:?} is no time after 1970 in RFC 3339"));
    let time = humantime::parse_rfc3339(&text).map_err(|_| wrong())?;
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| wrong())?;
    u64::try_from(since.as_nanos()).map_err(|_| wrong())
}

/// Calls `span` as [`crate::run::traces::walk`] does.
///
/// # Errors
/// When the text is no such JSON; nothing has then been given.
pub(in crate::run::traces) fn walk_cloud_trace(
    text: &[u8],
    mut span: impl FnMut(&[u8], &RawSpan<'_>),
) -> Result<(), serde_json::Error> {
    let answer: Answer = serde_json::from_slice(text)?;
    for trace in answer.traces.iter().chain([&answer.trace]) {
        let mut room = [0; 16];
        let trace_id = unhex(trace.trace_id.as_bytes(), &mut room);
        trace.spans.iter().for_each(|s| s.give(trace_id, &mut span));
    }
    Ok(())
}

impl Span {
    fn give(&self, trace_id: &[u8], span: &mut impl FnMut(&[u8], &RawSpan<'_>)) {
        let first = |keys: &[&str]| -> &str {
            let mut found = keys.iter().filter_map(|key| self.labels.get(*key));
            found.find(|text| !text.is_empty()).map_or("", |text| text)
        };
        let http_status = first(&HTTP_STATUS).parse().unwrap_or(0);
        let (error_type, message) = (first(&ERROR_TYPE), first(&ERROR_MESSAGE));
        let failed = http_status >= 500
            || !error_type.is_empty()
            || self.labels.contains_key("/error/message")
            || first(&["otel.status_code"]) == "ERROR";
        let (id, parent) = (self.span_id.0.to_be_bytes(), self.parent_span_id.0);
        let parent = if parent == 0 {
            &[][..]
        } else {
            &parent.to_be_bytes()
        };
        let raw = RawSpan {
            trace_id,
            span_id: &id,
            parent_span_id: parent,
            name: self.name.as_bytes(),
            kind: match self.kind {
                Kind::Server => KIND_SERVER,
                Kind::Client => KIND_CLIENT,
                Kind::Unspecified => KIND_INTERNAL,
            },
            start_unix_ns: self.start_time,
            end_unix_ns: self.end_time,
            status: if failed { STATUS_ERROR } else { 0 },
            status_message: message.as_bytes(),
            http_status,
            error_type: error_type.as_bytes(),
        };
        span(first(&SENDER).as_bytes(), &raw);
    }
}

#[cfg(test)]
mod tests;
