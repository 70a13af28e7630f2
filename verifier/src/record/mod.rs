//! WHAT WAS SEEN: the medium between those who watch and those who judge. One clock, one row per
//! planned request, one row per span, and a journal of everything that changes slowly.

pub mod clock;
pub mod run_key;

pub mod asked;
pub mod client_span;
pub mod cluster;
pub mod dictionary;
pub mod exchange;
pub mod journal;
pub mod shard;
pub mod span;

pub mod chunks;
pub mod folder;
pub mod found;
pub mod merge;
pub mod one;
pub mod parquet;
pub mod rows;

pub mod completeness;
pub mod figures;
pub mod live;
pub mod recorder;
mod room;
pub mod scene;
pub mod sketch;

pub use asked::{Asked, KeepTraces, TraceLink};
pub use client_span::ClientSpan;
pub use clock::Clock;
pub use completeness::{Completeness, Lacking};
pub use dictionary::{Dictionary, Table};
pub use exchange::{Exchange, Outcome};
pub use figures::Figures;
pub use folder::{Recorded, RunFolder, sources, write_whole};
pub use found::{Found, TraceId};
pub use journal::{
    CollectorBooks, Entry, ExporterBooks, Host, Journal, Observation, Receiver, Second,
    ServiceBooks, ShardJoined, read_journal,
};
pub use live::{Live, MOST_SOURCES};
pub use recorder::{Expected, Recorder, Recording};
pub use rows::{Row, RowReader, RowWriter, read_rows};
pub use run_key::RunKey;
pub use scene::{Note, Scene, StageNow};
pub use shard::Shard;
pub use sketch::Sketch;
pub use span::Span;
