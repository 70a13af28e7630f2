//! What the shards hand over and the exporter takes: the queue of chunks and, under the same lock,
//! the counts that make up the books.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{budget::Budget, chunk::Chunk, ledger::Reason};

/// A batch is full at this size; the largest is this plus one chunk, well below the 4 MiB at which
/// a gRPC server refuses a message by default.
const BATCH_BYTES: usize = 512 << 10;

/// Queue and counts.
#[derive(Debug)]
pub(super) struct Flow {
    counts: Mutex<Counts>,
    /// Wakes an export connection when there is something to send.
    pub(super) arrived: Notify,
    settled: Condvar,
    pub(super) budget: Arc<Budget>,
}

/// Everything that moves together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) queue: VecDeque<Chunk>,
    /// Started in shards that no longer exist.
    pub(super) started: u64,
    pub(super) queued: u64,
    pub(super) in_flight: u64,
    pub(super) acknowledged: u64,
    pub(super) lost: BTreeMap<Reason, u64>,
    pub(super) refused_requests: u64,
    pub(super) attempts: u64,
    pub(super) retries: BTreeMap<Reason, u64>,
}

impl Flow {
    pub(super) fn new(budget: Arc<Budget>) -> Flow {
        Flow {
            counts: Mutex::default(),
            arrived: Notify::new(),
            settled: Condvar::new(),
            budget,
        }
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a chunk. The caller holds its shard's lock, so that no observer sees the spans twice
    /// or not at all.
    pub(super) fn push(&self, chunk: Chunk) {
        let mut counts = self.counts();
        counts.queued += chunk.spans;
        counts.queue.push_back(chunk);
        drop(counts);
        self.arrived.notify_one();
    }

    /// Counts spans that never made it into a chunk.
    pub(super) fn lose(&self, reason: Reason, spans: u64) {
        *self.counts().lost.entry(reason).or_default() += spans;
        self.settled.notify_all();
    }

    /// The oldest chunks up to a batch; `None` if there are none.
    pub(super) fn take(self: &Arc<Flow>) -> Option<Batch> {
        let mut counts = self.counts();
        let mut batch = Batch {
            chunks: Vec::new(),
            spans: 0,
            bytes: 0,
            flow: self.clone(),
        };
        while batch.bytes < BATCH_BYTES {
            let Some(chunk) = counts.queue.pop_front() else {
                break;
            };
            batch.spans += chunk.spans;
            batch.bytes += chunk.bytes.len();
            batch.chunks.push(chunk);
        }
        counts.queued -= batch.spans;
        counts.in_flight += batch.spans;
        let more = !counts.queue.is_empty();
        drop(counts);
        if more {
            // One permit may stand for many chunks: the next connection looks for itself.
            self.arrived.notify_one();
        }
        (batch.spans > 0).then_some(batch)
    }

    /// Blocks until nothing is queued or in flight, or the time is over.
    pub(super) fn wait_settled(&self, timeout: Duration) -> bool {
        let busy = |counts: &mut Counts| counts.queued + counts.in_flight > 0;
        let (counts, _) = self
            .settled
            .wait_timeout_while(self.counts(), timeout, busy)
            .unwrap_or_else(PoisonError::into_inner);
        counts.queued + counts.in_flight == 0
    }
}

/// Chunks under way. It is settled exactly once: acknowledged, lost, or, when dropped, lost to
/// shutdown; its memory goes back to the budget at that moment.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) chunks: Vec<Chunk>,
    spans: u64,
    bytes: usize,
    flow: Arc<Flow>,
}

impl Batch {
    /// Spans in it.
    pub(super) fn spans(&self) -> u64 {
        self.spans
    }

    /// The collector took it over, but for `rejected` of its spans.
    pub(super) fn acknowledge(mut self, rejected: u64) {
        let rejected = rejected.min(self.spans);
        self.settle(self.spans - rejected, rejected, "partial_success".into());
    }

    /// It will never be taken over.
    pub(super) fn lose(mut self, reason: Reason) {
        self.settle(0, self.spans, reason);
    }

    /// Two batches in place of one, for a receiver that found it too large; `Err` gives it back if
    /// it is a single span.
    pub(super) fn split(mut self) -> Result<(Batch, Batch), Batch> {
        let mut rest = if self.chunks.len() > 1 {
            self.chunks.split_off(self.chunks.len() / 2)
        } else {
            match self.chunks.first().and_then(Chunk::split) {
                None => return Err(self),
                Some((first, second)) => {
                    self.chunks = vec![first];
                    vec![second]
                }
            }
        };
        let second = Batch {
            spans: rest.iter().map(|chunk| chunk.spans).sum(),
            bytes: rest.iter().map(|chunk| chunk.bytes.len()).sum(),
            chunks: std::mem::take(&mut rest),
            flow: self.flow.clone(),
        };
        self.spans -= second.spans;
        self.bytes -= second.bytes;
        Ok((self, second))
    }

    fn settle(&mut self, acknowledged: u64, lost: u64, reason: Reason) {
        if self.spans == 0 {
            return;
        }
        let mut counts = self.flow.counts();
        counts.in_flight -= self.spans;
        counts.acknowledged += acknowledged;
        if lost > 0 {
            *counts.lost.entry(reason).or_default() += lost;
        }
        drop(counts);
        self.spans = 0;
        // The memory first, then the permission to use it again.
        self.chunks.clear();
        self.flow.budget.give(self.bytes as i64);
        self.flow.settled.notify_all();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.settle(0, self.spans, "shutdown".into());
    }
}
