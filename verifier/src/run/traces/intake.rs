//! From a decoded message to the run's span rows, and the receiver's books.

use super::decode::{Malformed, RawSpan, walk};
use crate::record::run_key::hex;
use crate::record::{Receiver, Recorder, Span, Table};
use std::collections::HashMap;

/// Distinct foreign trace ids, and refusals, that are kept as examples.
const EXAMPLES: usize = 5;
/// Longer texts are cut: a dictionary entry is for a person.
const LONGEST_TEXT: usize = 256;

/// Takes in the spans of messages, on one thread.
pub struct Intake {
    recorder: Recorder,
    texts: HashMap<Table, Texts>,
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

impl Intake {
    /// Nothing taken in yet.
    pub fn new(recorder: Recorder) -> Intake {
        let texts =
            [Table::SpanName, Table::Source, Table::Detail].map(|table| (table, Texts::default()));
        Intake {
            recorder,
            texts: texts.into(),
            books: Receiver::default(),
        }
    }

    /// Takes in one `ExportTraceServiceRequest`; `wire_bytes` is its size as it came. The spans are with
    /// the recorder when this returns, so that it may be acknowledged. Waits when the disk is behind:
    /// the sender then waits for its acknowledgement, which is the back-pressure that OTLP has.
    ///
    /// # Errors
    /// When the message is malformed; nothing of it is then recorded.
    pub fn take(&mut self, message: &[u8], wire_bytes: u64) -> Result<Taken, Malformed> {
        let mut rows = Vec::with_capacity(message.len() / 128);
        let mut taken = Taken::default();
        let arrived_ns = self.recorder.clock().now_ns();
        let mut foreign = Vec::new();
        let (recorder, texts) = (&self.recorder, &mut self.texts);
        walk(message, |source, raw| match identify(recorder, raw) {
            Whose::Ours(seq) => rows.push(row(recorder, texts, seq, source, raw, arrived_ns)),
            Whose::Foreign(trace_id) => {
                taken.foreign += 1;
                if foreign.len() < EXAMPLES && !foreign.contains(&trace_id) {
                    foreign.push(trace_id);
                }
            }
            Whose::Malformed => taken.malformed += 1,
        })?;
        taken.ours = rows.len() as u64;
        self.recorder.spans(rows);
        self.count(taken, wire_bytes, foreign);
        Ok(taken)
    }

    fn count(&mut self, taken: Taken, wire_bytes: u64, foreign: Vec<[u8; 16]>) {
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
        if self.books.refused_examples.len() < EXAMPLES {
            self.books.refused_examples.push(why.to_owned());
        }
    }

    /// The books so far.
    pub fn books(&self) -> &Receiver {
        &self.books
    }
}

enum Whose {
    Ours(u64),
    Foreign([u8; 16]),
    Malformed,
}

fn identify(recorder: &Recorder, raw: &RawSpan<'_>) -> Whose {
    let Ok(trace_id) = <[u8; 16]>::try_from(raw.trace_id) else {
        return Whose::Malformed;
    };
    let parent_is_id = matches!(raw.parent_span_id.len(), 0 | 8);
    if trace_id == [0; 16] || raw.span_id.len() != 8 || raw.span_id == [0; 8] || !parent_is_id {
        return Whose::Malformed;
    }
    recorder
        .key()
        .seq(&trace_id)
        .map_or(Whose::Foreign(trace_id), Whose::Ours)
}

fn row(
    recorder: &Recorder,
    texts: &mut HashMap<Table, Texts>,
    seq: u64,
    source: &[u8],
    raw: &RawSpan<'_>,
    arrived_ns: u64,
) -> Span {
    let mut number = |table, text: &[u8]| {
        texts
            .get_mut(&table)
            .map_or(0, |texts| texts.number(recorder, table, text))
    };
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
        name: number(Table::SpanName, raw.name),
        source: number(Table::Source, source),
        detail: if detail.is_empty() {
            0
        } else {
            number(Table::Detail, detail)
        },
        http_status: u16::try_from(raw.http_status).unwrap_or(0),
        kind: u8::try_from(raw.kind).unwrap_or(0),
        status: u8::try_from(raw.status).unwrap_or(0),
    }
}

/// Numbers of texts that this thread has seen, so that the shared dictionary is asked once per text.
#[derive(Default)]
struct Texts {
    /// The first few: a service has a handful of span names, and comparing those beats hashing.
    few: Vec<(Box<[u8]>, u16)>,
    many: HashMap<Box<[u8]>, u16>,
}

impl Texts {
    const FEW: usize = 8;
    const MANY: usize = 4096;

    fn number(&mut self, recorder: &Recorder, table: Table, text: &[u8]) -> u16 {
        let known = self
            .few
            .iter()
            .find(|(known, _)| **known == *text)
            .map(|(_, number)| number);
        if let Some(&number) = known.or_else(|| self.many.get(text)) {
            return number;
        }
        let cut = String::from_utf8_lossy(text)
            .chars()
            .take(LONGEST_TEXT)
            .collect::<String>();
        let number = recorder.intern(table, &cut);
        if self.few.len() < Texts::FEW {
            self.few.push((text.into(), number));
        } else if self.many.len() < Texts::MANY && text.len() <= LONGEST_TEXT {
            self.many.insert(text.into(), number);
        }
        number
    }
}
