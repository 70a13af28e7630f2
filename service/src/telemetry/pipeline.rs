//! The bounded way of a span from the thread that ends it to the exporter's queue: admission,
//! per-thread shards, hand-over, books. Recording neither blocks nor drops what was admitted.

use std::{
    cell::RefCell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use opentelemetry::InstrumentationScope;
use tokio::sync::Notify;

use super::{
    budget::Budget,
    config::OnPressure,
    encode,
    envelope::{ResourceHead, ScopeHead},
    flow::Flow,
    gathered::Gathered,
    ledger::{Books, Reason},
    permit::Waiting,
    shard::{Outlet, Shard, ShardState},
    span::SpanRecord,
    spill::Order,
    wire::field_len,
};

/// A shard's buffer is handed over at this size: about a thousand spans.
const CHUNK_BYTES: usize = 256 << 10;
/// No span may be larger: with a chunk before it and the heads it still fits a 4 MiB message.
const SPAN_BYTES: usize = 3 << 20;

/// Shards, queue and budget of one running telemetry.
#[derive(Debug)]
pub(super) struct Pipeline {
    id: u64,
    on_pressure: OnPressure,
    own_scope: Arc<ScopeHead>,
    registry: Mutex<Registry>,
    outlet: Outlet,
    /// For spans that end while their thread is being torn down.
    stray: Arc<Shard>,
    /// Asks the sweep not to wait for its next turn.
    pub(super) pressed: Notify,
    /// Requests that wait for memory.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Registry {
    shards: Vec<Arc<Shard>>,
    closed: bool,
}

thread_local! {
    /// This thread's shard in each living pipeline (one, but in tests).
    static SHARDS: RefCell<Vec<(u64, Arc<Shard>)>> = const { RefCell::new(Vec::new()) };
}

impl Pipeline {
    pub(super) fn new(
        resource: Arc<ResourceHead>,
        own_scope: ScopeHead,
        capacity: u64,
        on_pressure: OnPressure,
        spill: Option<mpsc::Sender<Order>>,
    ) -> Pipeline {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let own_scope = Arc::new(own_scope);
        let stray = Arc::new(Shard::new(own_scope.clone(), false));
        let chunk_bytes = usize::try_from(capacity / 16)
            .unwrap_or(CHUNK_BYTES)
            .min(CHUNK_BYTES);
        let flow = Arc::new(Flow::new(Arc::new(Budget::new(capacity)), spill));
        Pipeline {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            on_pressure,
            registry: Mutex::new(Registry {
                shards: vec![stray.clone()],
                closed: false,
            }),
            outlet: Outlet {
                flow,
                pool: Arc::default(),
                resource,
                chunk_bytes,
            },
            own_scope,
            stray,
            pressed: Notify::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(super) fn flow(&self) -> &Arc<Flow> {
        &self.outlet.flow
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.outlet.flow.budget
    }

    pub(super) fn sheds(&self) -> bool {
        self.on_pressure == OnPressure::Shed
    }

    /// Reserves one request's spans if there is room now.
    pub(super) fn reserve(&self) -> bool {
        loop {
            if self.with_shard(|shard| shard.reserve(self.budget())) {
                return true;
            }
            if !self.sheds() || !self.flow().make_room() {
                return false;
            }
        }
    }

    /// Reserves one request's spans, waiting for room up to `patience`.
    pub(super) async fn reserve_within(&self, patience: Duration) -> bool {
        let _waiting = Waiting::new(&self.waiting);
        let wait = async {
            loop {
                let mut space = std::pin::pin!(self.budget().space().notified());
                // Listening before looking: what is given back in between is not missed.
                space.as_mut().enable();
                if self.reserve() {
                    return;
                }
                self.pressed.notify_one();
                space.await;
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }

    /// Ends a reservation.
    pub(super) fn release(&self) {
        self.with_shard(|shard| self.release_in(shard));
    }

    fn release_in(&self, shard: &mut ShardState) {
        shard.release(self.budget());
        if self.waiting.load(Ordering::Relaxed) > 0 {
            shard.return_lease(self.budget());
        }
    }

    pub(super) fn count_refusal(&self) {
        self.flow().counts().refused_requests += 1;
    }

    /// Encodes one of the service's own spans, paid for by the request's reservation, or, without
    /// one, by the reserve. The attributes in `before` precede its own.
    pub(super) fn record(&self, span: &SpanRecord<'_>, before: &[u8], reserved: bool) {
        let content = encode::span_len(span, before);
        self.put(None, content, reserved, |buf| {
            encode::put_span(buf, span, before, content);
        });
    }

    /// Puts one encoded span of `content` bytes in its place; counts it, whatever happens to it.
    pub(super) fn put(
        &self,
        scope: Option<&InstrumentationScope>,
        content: usize,
        reserved: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let bytes = field_len(content);
        self.with_shard(|shard| {
            shard.started += 1;
            let budget = self.budget();
            let refusal = if shard.closed {
                Some("shutdown")
            } else if bytes > SPAN_BYTES {
                Some("too_large")
            } else if reserved && shard.pay(bytes as i64, budget)
                || !reserved && budget.take_from_reserve(bytes as i64)
            {
                None
            } else {
                Some("buffer_full")
            };
            match refusal {
                None => shard.append(scope, 1, &self.outlet, write),
                Some(reason) => self.flow().lose(Reason::Borrowed(reason), 1),
            }
        });
    }

    /// Puts a request's own spans in their place, all at once, and ends its reservation.
    pub(super) fn put_gathered(&self, gathered: &Gathered, reserved: bool) {
        let (bytes, spans) = (gathered.bytes(), gathered.spans());
        self.with_shard(|shard| {
            shard.started += spans;
            if shard.closed {
                self.flow().lose(Reason::Borrowed("shutdown"), spans);
            } else if shard.pay(bytes.len() as i64, self.budget()) {
                shard.append(None, spans, &self.outlet, |buf| {
                    buf.extend_from_slice(bytes)
                });
            } else {
                self.flow().lose(Reason::Borrowed("buffer_full"), spans);
            }
            if reserved {
                self.release_in(shard);
            }
        });
    }

    /// Hands over what the shards hold. Returns idle leases while requests wait for memory, and
    /// forgets the shards of threads that have ended.
    pub(super) fn sweep(&self) {
        let pressed = self.waiting.load(Ordering::Relaxed) > 0;
        self.registry().shards.retain(|shard| {
            let mut state = shard.lock();
            state.hand_over_all(&self.outlet);
            let gone = Arc::strong_count(shard) == 1;
            if pressed || gone {
                state.return_lease(self.budget());
            }
            if gone {
                self.flow().counts().started += std::mem::take(&mut state.started);
            }
            !gone
        });
        self.flow().due();
    }

    /// From now on every span that ends is lost to shutdown; what is buffered is handed over.
    pub(super) fn close(&self) {
        let mut registry = self.registry();
        registry.closed = true;
        for shard in &registry.shards {
            let mut state = shard.lock();
            state.closed = true;
            state.hand_over_all(&self.outlet);
        }
        self.flow().due();
    }

    /// Hands over and waits until everything is settled, or the time is over.
    pub(super) fn flush(&self, timeout: Duration) -> bool {
        self.sweep();
        self.flow().wait_settled(timeout)
    }

    /// The books at one moment: all locks are held while the counts are read.
    pub(super) fn books(&self) -> Books {
        let registry = self.registry();
        let shards: Vec<MutexGuard<'_, ShardState>> =
            registry.shards.iter().map(|shard| shard.lock()).collect();
        let counts = self.flow().counts();
        let named = |counts: &std::collections::BTreeMap<Reason, u64>| {
            counts
                .iter()
                .map(|(why, n)| (why.to_string(), *n))
                .collect()
        };
        Books {
            started: counts.started + shards.iter().map(|shard| shard.started).sum::<u64>(),
            queued: counts.queued + shards.iter().map(|shard| shard.buffered).sum::<u64>(),
            in_flight: counts.in_flight,
            acknowledged: counts.acknowledged,
            recovered: counts.recovered,
            left_on_disk: counts.left_on_disk,
            lost: named(&counts.lost),
            refused_requests: counts.refused_requests,
            export_attempts: counts.attempts,
            export_retries: named(&counts.retries),
            buffer_capacity_bytes: self.budget().capacity(),
            buffer_used_bytes: self.budget().used(),
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_shard<T>(&self, work: impl FnOnce(&mut ShardState) -> T) -> T {
        let mut work = Some(work);
        let done = SHARDS.try_with(|shards| {
            let shards = shards.try_borrow().ok()?;
            let (_, shard) = shards.iter().find(|(id, _)| *id == self.id)?;
            work.take().map(|work| work(&mut shard.lock()))
        });
        match (done, work) {
            (Ok(Some(done)), _) => done,
            (_, Some(work)) => work(&mut self.register().lock()),
            (_, None) => unreachable!("work is taken only to be done"),
        }
    }

    /// This thread's new shard; the stray one if the thread is being torn down.
    #[cold]
    fn register(&self) -> Arc<Shard> {
        let mut registry = self.registry();
        let shard = Arc::new(Shard::new(self.own_scope.clone(), registry.closed));
        let kept = SHARDS.try_with(|shards| {
            shards
                .try_borrow_mut()
                .map(|mut shards| shards.push((self.id, shard.clone())))
                .is_ok()
        });
        if !matches!(kept, Ok(true)) {
            return self.stray.clone();
        }
        registry.shards.push(shard.clone());
        shard
    }
}
