//! What the shards hand over and the exporter takes: the queue of chunks and, under the same lock,
//! the counts that make up the books.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{
    budget::Budget,
    chunk::{Chunk, Packer, Queued},
    envelope,
    ledger::Reason,
    spill::Order,
};

/// A batch is full at this size; the largest is this plus one chunk, well below the 4 MiB at which
/// a gRPC server refuses a message by default. Each costs a dozen system calls and as many wake-ups:
/// half of it cost a tenth of what tracing costs.
const BATCH_BYTES: usize = 1 << 20;

/// The oldest chunks of the queue are not compressed: they are sent next.
const LEFT_PLAIN: usize = 8;

/// Queue and counts.
#[derive(Debug)]
pub(super) struct Flow {
    counts: Mutex<Counts>,
    /// Wakes an export connection when there is something to send.
    pub(super) arrived: Notify,
    settled: Condvar,
    pub(super) budget: Arc<Budget>,
    /// To the writer of the spill directory, if there is one.
    spill: Option<mpsc::Sender<Order>>,
    /// The collector has taken nothing for so long that requests no longer yield to its spans.
    given_up: AtomicBool,
}

/// Everything that moves together.
#[derive(Debug, Default)]
pub(super) struct Counts {
    queue: VecDeque<Arc<Queued>>,
    /// Bytes of what is in the queue, wherever they are.
    queue_bytes: usize,
    /// What is in the queue is sent, however little it is.
    due: bool,
    /// Started in shards that no longer exist.
    pub(super) started: u64,
    /// Found in the spill directory.
    pub(super) recovered: u64,
    pub(super) queued: u64,
    pub(super) in_flight: u64,
    pub(super) acknowledged: u64,
    pub(super) lost: BTreeMap<Reason, u64>,
    /// Not delivered, but in the spill directory when this process ended.
    pub(super) left_on_disk: u64,
    pub(super) refused_requests: u64,
    pub(super) attempts: u64,
    pub(super) retries: BTreeMap<Reason, u64>,
}

impl Counts {
    fn enqueue(&mut self, chunk: Arc<Queued>) {
        self.queued += chunk.spans;
        self.queue_bytes += chunk.len;
        self.queue.push_back(chunk);
    }
}

