//! What many spans and answers say alike, encoded once, because every request would encode it again.

use super::api;
use crate::model::{CLASS_COUNT, CLASS_NAMES, Model};
use crate::telemetry::{
    Attribute, EncodedAttributes, Kind, SpanContext, SpanRecord, Status, Template, Value,
};

/// Encoded once.
#[derive(Debug)]
pub(super) struct Known {
    /// A single flower that is read.
    pub(super) one_flower: KnownSpan,
    /// A single flower's prediction, by class id; its own attribute is its confidence.
    pub(super) one_prediction: [KnownSpan; CLASS_COUNT],
    /// How an answer about one flower ends.
    pub(super) answer_end: Vec<u8>,
}

impl Known {
    pub(super) fn new(model: &Model) -> Known {
        let size = ("iris.batch.size", Value::Int(1));
        let version = ("iris.model.version", Value::Str(model.version()));
        let mut answer_end = b"},\"model_version\":".to_vec();
        api::put(&model.version(), &mut answer_end);
        answer_end.push(b'}');
        Known {
            one_flower: KnownSpan::new("data_preparation", &[size], &[]),
            one_prediction: CLASS_NAMES.map(|class| {
                let class = ("iris.prediction.class", Value::Str(class));
                let shared = [version, class, size];
                KnownSpan::new("model_inference", &shared, &[confidence(0.0)])
            }),
            answer_end,
        }
    }
}

/// The attribute in which one prediction's span differs from another's.
pub(super) fn confidence(of: f64) -> Attribute<'static> {
    ("iris.prediction.confidence", Value::Double(of))
}

/// A step's span that most requests record alike.
#[derive(Debug)]
pub(super) struct KnownSpan {
    pub(super) name: &'static str,
    /// Its attributes, but for those of its own.
    pub(super) shared: EncodedAttributes,
    pub(super) template: Template,
}

impl KnownSpan {
    fn new(name: &'static str, shared: &[Attribute<'_>], own: &[Attribute<'_>]) -> KnownSpan {
        let shared = EncodedAttributes::new(shared);
        let span = SpanRecord {
            context: SpanContext {
                trace_id: [0; 16],
                span_id: [0; 8],
            },
            parent_span_id: Some([0; 8]),
            trace_state: "",
            name,
            kind: Kind::Internal,
            start_unix_ns: 0,
            end_unix_ns: 0,
            attributes: own,
            status: Status::Unset,
        };
        KnownSpan {
            name,
            template: Template::new(&span, &shared),
            shared,
        }
    }
}
