//! Trace ids that others made: numbered as they come, and kept in a file in that order.

use super::{Row, RowWriter};
use anyhow::Result;
use std::collections::HashMap;
use std::path::Path;

/// A trace id as a row; its place in the file is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

impl Row for TraceId {
    const MAGIC: &'static [u8; 16] = b"iris trace ids 1";

    fn encode(&self, out: &mut [u8; 64]) {
        *out = [0; 64];
        out[..16].copy_from_slice(&self.0);
    }

    fn decode(bytes: &[u8; 64]) -> Option<TraceId> {
        let (id, rest) = bytes.split_first_chunk()?;
        rest.iter().all(|byte| *byte == 0).then_some(TraceId(*id))
    }
}

/// The numbers given so far. Some 50 bytes of memory a trace.
pub struct Found {
    numbers: HashMap<[u8; 16], u64>,
    new: Vec<TraceId>,
    file: RowWriter<TraceId>,
}

impl Found {
    /// # Errors
    /// When the file exists already or can not be written.
    pub(super) fn create(path: &Path) -> Result<Found> {
        Ok(Found {
            numbers: HashMap::new(),
            new: Vec::new(),
            file: RowWriter::create(path)?,
        })
    }

    /// The id's number; a new one's is the next.
    pub fn number(&mut self, id: [u8; 16]) -> u64 {
        let next = self.numbers.len() as u64;
        *self.numbers.entry(id).or_insert_with(|| {
            self.new.push(TraceId(id));
            next
        })
    }

    /// Writes the new ones, before the spans that bear their numbers.
    ///
    /// # Errors
    /// When the disk is full or gone.
    pub fn write(&mut self) -> Result<()> {
        self.file.append(&std::mem::take(&mut self.new))
    }
}