impl Flow {
    pub(super) fn new(budget: Arc<Budget>, spill: Option<mpsc::Sender<Order>>) -> Flow {
        Flow {
            counts: Mutex::default(),
            arrived: Notify::new(),
            settled: Condvar::new(),
            budget,
            spill,
            given_up: AtomicBool::new(false),
        }
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a chunk. The caller holds its shard's lock, so that no observer sees the spans twice
    /// or not at all.
    pub(super) fn push(&self, chunk: Queued) {
        let chunk = Arc::new(chunk);
        if let Some(spill) = &self.spill {
            // A writer that is gone means that the process ends.
            let _ = spill.send(Order::Store(Arc::downgrade(&chunk)));
        }
        let mut counts = self.counts();
        counts.enqueue(chunk);
        let full = counts.queue_bytes >= self.full_batch();
        drop(counts);
        if full {
            self.arrived.notify_one();
        }
    }

    /// What is queued by now has waited long enough.
    pub(super) fn due(&self) {
        let mut counts = self.counts();
        counts.due = !counts.queue.is_empty();
        if counts.due {
            self.arrived.notify_one();
        }
    }

    /// In a small buffer a batch is small too, or nothing would be left for what comes next.
    fn full_batch(&self) -> usize {
        BATCH_BYTES.min(self.budget.capacity() as usize / 8)
    }

    /// Queues what an earlier process has left in the spill directory.
    pub(super) fn recover(&self, chunk: Queued) {
        let mut counts = self.counts();
        counts.recovered += chunk.spans;
        counts.enqueue(Arc::new(chunk));
        counts.due = true;
        drop(counts);
        self.arrived.notify_one();
    }

    /// Whether requests still wait for the collector, or its oldest spans yield to them.
    pub(super) fn give_up(&self, given_up: bool) {
        if self.given_up.swap(given_up, Ordering::Relaxed) == given_up {
            return;
        }
        if given_up {
            tracing::error!(
                "the collector has taken nothing for too long: when the span buffer is full, the oldest spans are lost and requests are served"
            );
        } else {
            tracing::info!("when the span buffer is full, requests yield to spans again");
        }
    }

    /// Whether so much waits that it is worth the work to compress it.
    pub(super) fn is_crowded(&self) -> bool {
        self.spill.is_none() && self.budget.is_quarter_used()
    }

    /// Compresses what waits until it no longer crowds memory. Blocks.
    pub(super) fn pack(&self, packer: &mut Packer) {
        while self.is_crowded() {
            // The newest wait longest; a few are left for those who send them in a moment.
            let plain = self
                .counts()
                .queue
                .iter()
                .skip(LEFT_PLAIN)
                .rev()
                .find(|c| c.is_plain())
                .cloned();
            let Some(freed) = plain.and_then(|chunk| chunk.pack(packer)) else {
                return;
            };
            self.budget.give(freed as i64);
        }
    }

    /// Frees memory at the cost of the oldest spans in it, if the collector has been given up; false
    /// if there is nothing to free.
    pub(super) fn make_room(&self) -> bool {
        if !self.given_up.load(Ordering::Relaxed) {
            return false;
        }
        let mut counts = self.counts();
        // What is on disk too is not lost.
        let freed = counts.queue.iter().find_map(|chunk| chunk.forget());
        let freed = freed.unwrap_or_else(|| {
            let oldest = counts.queue.iter().position(|chunk| !chunk.is_stored());
            let Some(chunk) = oldest.and_then(|oldest| counts.queue.remove(oldest)) else {
                return 0;
            };
            counts.queued -= chunk.spans;
            counts.queue_bytes -= chunk.len;
            *counts.lost.entry("collector_away".into()).or_default() += chunk.spans;
            chunk.send().paid
        });
        drop(counts);
        self.budget.give(freed as i64);
        freed > 0
    }

    /// Counts spans that never made it into a chunk.
    pub(super) fn lose(&self, reason: Reason, spans: u64) {
        *self.counts().lost.entry(reason).or_default() += spans;
        self.settled.notify_all();
    }

    /// The oldest chunks up to a batch; `None` if there is no full one and what there is may wait.
    pub(super) fn take(self: &Arc<Flow>) -> Option<Batch> {
        let full = self.full_batch();
        let mut counts = self.counts();
        if !counts.due && counts.queue_bytes < full {
            return None;
        }
        let mut batch = Batch {
            chunks: Vec::new(),
            spans: 0,
            paid: 0,
            flow: self.clone(),
        };
        let mut bytes = 0;
        while bytes < full {
            let Some(chunk) = counts.queue.pop_front() else {
                break;
            };
            let chunk = chunk.send();
            bytes += chunk.len();
            batch.spans += chunk.spans;
            batch.paid += chunk.paid;
            batch.chunks.push(chunk);
        }
        counts.queue_bytes -= bytes;
        counts.due &= !counts.queue.is_empty();
        counts.queued -= batch.spans;
        counts.in_flight += batch.spans;
        let more = counts.due || counts.queue_bytes >= full;
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

/// Chunks under way. It is settled exactly once: acknowledged, lost, or, when dropped, left on disk or
/// lost to shutdown; its memory goes back to the budget at that moment.
#[derive(Debug)]
pub(super) struct Batch {
    chunks: Vec<Chunk>,
    spans: u64,
    /// Bytes of the budget.
    paid: usize,
    flow: Arc<Flow>,
}

impl Batch {
    /// The pieces of the request that carries it.
    pub(super) fn request(&self) -> Vec<Bytes> {
        let parts: Vec<_> = self.chunks.iter().map(Chunk::part).collect();
        envelope::request(&parts)
    }

    /// Whether all of it is in memory.
    pub(super) fn is_loaded(&self) -> bool {
        self.chunks.iter().all(Chunk::is_loaded)
    }

    /// Reads what is only on disk; what can not be read is lost. Blocks.
    pub(super) fn load(mut self) -> Batch {
        let (mut read, mut unreadable) = (Vec::new(), Vec::new());
        for mut chunk in std::mem::take(&mut self.chunks) {
            match chunk.load() {
                Ok(()) => read.push(chunk),
                Err(error) => {
                    tracing::error!(%error, chunk.spans, "spilled spans can not be read");
                    unreadable.push(chunk);
                }
            }
        }
        let (whole, lost) = (self.of(read), self.of(unreadable));
        self.spans = 0;
        lost.lose("spill_unreadable".into());
        whole
    }

    /// A batch of these chunks.
    fn of(&self, chunks: Vec<Chunk>) -> Batch {
        Batch {
            spans: chunks.iter().map(|chunk| chunk.spans).sum(),
            paid: chunks.iter().map(|chunk| chunk.paid).sum(),
            chunks,
            flow: self.flow.clone(),
        }
    }

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
        let rest = if self.chunks.len() > 1 {
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
        let second = self.of(rest);
        self.spans -= second.spans;
        self.paid -= second.paid;
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
        self.flow.budget.give(self.paid as i64);
        self.flow.settled.notify_all();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // The process ends. What is on disk is the next one's.
        let stored = self.chunks.iter().filter(|chunk| chunk.is_stored());
        let left: u64 = stored
            .inspect(|chunk| chunk.leave_on_disk())
            .map(|chunk| chunk.spans)
            .sum();
        if left > 0 {
            let mut counts = self.flow.counts();
            counts.in_flight -= left;
            counts.left_on_disk += left;
            drop(counts);
            self.spans -= left;
        }
        self.settle(0, self.spans, "shutdown".into());
    }
}
