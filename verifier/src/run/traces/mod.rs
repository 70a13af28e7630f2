//! Traces come in: from the wire to span rows of the run.

mod otlp;

mod answer;
mod grpc;
mod http;

mod body;
mod refusal;

mod intake;
mod texts;

mod decode;
mod wire;

pub use decode::{RawSpan, walk};
pub use intake::{Intake, NotTaken, Taken};
pub use otlp::OtlpReceiver;
pub use wire::Malformed;

use crate::plan::{On, Plan};
use crate::record::Expected;

/// The plan's expected spans, as the recorder follows them.
pub fn expected(plan: &Plan) -> Vec<Expected> {
    let follow = |span: &crate::plan::ExpectedSpan| Expected {
        name: span.name.clone(),
        of_every_answer: span.on == On::Answered,
    };
    plan.traces.spans.iter().map(follow).collect()
}
