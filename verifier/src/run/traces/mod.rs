//! Traces come in: from the wire to span rows of the run.

mod otlp;

mod reading;
mod source;
mod sources;

mod cloud_trace;
mod collector_books;
mod collector_file;
mod jaeger;
mod tempo;

mod by_id;
mod client;
mod client_spans;
mod slices;
mod stored;

mod answer;
mod grpc;
mod http;

mod body;
mod refusal;

mod intake;
mod texts;

mod decode;
mod json;
mod wire;

pub(in crate::run) use client::Client;
pub use client_spans::{ClientSpans, Exported, OfRun};
pub use decode::{RawSpan, walk};
pub use intake::{Intake, Message, NotTaken, Taken, Wanted};
pub use json::walk_json;
pub use otlp::OtlpReceiver;
pub use reading::{Missing, Reading, Window};
pub use source::Source;
pub use sources::Sources;
pub use wire::Malformed;

use crate::plan::{ExpectedSpan, On, Plan};
use crate::record::Expected;

/// Where a collector on this machine shows its own books.
pub const COLLECTOR: &str = "http://127.0.0.1:8888/metrics";

/// The plan's expected spans, as the recorder follows them.
pub fn expected(plan: &Plan) -> Vec<Expected> {
    let tasks = plan.spans_by_task();
    // Bit i: task i expects the span, and `due` of it.
    let bits = |name: &str, due: &dyn Fn(On) -> bool| {
        let expects = |spans: &&[ExpectedSpan]| spans.iter().any(|s| s.name == name && due(s.on));
        let tasks = tasks.iter().enumerate();
        tasks
            .filter(|(_, spans)| expects(spans))
            .fold(0, |bits, (task, _)| bits | 1 << task)
    };
    let follow = |name: &str| Expected {
        name: name.to_owned(),
        of_answered: bits(name, &|on| on == On::Answered),
        of_ok: bits(name, &|_| true),
    };
    plan.span_names().into_iter().map(follow).collect()
}
