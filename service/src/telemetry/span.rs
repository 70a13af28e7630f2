//! A span as the request path describes it: borrowed, encoded at once, never kept as an object.

/// Identity of a span and of its trace; `Copy`, so that it travels with a request for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanContext {
    /// W3C trace id, never all zero.
    pub trace_id: [u8; 16],
    /// W3C span id, never all zero.
    pub span_id: [u8; 8],
}

/// The caller's W3C `tracestate`; in a request's extensions beside its [`SpanContext`], only if
/// there is one, so that a request without it carries nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceState(pub Box<str>);

/// What a span is; numbers as on the OTLP wire (`opentelemetry.proto.trace.v1.Span.SpanKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Inside the process.
    Internal = 1,
    /// Handles a remote request.
    Server = 2,
}

/// How a span ended; numbers as on the OTLP wire (`Status.StatusCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    /// Nothing to say (success, and 4xx on server spans).
    Unset,
    /// Failed, with a description; empty when the attributes say it all.
    Error(&'a str),
}

/// An attribute's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Str(&'a str),
    /// Integer.
    Int(i64),
    /// Floating point.
    Double(f64),
    /// Boolean.
    Bool(bool),
}

/// Key and value.
pub type Attribute<'a> = (&'static str, Value<'a>);

/// One ended span.
#[derive(Clone, Copy, Debug)]
pub struct SpanRecord<'a> {
    /// Who it is.
    pub context: SpanContext,
    /// Its parent's span id; `None` for a root.
    pub parent_span_id: Option<[u8; 8]>,
    /// W3C tracestate of the incoming request, the same in all of its spans; empty for none.
    pub trace_state: &'a str,
    /// Name of low cardinality, e.g. `POST /predict`.
    pub name: &'a str,
    /// Kind.
    pub kind: Kind,
    /// Start, Unix nanoseconds.
    pub start_unix_ns: u64,
    /// End, Unix nanoseconds.
    pub end_unix_ns: u64,
    /// Attributes, each key once.
    pub attributes: &'a [Attribute<'a>],
    /// Status.
    pub status: Status<'a>,
}
