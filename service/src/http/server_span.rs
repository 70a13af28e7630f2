//! A request as a server span by the HTTP semantic conventions (1.42, `http/http-spans.md`): its
//! place in a trace and its description, to which the end adds how it ended.

use std::sync::Arc;

use super::{
    conventions::{Attributes, CodeText},
    description::{Description, Head, Peer},
    traceparent::Parent,
};
use crate::telemetry::{
    Attribute, EncodedAttributes, Gathered, Kind, SpanContext, SpanRecord, Stamp, Status, Value,
    new_span_id, new_trace_id,
};

/// How an exchange ended, as far as the span tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome<'a> {
    /// `None`: no response was sent.
    pub(super) status: Option<u16>,
    /// In place of the status code, for failures of our own.
    pub(super) error_type: Option<&'a str>,
}

/// What is known of a server span when its request comes in.
#[derive(Debug)]
pub(super) struct ServerSpan {
    pub(super) context: SpanContext,
    parent_span_id: Option<[u8; 8]>,
    pub(super) trace_state: Box<str>,
    description: Arc<Description>,
}

impl ServerSpan {
    /// The span of a request, under the caller's span if there is one.
    pub(super) fn new(
        head: &Head<'_>,
        parent: Option<Parent>,
        peer: &Peer,
        route: Option<&'static str>,
    ) -> ServerSpan {
        let (trace_id, parent_span_id, trace_state) = match parent {
            Some(Parent {
                trace_id,
                span_id,
                trace_state,
            }) => (trace_id, Some(span_id), trace_state),
            None => (new_trace_id(), None, Box::default()),
        };
        ServerSpan {
            context: SpanContext {
                trace_id,
                span_id: new_span_id(),
            },
            parent_span_id,
            trace_state,
            description: peer.describe(head, route, parent_span_id.is_some()),
        }
    }

    /// Adds the ended span of a request that was answered with 200.
    pub(super) fn end_ok(&self, (start_unix_ns, end_unix_ns): (u64, u64), gathered: &mut Gathered) {
        let ok = &self.description.ok;
        if ok.has_parent() == self.parent_span_id.is_some() && self.trace_state.is_empty() {
            let stamp = Stamp {
                context: self.context,
                parent_span_id: self.parent_span_id,
                start_unix_ns,
                end_unix_ns,
                last: None,
            };
            return gathered.add_like(ok, &stamp);
        }
        let outcome = Outcome {
            status: Some(200),
            error_type: None,
        };
        let times_unix_ns = (start_unix_ns, end_unix_ns);
        self.end(times_unix_ns, outcome, |span, shared| {
            gathered.add(span, shared);
        });
    }

    /// Builds the ended span and passes it to `record`.
    pub(super) fn end(
        &self,
        times_unix_ns: (u64, u64),
        outcome: Outcome<'_>,
        record: impl FnOnce(&SpanRecord<'_>, &EncodedAttributes),
    ) {
        let mut attributes = Attributes::default();
        let code = outcome.status.map(CodeText::new);
        let status = outcome.status.map(|status| Value::Int(status.into()));
        attributes.push("http.response.status_code", status);
        // 4xx is the client's mistake: on a server span neither an error nor a type of one.
        let failed = outcome.status.is_none_or(|status| status >= 500);
        let error_type = outcome.error_type.or(code.as_ref().map(CodeText::as_str));
        attributes.push("error.type", error_type.filter(|_| failed).map(Value::Str));
        // No description: the code says it all.
        let status = if failed {
            Status::Error("")
        } else {
            Status::Unset
        };
        let span = self.record(times_unix_ns, attributes.as_slice(), status);
        record(&span, &self.description.attributes);
    }

    fn record<'a>(
        &'a self,
        (start_unix_ns, end_unix_ns): (u64, u64),
        attributes: &'a [Attribute<'a>],
        status: Status<'a>,
    ) -> SpanRecord<'a> {
        SpanRecord {
            context: self.context,
            parent_span_id: self.parent_span_id,
            trace_state: &self.trace_state,
            name: &self.description.name,
            kind: Kind::Server,
            start_unix_ns,
            end_unix_ns: end_unix_ns.max(start_unix_ns),
            attributes,
            status,
        }
    }
}
