//! The optional copy of queued spans on disk, written off the request path: an outage that is longer
//! than memory, or a SIGKILL, loses nothing that is in it. The next process sends what is left.
//!
//! No `fsync`: the files survive the process and not a power cut, like the emptyDir they live in.

mod segment;

use std::{
    collections::VecDeque,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};

pub(super) use self::segment::Record;
use self::segment::Segment;
use super::{
    chunk::Queued,
    config::SpillConfig,
    envelope::{ResourceHead, ScopeHead},
    flow::Flow,
    now_unix_ns,
};

/// A file is full at this size: so much at most is sent twice after a crash.
const SEGMENT_BYTES: u64 = 4 << 20;
/// How often a full disk is tried again, and an idle file deleted.
const TICK: Duration = Duration::from_millis(200);
/// How long the end of the process waits for the last writes.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Write this, unless it is settled by then.
    Store(Weak<Queued>),
    /// Write what is there and end.
    Finish,
}

/// The writer's thread.
#[derive(Debug)]
pub(super) struct Spill {
    orders: Sender<Order>,
    /// In a lock only because telemetry is shared between threads.
    finished: Mutex<Receiver<()>>,
    /// Held while this process lives: two of them would send each other's spans.
    _lock: File,
}

impl Spill {
    /// Takes over the directory and starts the thread, which first queues what an earlier process
    /// has left. Fails if the directory can not be written or is another process's.
    pub(super) fn start(
        config: &SpillConfig,
        resource: Arc<ResourceHead>,
        flow: Arc<Flow>,
        (orders, receiver): (Sender<Order>, Receiver<Order>),
    ) -> Result<Spill> {
        let directory = &config.directory;
        let whose = || format!("the spill directory {}", directory.display());
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", whose()))?;
        let lock = lock(directory).with_context(|| format!("cannot use {}", whose()))?;
        let left = segments(directory).with_context(|| format!("cannot read {}", whose()))?;
        let (finishes, finished) = mpsc::channel();
        let writer = Writer {
            directory: directory.clone(),
            limit_bytes: config.limit_bytes,
            used: Arc::default(),
            resource,
            flow,
            pending: VecDeque::new(),
            current: None,
            opened: 0,
            failures: 0,
        };
        std::thread::Builder::new()
            .name("span-spill".to_owned())
            .spawn(move || {
                writer.run(&left, &receiver);
                // Nobody waits any more if this fails.
                let _ = finishes.send(());
            })
            .context("cannot start the spill thread")?;
        Ok(Spill {
            orders,
            finished: Mutex::new(finished),
            _lock: lock,
        })
    }

    /// Waits until everything that is queued is written, as far as the disk takes it.
    pub(super) fn finish(&self) {
        let sent = self.orders.send(Order::Finish).is_ok();
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        if !sent || finished.recv_timeout(LAST_WRITES).is_err() {
            tracing::error!("the spill directory's disk does not answer");
        }
    }
}

fn lock(directory: &Path) -> Result<File> {
    let path = directory.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another process uses it; give each its own"),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Files of earlier processes, oldest first.
fn segments(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "spans")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

struct Writer {
    directory: PathBuf,
    limit_bytes: u64,
    used: Arc<AtomicU64>,
    resource: Arc<ResourceHead>,
    flow: Arc<Flow>,
    pending: VecDeque<Weak<Queued>>,
    current: Option<Arc<Segment>>,
    /// Segments so far, for their names.
    opened: u64,
    /// Failed writes since the last good one, for the log.
    failures: u64,
}

impl Writer {
    fn run(mut self, left: &[PathBuf], orders: &Receiver<Order>) {
        for path in left {
            self.recover(path);
        }
        loop {
            let mut next = orders.recv_timeout(TICK);
            let idle = next.is_err();
            while let Ok(order) = next {
                match order {
                    Order::Store(chunk) => self.pending.push_back(chunk),
                    Order::Finish => {
                        self.write();
                        return;
                    }
                }
                next = orders.try_recv().map_err(|_| RecvTimeoutError::Timeout);
            }
            self.write();
            if idle
                && self
                    .current
                    .as_ref()
                    .is_some_and(|s| Arc::strong_count(s) == 1)
            {
                // Nothing in it is needed: a crash from here on would send it once more for nothing.
                self.current = None;
            }
        }
    }

    /// Queues what a file of an earlier process holds.
    fn recover(&self, path: &Path) {
        let contents = match Segment::open(path, &self.used) {
            Ok(contents) => contents,
            Err(error) => {
                let path = path.display();
                tracing::error!(%path, %error, "cannot read a spill file; it is left as it is");
                return;
            }
        };
        let resource = Arc::new(ResourceHead::from_bytes(contents.resource));
        let mut spans = 0;
        let mut scope: Option<Arc<ScopeHead>> = None;
        for found in contents.found {
            let scope = match &scope {
                Some(known) if known.as_bytes() == found.scope => known.clone(),
                _ => scope
                    .insert(Arc::new(ScopeHead::from_bytes(found.scope)))
                    .clone(),
            };
            spans += found.spans;
            self.flow.recover(Queued::on_disk(
                resource.clone(),
                scope,
                found.record,
                found.spans,
            ));
        }
        let path = path.display();
        if contents.torn_bytes > 0 {
            tracing::warn!(%path, spans, contents.torn_bytes, "recovered spans of an earlier process; the file's end was cut");
        } else {
            tracing::info!(%path, spans, "recovered spans of an earlier process");
        }
    }

    /// Writes what is pending, oldest first, until the disk or the limit says no.
    fn write(&mut self) {
        while let Some(chunk) = self.pending.front() {
            let Some(chunk) = chunk.upgrade() else {
                self.pending.pop_front();
                continue;
            };
            match self.store(&chunk) {
                Ok(true) => self.pending.pop_front(),
                Ok(false) => break,
                Err(error) => {
                    self.failed(&error);
                    break;
                }
            };
            self.failures = 0;
            if self.flow.budget.is_half_used()
                && let Some(freed) = chunk.forget()
            {
                self.flow.budget.give(freed as i64);
            }
        }
        // What is settled while the disk is full need not be remembered.
        self.pending.retain(|chunk| chunk.strong_count() > 0);
    }

    /// Writes one chunk; false if the limit leaves no room for it.
    fn store(&mut self, chunk: &Queued) -> io::Result<bool> {
        let Some(bytes) = chunk.bytes() else {
            return Ok(true);
        };
        if self.used.load(Ordering::Relaxed) + bytes.len() as u64 > self.limit_bytes {
            return Ok(false);
        }
        let segment = self.segment()?;
        chunk.store(segment.write(chunk.scope.as_bytes(), &bytes, chunk.spans)?);
        Ok(true)
    }

    /// The file that is written to.
    fn segment(&mut self) -> io::Result<Arc<Segment>> {
        if let Some(current) = &self.current
            && current.len() < SEGMENT_BYTES
        {
            return Ok(current.clone());
        }
        self.current = None;
        self.opened += 1;
        let name = format!("{:020}-{:08}.spans", now_unix_ns(), self.opened);
        let path = self.directory.join(name);
        let segment = Segment::create(path, self.resource.as_bytes(), &self.used)?;
        Ok(self.current.insert(segment).clone())
    }

    fn failed(&mut self, error: &io::Error) {
        self.failures += 1;
        if self.failures.is_power_of_two() {
            let directory = self.directory.display();
            tracing::warn!(%directory, %error, self.failures, "cannot spill spans; they stay in memory");
        }
    }
}
