//! One thread's share of the pipeline: buffers that its spans are encoded into, and the memory it
//! has leased. Its lock is taken by its thread, and ten times a second by the sweep.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::InstrumentationScope;

use super::{
    budget::{Budget, REQUEST_BYTES},
    chunk::{Pool, Queued},
    envelope::{ResourceHead, ScopeHead},
    flow::Flow,
};

/// A shard, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Shard(Mutex<ShardState>);

/// What a shard's lock guards.
#[derive(Debug, Default)]
pub(super) struct ShardState {
    /// One per scope; the service's own is the first.
    buffers: Vec<Buffer>,
    /// Leased bytes that are free. May be negative while requests hold as much in reservation.
    pub(super) credits: i64,
    /// Reserved by admitted requests of this thread.
    held: i64,
    /// Spans that ended here, whatever became of them.
    pub(super) started: u64,
    /// Of these, in the buffers.
    pub(super) buffered: u64,
    /// The pipeline has been shut down; what ends now is lost.
    pub(super) closed: bool,
}

#[derive(Debug)]
struct Buffer {
    scope: Option<InstrumentationScope>,
    head: Arc<ScopeHead>,
    bytes: Vec<u8>,
    spans: u64,
}

impl Shard {
    pub(super) fn new(own_scope: Arc<ScopeHead>, closed: bool) -> Shard {
        let own = Buffer {
            scope: None,
            head: own_scope,
            bytes: Vec::new(),
            spans: 0,
        };
        Shard(Mutex::new(ShardState {
            buffers: vec![own],
            closed,
            ..ShardState::default()
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, ShardState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where full buffers go and fresh ones come from.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) flow: Arc<Flow>,
    pub(super) pool: Arc<Pool>,
    pub(super) resource: Arc<ResourceHead>,
    pub(super) chunk_bytes: usize,
}

impl ShardState {
    /// Reserves one request's worth, from the lease if it lasts.
    pub(super) fn reserve(&mut self, budget: &Budget) -> bool {
        if self.credits < REQUEST_BYTES {
            let lease = budget.lease();
            if budget.take(lease) {
                self.credits += lease;
            } else if budget.take(REQUEST_BYTES) {
                self.credits += REQUEST_BYTES;
            }
        }
        let room = self.credits >= REQUEST_BYTES;
        if room {
            self.credits -= REQUEST_BYTES;
            self.held += REQUEST_BYTES;
        }
        room
    }

    /// Ends a reservation, wherever it was made.
    pub(super) fn release(&mut self, budget: &Budget) {
        self.held -= REQUEST_BYTES;
        self.credits += REQUEST_BYTES;
        if self.credits > 2 * budget.lease() {
            self.credits -= budget.lease();
            budget.give(budget.lease());
        }
    }

    /// Pays for `bytes` out of lease and reservations, else out of the budget.
    pub(super) fn pay(&mut self, bytes: i64, budget: &Budget) -> bool {
        if self.credits + self.held.max(0) >= bytes {
            self.credits -= bytes;
            return true;
        }
        if budget.take(budget.lease() + bytes) {
            self.credits += budget.lease();
            return true;
        }
        budget.take_from_reserve(bytes)
    }

    /// Gives every free byte of the lease back, for others who wait.
    pub(super) fn return_lease(&mut self, budget: &Budget) {
        if self.credits > 0 {
            budget.give(std::mem::take(&mut self.credits));
        }
    }

    /// Appends paid-for spans to the buffer of their scope, and hands a full buffer over.
    pub(super) fn append(
        &mut self,
        scope: Option<&InstrumentationScope>,
        spans: u64,
        outlet: &Outlet,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let index = self.buffer_of(scope);
        let buffer = &mut self.buffers[index];
        if buffer.bytes.capacity() == 0 && index == 0 {
            buffer.bytes = outlet
                .pool
                .take(outlet.chunk_bytes + REQUEST_BYTES as usize);
        }
        write(&mut buffer.bytes);
        buffer.spans += spans;
        self.buffered += spans;
        if buffer.bytes.len() >= outlet.chunk_bytes {
            self.hand_over(index, outlet);
        }
    }

    fn buffer_of(&mut self, scope: Option<&InstrumentationScope>) -> usize {
        let Some(wanted) = scope else { return 0 };
        let known = self
            .buffers
            .iter()
            .position(|buffer| buffer.scope.as_ref() == scope);
        known.unwrap_or_else(|| {
            let head = Arc::new(ScopeHead::new(wanted));
            self.buffers.push(Buffer {
                scope: scope.cloned(),
                head,
                bytes: Vec::new(),
                spans: 0,
            });
            self.buffers.len() - 1
        })
    }

    /// Hands all buffers over, however little is in them.
    pub(super) fn hand_over_all(&mut self, outlet: &Outlet) {
        for index in 0..self.buffers.len() {
            self.hand_over(index, outlet);
        }
        // Libraries' scopes come and go; a thread that has met many need not remember them all.
        self.buffers.truncate(8);
    }

    fn hand_over(&mut self, index: usize, outlet: &Outlet) {
        let buffer = &mut self.buffers[index];
        if buffer.spans == 0 {
            return;
        }
        let bytes = if buffer.bytes.len() * 8 < buffer.bytes.capacity() * 7 {
            // What is not full is copied out, so that queued memory is what was paid for.
            let copy = bytes::Bytes::copy_from_slice(&buffer.bytes);
            buffer.bytes.clear();
            copy
        } else {
            outlet.pool.lend(std::mem::take(&mut buffer.bytes))
        };
        let spans = std::mem::take(&mut buffer.spans);
        self.buffered -= spans;
        outlet.flow.push(Queued::in_memory(
            outlet.resource.clone(),
            buffer.head.clone(),
            bytes,
            spans,
        ));
    }
}
