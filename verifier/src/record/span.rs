//! A span as it was received: one fixed row; names and sources are numbers of the run's [`super::Dictionary`].

use super::rows::Row;

/// One received span that carries a trace id of this run. Times of the sender are Unix
/// nanoseconds, unconverted; the arrival is on the run's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The request it belongs to, from its trace id.
    pub seq: u64,
    /// Span id, big endian.
    pub span_id: u64,
    /// Parent span id, big endian; 0 for none.
    pub parent_span_id: u64,
    /// Start by the sender's clock, Unix nanoseconds.
    pub start_unix_ns: u64,
    /// End by the sender's clock, Unix nanoseconds.
    pub end_unix_ns: u64,
    /// When it arrived, nanoseconds on the run's clock.
    pub arrived_ns: u64,
    /// Span name: number in [`super::Table::SpanName`].
    pub name: u16,
    /// Who sent it (service instance or pod): number in [`super::Table::Source`].
    pub source: u16,
    /// `error.type`, else the status message: number in [`super::Table::Detail`]; 0 is the empty text.
    pub detail: u16,
    /// `http.response.status_code`; 0 where the span has none.
    pub http_status: u16,
    /// `opentelemetry.proto.trace.v1.Span.SpanKind` as on the wire: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: u8,
    /// `opentelemetry.proto.trace.v1.Status.StatusCode` as on the wire: 0 unset, 1 ok, 2 error.
    pub status: u8,
}

/// Wire code of an error status.
pub const STATUS_ERROR: u8 = 2;

impl Span {
    /// End minus start in nanoseconds; 0 if the sender's clock stepped back in between.
    pub fn duration_ns(&self) -> u64 {
        self.end_unix_ns.saturating_sub(self.start_unix_ns)
    }
}

impl Row for Span {
    const MAGIC: &'static [u8; 16] = b"span-rows/1\n\0\0\0\0";

    fn encode(&self, out: &mut [u8; 64]) {
        let words = [
            self.seq,
            self.span_id,
            self.parent_span_id,
            self.start_unix_ns,
            self.end_unix_ns,
            self.arrived_ns,
        ];
        for (place, word) in out.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        for (place, half) in out[48..56].chunks_exact_mut(2).zip([
            self.name,
            self.source,
            self.detail,
            self.http_status,
        ]) {
            place.copy_from_slice(&half.to_le_bytes());
        }
        out[56] = self.kind;
        out[57] = self.status;
        out[58..].fill(0);
    }

    fn decode(b: &[u8; 64]) -> Option<Span> {
        let word = |i: usize| u64::from_le_bytes(b.as_chunks().0[i]);
        let half = |i: usize| u16::from_le_bytes(b.as_chunks().0[i]);
        Some(Span {
            seq: word(0),
            span_id: word(1),
            parent_span_id: word(2),
            start_unix_ns: word(3),
            end_unix_ns: word(4),
            arrived_ns: word(5),
            name: half(24),
            source: half(25),
            detail: half(26),
            http_status: half(27),
            kind: b[56],
            status: b[57],
        })
    }
}
