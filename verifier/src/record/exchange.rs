//! An exchange: what became of one planned request, one row each, whatever became of it.

use super::rows::Row;
use serde::{Deserialize, Serialize};

/// How a planned request ended. Every planned request ends in exactly one.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Outcome {
    /// A whole answer with a 2xx or 3xx status.
    Ok = 0,
    /// A whole answer with a 4xx or 5xx status.
    HttpError = 1,
    /// Sent, and no whole answer within the plan's timeout, or by the end of the stage's grace.
    Timeout = 2,
    /// No connection could be made: the request was never sent.
    ConnectError = 3,
    /// Sent (at least in part), and the connection ended or spoke something that is not HTTP before a whole answer.
    Reset = 4,
    /// Planned, and never sent: the run ended first, or no connection was free in time.
    Unsent = 5,
}

impl Outcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Outcome; 6] = [
        Outcome::Ok,
        Outcome::HttpError,
        Outcome::Timeout,
        Outcome::ConnectError,
        Outcome::Reset,
        Outcome::Unsent,
    ];

    /// The name used in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::HttpError => "http_error",
            Outcome::Timeout => "timeout",
            Outcome::ConnectError => "connect_error",
            Outcome::Reset => "reset",
            Outcome::Unsent => "unsent",
        }
    }

    /// The outcome of that name, the inverse of [`Outcome::name`].
    pub fn from_name(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|o| o.name() == name)
    }

    /// The target answered: its trace must be there.
    pub fn answered(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::HttpError)
    }

    /// Bytes of the request left for the target.
    pub fn sent(self) -> bool {
        !matches!(self, Outcome::ConnectError | Outcome::Unsent)
    }
}

/// One planned request. Moments are nanoseconds on the run's clock; 0 means "did not happen".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The request's number in the run; gives the trace id by [`super::RunKey::trace_id`].
    pub seq: u64,
    /// When the plan wanted it sent. Closed loop: when its connection became free for it.
    pub intended_ns: u64,
    /// When its first byte was handed to the kernel.
    pub sent_ns: u64,
    /// When the connection made for it was established; 0 when an open one was reused.
    pub connected_ns: u64,
    /// When the first byte of the answer was read.
    pub first_byte_ns: u64,
    /// When it ended: last byte of the answer, or the moment it was given up.
    pub done_ns: u64,
    /// Connection (or user) number within the stage.
    pub connection: u32,
    /// Bytes of the answer, head and body. Of a head of HTTP/2, the names and values of its fields, uncompressed.
    pub bytes: u32,
    /// Index of the stage in the plan.
    pub stage: u16,
    /// HTTP status; 0 without an answer.
    pub status: u16,
    /// What became of it.
    pub outcome: Outcome,
    /// Number of its task in the plan; 0 where there is only one.
    pub task: u8,
}

impl Exchange {
    /// Response time from the intended start: what a user who wanted it then had to wait. Nanoseconds.
    pub fn latency_ns(&self) -> u64 {
        self.done_ns.saturating_sub(self.intended_ns)
    }

    /// Service time from the actual send, what wrk and Locust report. Nanoseconds; 0 if never sent.
    pub fn service_time_ns(&self) -> u64 {
        if self.sent_ns == 0 {
            0
        } else {
            self.done_ns.saturating_sub(self.sent_ns)
        }
    }
}

impl Row for Exchange {
    const MAGIC: &'static [u8; 16] = b"exchange-rows/1\n";

    fn encode(&self, out: &mut [u8; 64]) {
        let words = [
            self.seq,
            self.intended_ns,
            self.sent_ns,
            self.connected_ns,
            self.first_byte_ns,
            self.done_ns,
        ];
        for (place, word) in out.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        out[48..52].copy_from_slice(&self.connection.to_le_bytes());
        out[52..56].copy_from_slice(&self.bytes.to_le_bytes());
        out[56..58].copy_from_slice(&self.stage.to_le_bytes());
        out[58..60].copy_from_slice(&self.status.to_le_bytes());
        out[60] = self.outcome as u8;
        out[61] = self.task;
        out[62..].fill(0);
    }

    fn decode(b: &[u8; 64]) -> Option<Exchange> {
        let word = |i: usize| u64::from_le_bytes(b.as_chunks().0[i]);
        let half = |i: usize| u16::from_le_bytes(b.as_chunks().0[i]);
        let quarter = |i: usize| u32::from_le_bytes(b.as_chunks().0[i]);
        Some(Exchange {
            seq: word(0),
            intended_ns: word(1),
            sent_ns: word(2),
            connected_ns: word(3),
            first_byte_ns: word(4),
            done_ns: word(5),
            connection: quarter(12),
            bytes: quarter(13),
            stage: half(28),
            status: half(29),
            outcome: *Outcome::ALL.get(usize::from(b[60]))?,
            task: b[61],
        })
    }
}
