//! A run of encoded spans of one scope on its way out, and the recycling of its memory.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use bytes::Bytes;

use super::{
    envelope::{Part, ResourceHead, ScopeHead},
    spill::Record,
};

/// Encoded spans of one scope that wait for their turn: in memory, on disk, or both.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) resource: Arc<ResourceHead>,
    pub(super) scope: Arc<ScopeHead>,
    pub(super) spans: u64,
    /// Bytes of the encoded spans.
    pub(super) len: usize,
    place: Mutex<Place>,
    /// Where the spill directory has a copy; it is given up when the last owner of this is gone.
    stored: OnceLock<Record>,
}

/// Where the spans' bytes are.
#[derive(Debug)]
enum Place {
    /// In memory that the budget has paid for.
    Memory(Bytes),
    /// The same, compressed.
    Packed(Bytes),
    /// In memory, and on its way to the collector.
    Sending(Bytes),
    /// Only in the spill directory, or taken out of here compressed.
    Elsewhere,
}

/// The fastest level: spans are so alike that a higher one gains nothing.
const PACKING_LEVEL: i32 = 1;

/// Compresses one chunk after the other in the same memory: what it would take anew for each is as
/// much as a chunk, and freed by another thread than its next owner.
pub(super) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    /// Room for the worst case.
    packed: Vec<u8>,
}

impl Packer {
    pub(super) fn new() -> io::Result<Packer> {
        Ok(Packer {
            compressor: zstd::bulk::Compressor::new(PACKING_LEVEL)?,
            packed: Vec::new(),
        })
    }

    fn pack(&mut self, plain: &[u8]) -> io::Result<&[u8]> {
        let most = zstd::zstd_safe::compress_bound(plain.len());
        self.packed.clear();
        self.packed.reserve(most);
        self.compressor
            .compress_to_buffer(plain, &mut self.packed)?;
        Ok(&self.packed)
    }
}

impl Queued {
    pub(super) fn in_memory(
        resource: Arc<ResourceHead>,
        scope: Arc<ScopeHead>,
        bytes: Bytes,
        spans: u64,
    ) -> Queued {
        Queued {
            resource,
            scope,
            spans,
            len: bytes.len(),
            place: Mutex::new(Place::Memory(bytes)),
            stored: OnceLock::new(),
        }
    }

    pub(super) fn on_disk(
        resource: Arc<ResourceHead>,
        scope: Arc<ScopeHead>,
        record: Record,
        spans: u64,
    ) -> Queued {
        Queued {
            resource,
            scope,
            spans,
            len: record.len(),
            place: Mutex::new(Place::Elsewhere),
            stored: OnceLock::from(record),
        }
    }

    /// The bytes, if they are in memory as they are.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match &*self.place() {
            Place::Memory(bytes) | Place::Sending(bytes) => Some(bytes.clone()),
            Place::Packed(_) | Place::Elsewhere => None,
        }
    }

    /// Whether packing would free memory.
    pub(super) fn is_plain(&self) -> bool {
        matches!(&*self.place(), Place::Memory(_))
    }

    /// Compresses what waits in memory; tells the bytes that this frees.
    pub(super) fn pack(&self, packer: &mut Packer) -> Option<usize> {
        let plain = match &*self.place() {
            Place::Memory(plain) => plain.clone(),
            _ => return None,
        };
        // Without the lock: whoever wants to send it need not wait.
        let packed = packer.pack(&plain).ok()?;
        let freed = plain.len().checked_sub(packed.len())?;
        let mut place = self.place();
        if !matches!(&*place, Place::Memory(_)) {
            return None;
        }
        *place = Place::Packed(Bytes::copy_from_slice(packed));
        Some(freed)
    }

    /// The spill directory has them now.
    pub(super) fn store(&self, record: Record) {
        // There is one writer, and it stores each chunk once.
        let _ = self.stored.set(record);
    }

    pub(super) fn is_stored(&self) -> bool {
        self.stored.get().is_some()
    }

    /// Its copy on disk outlives this process, for the next one to send.
    pub(super) fn leave_on_disk(&self) {
        if let Some(record) = self.stored.get() {
            record.leave();
        }
    }

    /// Gives up the copy in memory of what is stored and not being sent; tells its bytes.
    pub(super) fn forget(&self) -> Option<usize> {
        let mut place = self.place();
        match &*place {
            Place::Memory(bytes) if self.is_stored() => {
                let freed = bytes.len();
                *place = Place::Elsewhere;
                Some(freed)
            }
            _ => None,
        }
    }

    /// Takes it out of the queue to be sent.
    pub(super) fn send(self: Arc<Queued>) -> Chunk {
        let mut place = self.place();
        let (mut bytes, mut packed) = (None, None);
        match std::mem::replace(&mut *place, Place::Elsewhere) {
            Place::Memory(held) | Place::Sending(held) => {
                *place = Place::Sending(held.clone());
                bytes = Some(held);
            }
            Place::Packed(held) => packed = Some(held),
            Place::Elsewhere => {}
        }
        drop(place);
        Chunk {
            spans: self.spans,
            paid: bytes.as_ref().or(packed.as_ref()).map_or(0, Bytes::len),
            bytes,
            packed,
            whole: self,
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queued chunk, or a part of one, under way.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Encoded spans, each with its field head, ready to follow a scope's head; `None`: packed, or on
    /// disk.
    bytes: Option<Bytes>,
    packed: Option<Bytes>,
    pub(super) spans: u64,
    /// Bytes of the budget that come back when it is settled.
    pub(super) paid: usize,
    whole: Arc<Queued>,
}

impl Chunk {
    /// What of a request it is.
    pub(super) fn part(&self) -> Part<'_> {
        static NOTHING: Bytes = Bytes::new();
        Part {
            resource: &self.whole.resource,
            scope: &self.whole.scope,
            spans: self.bytes.as_ref().unwrap_or(&NOTHING),
        }
    }

    /// Unpacks, or reads what is only on disk. Blocks.
    pub(super) fn load(&mut self) -> io::Result<()> {
        if let Some(packed) = self.packed.take() {
            self.bytes = Some(zstd::bulk::decompress(&packed, self.whole.len)?.into());
        } else if let (None, Some(record)) = (&self.bytes, self.whole.stored.get()) {
            self.bytes = Some(record.read()?.into());
        }
        Ok(())
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.bytes.is_some()
    }

    /// Bytes of its message.
    pub(super) fn len(&self) -> usize {
        self.whole.len
    }

    pub(super) fn is_stored(&self) -> bool {
        self.whole.is_stored()
    }

    /// See [`Queued::leave_on_disk`].
    pub(super) fn leave_on_disk(&self) {
        self.whole.leave_on_disk();
    }

    /// Two halves at a span border; `None` for a single span.
    pub(super) fn split(&self) -> Option<(Chunk, Chunk)> {
        let (bytes, first) = (self.bytes.as_ref()?, self.spans / 2);
        if first == 0 {
            return None;
        }
        let mut at = 0;
        for _ in 0..first {
            at += span_at(&bytes[at..])?;
        }
        let part = |bytes, spans, paid| Chunk {
            bytes: Some(bytes),
            packed: None,
            spans,
            paid,
            whole: self.whole.clone(),
        };
        // What was packed has paid for less than its length.
        let paid = at.min(self.paid);
        Some((
            part(bytes.slice(..at), first, paid),
            part(bytes.slice(at..), self.spans - first, self.paid - paid),
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
    const KEPT: usize = 16;

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
