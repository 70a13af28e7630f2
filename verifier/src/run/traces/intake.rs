//! From a decoded message to the run's span rows, and the receiver's books.

use super::cloud_trace::walk_cloud_trace;
use super::decode::{RawSpan, walk};
use super::json::walk_json;
use super::reading::Missing;
use super::texts::Texts;
use super::wire::Malformed;
use crate::record::run_key::hex;
use crate::record::{Found, Receiver, Recorder, RunKey, Shard, Span, Table};
use std::ops::RangeInclusive;
use std::sync::PoisonError;
use thiserror::Error;

/// Distinct foreign trace ids, and refusals, that are kept as examples.
const EXAMPLES: usize = 5;
/// An example is for a person; a sender's path or content type may be longer.
const LONGEST_EXAMPLE: usize = 300;

/// Takes in the spans of messages, on one thread.
pub struct Intake {
    /// Whose requests' spans are taken in.
    of: Shard,
    recorder: Recorder,
    names: Texts,
    sources: Texts,
    details: Texts,
    books: Receiver,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Spans of this run.
    pub ours: u64,
    /// Spans of other traces.
    pub foreign: u64,
    /// Spans with unusable ids.
    pub malformed: u64,
}

/// Bytes that hold spans.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// `ExportTraceServiceRequest`, or `TracesData`, which looks the same on the wire.
    Protobuf(&'a [u8]),
    /// The same as OTLP/JSON.
    Json(&'a [u8]),
    /// A trace, or a page of traces, as Google Cloud Trace writes them in JSON.
    CloudTrace(&'a [u8]),
}

/// Which spans of a message are taken in.
pub struct Wanted<'a> {
    /// When they began, Unix nanoseconds.
    pub began: RangeInclusive<u64>,
    /// Of traces that are not whole: what these lack, and no span of another run.
    pub missing: Option<&'a Missing>,
}

/// All of them.
impl Default for Wanted<'_> {
    fn default() -> Self {
        Wanted {
            began: 0..=u64::MAX,
            missing: None,
        }
    }
}

impl Message<'_> {
    pub(super) fn bytes(self) -> usize {
        let (Message::Protobuf(bytes) | Message::Json(bytes) | Message::CloudTrace(bytes)) = self;
        bytes.len()
    }

    pub(super) fn walk(self, span: impl FnMut(&[u8], &RawSpan<'_>)) -> Result<(), NotTaken> {
        match self {
            Message::Protobuf(bytes) => walk(bytes, span).map_err(NotTaken::Malformed),
            Message::Json(text) => {
                walk_json(text, span).map_err(|error| NotTaken::NoJson("OTLP/", error.to_string()))
            }
            Message::CloudTrace(text) => walk_cloud_trace(text, span)
                .map_err(|error| NotTaken::NoJson("Cloud Trace's ", error.to_string())),
        }
    }
}

/// Why a message was not taken in: nothing of it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotTaken {
    /// The sender's fault: it would be malformed the next time, too.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// As that.
    #[error("no {0}JSON: {1}")]
    NoJson(&'static str, String),
    /// The verifier's: to acknowledge would be a lie.
    #[error("the verifier can not record any more: {0}")]
    NotRecording(String),
}

impl Intake {
    /// Nothing taken in yet.
    pub fn new(recorder: Recorder) -> Intake {
        let texts = |table| Texts::new(recorder.clone(), table);
        Intake {
            of: Shard::WHOLE,
            names: texts(Table::SpanName),
            sources: texts(Table::Source),
            details: texts(Table::Detail),
            books: Receiver {
                source: recorder.source(),
                ..Receiver::default()
            },
            recorder,
        }
    }

    /// Takes in the spans of this shard's own requests and leaves the others' alone: a store that all shards read gives
    /// each span to each of them.
    #[must_use]
    pub fn of_own_requests(mut self) -> Intake {
        self.of = self.recorder.shard();
        self
    }

    /// Takes in one `ExportTraceServiceRequest`; `wire_bytes` is its size as it came. The spans are with
    /// the recorder when this returns, so that it may be acknowledged. Waits when the disk is behind:
    /// the sender then waits for its acknowledgement, which is the back-pressure that OTLP has.
    ///
    /// # Errors
    /// When the message is malformed, or recording has failed; nothing of it is then recorded.
    pub fn take(&mut self, message: &[u8], wire_bytes: u64) -> Result<Taken, NotTaken> {
        self.take_wanted(Message::Protobuf(message), wire_bytes, &Wanted::default())
    }

