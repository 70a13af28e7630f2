//! A run of encoded spans of one scope on its way out, and the recycling of its memory.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::envelope::ScopeHead;

/// Encoded spans, each with its field head, ready to follow a scope's head.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) scope: Arc<ScopeHead>,
    pub(super) bytes: Bytes,
    pub(super) spans: u64,
}

impl Chunk {
    /// Two halves at a span border; `None` for a single span.
    pub(super) fn split(&self) -> Option<(Chunk, Chunk)> {
        let first = self.spans / 2;
        if first == 0 {
            return None;
        }
        let mut at = 0;
        for _ in 0..first {
            at += span_at(&self.bytes[at..])?;
        }
        let part = |bytes, spans| Chunk {
            scope: self.scope.clone(),
            bytes,
            spans,
        };
        Some((
            part(self.bytes.slice(..at), first),
            part(self.bytes.slice(at..), self.spans - first),
        ))
    }
}

/// Bytes of the span field that `bytes` starts with.
fn span_at(bytes: &[u8]) -> Option<usize> {
    let mut content = 0_usize;
    for (i, byte) in bytes.iter().skip(1).take(9).enumerate() {
        content |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some(1 + i + 1 + content);
        }
    }
    None
}

/// Empty buffers of full chunks, so that a busy service does not fault in fresh pages for ever.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<Vec<Vec<u8>>>);

impl Pool {
    const KEPT: usize = 8;

    /// A buffer with room for `capacity` bytes.
    pub(super) fn take(&self, capacity: usize) -> Vec<u8> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    /// The buffer as shared bytes; it comes back here when the last of them is dropped.
    pub(super) fn lend(self: &Arc<Pool>, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent {
            buffer,
            pool: self.clone(),
        })
    }
}

struct Lent {
    buffer: Vec<u8>,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < Pool::KEPT {
            self.buffer.clear();
            kept.push(std::mem::take(&mut self.buffer));
        }
    }
}
