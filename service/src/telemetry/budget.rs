//! The memory that spans may take until they are acknowledged: a fixed number of bytes, handed out
//! before it is used, given back when a batch is settled.

use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;

/// Bytes that one admitted request may take: its server span and two children at their longest.
/// Every text that a client controls must be cut before it is recorded, so that this holds.
pub const REQUEST_BYTES: i64 = 6144;

/// Bytes that are free. At any time: free + leased to shards + reserved by requests + recorded and
/// not yet settled = capacity.
#[derive(Debug)]
pub(super) struct Budget {
    capacity: i64,
    reserve: i64,
    lease: i64,
    free: AtomicI64,
    space: Notify,
}

impl Budget {
    pub(super) fn new(capacity: u64) -> Budget {
        let capacity = i64::try_from(capacity).unwrap_or(i64::MAX / 2);
        Budget {
            capacity,
            // Refusals and spans from the SDK still leave evidence when requests get nothing more.
            reserve: (capacity / 16).clamp(REQUEST_BYTES, 1 << 20),
            lease: (capacity / 64).clamp(REQUEST_BYTES, 256 << 10),
            free: AtomicI64::new(capacity),
            space: Notify::new(),
        }
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity.unsigned_abs()
    }

    /// How much a shard takes at once, so that it comes here once in many requests.
    pub(super) fn lease(&self) -> i64 {
        self.lease
    }

    /// Takes `bytes` for requests, leaving the reserve alone.
    pub(super) fn take(&self, bytes: i64) -> bool {
        self.take_above(bytes, self.reserve)
    }

    /// Takes `bytes`, from the reserve if need be.
    pub(super) fn take_from_reserve(&self, bytes: i64) -> bool {
        self.take_above(bytes, 0)
    }

    fn take_above(&self, bytes: i64, floor: i64) -> bool {
        // Relaxed: the number guards nothing but itself.
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| {
                (free - bytes >= floor).then_some(free - bytes)
            })
            .is_ok()
    }

    /// Gives `bytes` back and lets those who wait try again.
    pub(super) fn give(&self, bytes: i64) {
        if bytes == 0 {
            return;
        }
        self.free.fetch_add(bytes, Ordering::Relaxed);
        self.space.notify_waiters();
    }

    /// Is notified when bytes were given back.
    pub(super) fn space(&self) -> &Notify {
        &self.space
    }

    /// Whether it is time to look for memory elsewhere.
    pub(super) fn is_half_used(&self) -> bool {
        self.free.load(Ordering::Relaxed) < self.capacity / 2
    }

    /// Whether it is time to make more of it.
    pub(super) fn is_quarter_used(&self) -> bool {
        self.free.load(Ordering::Relaxed) < self.capacity / 4 * 3
    }

    pub(super) fn used(&self) -> u64 {
        u64::try_from(self.capacity - self.free.load(Ordering::Relaxed)).unwrap_or(0)
    }
}