    /// Takes in the spans that are wanted: a source that is read more than once gives the same span again. What is not
    /// wanted is not counted.
    ///
    /// # Errors
    /// As [`Intake::take`].
    pub fn take_wanted(
        &mut self,
        message: Message<'_>,
        wire_bytes: u64,
        wanted: &Wanted<'_>,
    ) -> Result<Taken, NotTaken> {
        if let Some(error) = self.recorder.live().failure() {
            return Err(NotTaken::NotRecording(error));
        }
        let mut rows = Vec::with_capacity(message.bytes() / 128);
        let mut taken = Taken::default();
        let arrived_ns = self.recorder.clock().now_ns();
        let key = self.recorder.key();
        let found = self.recorder.found();
        let mut found = found
            .as_ref()
            .map(|found| found.lock().unwrap_or_else(PoisonError::into_inner));
        let mut foreign = Vec::new();
        message.walk(
            |source, raw| match identify(key, found.as_deref_mut(), raw) {
                _ if !wanted.began.contains(&raw.start_unix_ns) => {}
                Whose::Ours(seq) if !self.of.holds(seq) => {}
                Whose::Ours(seq) => {
                    let row = self.row(seq, source, raw, arrived_ns);
                    if wanted.missing.is_none_or(|missing| missing.lacks(&row)) {
                        rows.push(row);
                    }
                }
                Whose::Foreign(_) if wanted.missing.is_some() => {}
                Whose::Foreign(trace_id) => {
                    taken.foreign += 1;
                    if foreign.len() < EXAMPLES && !foreign.contains(&trace_id) {
                        foreign.push(trace_id);
                    }
                }
                Whose::Malformed => taken.malformed += 1,
            },
        )?;
        taken.ours = rows.len() as u64;
        if let Some(Err(error)) = found.as_mut().map(|found| found.write()) {
            self.recorder.live().fail(&error);
            return Err(NotTaken::NotRecording(format!("{error:#}")));
        }
        drop(found);
        self.recorder.spans(rows);
        self.count(taken, wire_bytes, &foreign);
        Ok(taken)
    }

    fn row(&mut self, seq: u64, source: &[u8], raw: &RawSpan<'_>, arrived_ns: u64) -> Span {
        let id = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_be_bytes);
        let detail = if raw.error_type.is_empty() {
            raw.status_message
        } else {
            raw.error_type
        };
        Span {
            seq,
            span_id: id(raw.span_id),
            parent_span_id: id(raw.parent_span_id),
            start_unix_ns: raw.start_unix_ns,
            end_unix_ns: raw.end_unix_ns,
            arrived_ns,
            name: self.names.number(raw.name),
            source: self.sources.number(source),
            detail: if detail.is_empty() {
                0
            } else {
                self.details.number(detail)
            },
            http_status: u16::try_from(raw.http_status).unwrap_or(0),
            kind: u8::try_from(raw.kind).unwrap_or(0),
            status: u8::try_from(raw.status).unwrap_or(0),
        }
    }

    fn count(&mut self, taken: Taken, wire_bytes: u64, foreign: &[[u8; 16]]) {
        let books = &mut self.books;
        books.requests += 1;
        books.bytes += wire_bytes;
        books.spans += taken.ours;
        books.foreign_spans += taken.foreign;
        books.malformed_spans += taken.malformed;
        for id in foreign.iter().map(|id| hex(id)) {
            if books.foreign_examples.len() < EXAMPLES && !books.foreign_examples.contains(&id) {
                books.foreign_examples.push(id);
            }
        }
    }

    /// Counts a request that was refused.
    pub fn refuse(&mut self, why: &str) {
        self.books.refused_requests += 1;
        example(&mut self.books.refused_examples, why);
    }

    /// Counts a read that failed.
    pub fn failed_read(&mut self, why: &str) {
        self.books.failed_reads += 1;
        example(&mut self.books.refused_examples, why);
    }

    /// Says why the source can not give all that it was given.
    pub fn incomplete(&mut self, why: &str) {
        example(&mut self.books.incomplete, why);
    }

    /// Says what the source is known to have lost of what it was given.
    pub fn lost(&mut self, why: &str) {
        example(&mut self.books.lost, why);
    }

    /// The books so far.
    pub fn books(&self) -> &Receiver {
        &self.books
    }
}

/// One reason a thousand times must not hide the others.
fn example(examples: &mut Vec<String>, why: &str) {
    let why = &why[..why.floor_char_boundary(LONGEST_EXAMPLE)];
    if examples.len() < EXAMPLES && !examples.iter().any(|known| known == why) {
        examples.push(why.to_owned());
    }
}

enum Whose {
    Ours(u64),
    Foreign([u8; 16]),
    Malformed,
}

fn identify(key: RunKey, found: Option<&mut Found>, raw: &RawSpan<'_>) -> Whose {
    let Ok(trace_id) = <[u8; 16]>::try_from(raw.trace_id) else {
        return Whose::Malformed;
    };
    let parent_is_id = matches!(raw.parent_span_id.len(), 0 | 8);
    if trace_id == [0; 16] || raw.span_id.len() != 8 || raw.span_id == [0; 8] || !parent_is_id {
        return Whose::Malformed;
    }
    if let Some(found) = found {
        return Whose::Ours(found.number(trace_id));
    }
    key.seq(&trace_id)
        .map_or(Whose::Foreign(trace_id), Whose::Ours)
}
