//! The recorder: takes what every part of a run saw and puts it on disk, from one thread of its own,
//! and keeps the running count of which requests have their whole trace.

use super::completeness::{Completeness, Lacking};
use super::figures::Figures;
use super::live::{Live, MOST_SOURCES};
use super::room::Room;
use super::{
    Clock, Dictionary, Entry, Exchange, Found, Journal, Observation, RowWriter, RunFolder, RunKey,
    Second, Shard, Span, Table,
};
use anyhow::{Context, Result, ensure};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Rows that may wait for the disk: 64 MiB. Past that, whoever has more waits, and the wait shows as
/// generator lag (load workers) or as back-pressure on the exporter (trace receiver).
const MOST_WAITING: usize = 1 << 20;

/// A span that the plan expects in the trace of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its name.
    pub name: String,
    /// Tasks of whose exchanges it is due when they were answered with an error: bit i for task i.
    pub of_answered: u64,
    /// Tasks of whose exchanges it is due when they were answered with success.
    pub of_ok: u64,
}

enum Chunk {
    Exchanges(Vec<Exchange>),
    /// Of the source with this number.
    Spans(u8, Vec<Span>),
    /// Another source's file.
    Source(RowWriter<Span>),
    /// What a source still lacks, so many at most.
    Lacking(u8, usize, SyncSender<Vec<Lacking>>),
    Flush(SyncSender<()>),
    Stop,
}

/// Handle to the recorder; clones share it, any thread may hold one.
#[derive(Clone)]
pub struct Recorder {
    clock: Clock,
    key: RunKey,
    shard: Shard,
    journal: Journal,
    chunks: Sender<Chunk>,
    room: Arc<Room>,
    dictionary: Arc<Mutex<Dictionary>>,
    live: Arc<Live>,
    /// Whose spans this handle takes in.
    source: u8,
    /// Numbers of trace ids that others made; `None`: those of the run's own requests are followed.
    found: Option<Arc<Mutex<Found>>>,
    /// Exchanges kept for somebody who decides by them; `None`: nobody does.
    kept: Arc<Mutex<Option<Vec<Exchange>>>>,
}

/// Ends the recording; not a clone, so that exactly one owner does.
pub struct Recording {
    recorder: Recorder,
    folder: RunFolder,
    /// Sources so far; the first is there from the start.
    sources: u8,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Recording {
    /// Starts recording into the folder. Expected spans take the first numbers of
    /// [`Table::SpanName`], in order; at most 16 can be followed.
    ///
    /// # Errors
    /// When the files can not be created.
    pub fn start(
        folder: &RunFolder,
        clock: Clock,
        key: RunKey,
        expected: &[Expected],
    ) -> Result<Recording> {
        Recording::start_shard(folder, clock, key, Shard::WHOLE, expected)
    }

    /// The same for one shard of a run.
    ///
    /// # Errors
    /// As [`Recording::start`].
    pub fn start_shard(
        folder: &RunFolder,
        clock: Clock,
        key: RunKey,
        shard: Shard,
        expected: &[Expected],
    ) -> Result<Recording> {
        let journal = Journal::create(&folder.journal())?;
        let exchanges = RowWriter::create(&folder.exchange_rows())?;
        let spans = RowWriter::create(&folder.span_rows())?;
        let (sender, receiver) = channel();
        let live = Arc::new(Live::default());
        let recorder = Recorder {
            clock,
            key,
            shard,
            journal,
            chunks: sender,
            room: Arc::new(Room::new(MOST_WAITING)),
            dictionary: Arc::default(),
            live: Arc::clone(&live),
            source: 0,
            found: None,
            kept: Arc::default(),
        };
        for span in expected {
            recorder.intern(Table::SpanName, &span.name);
        }
        recorder.intern(Table::Detail, "");
        let writer = Writer {
            exchanges,
            spans: vec![spans],
            completeness: vec![Completeness::new(shard, expected)],
            expected: expected.to_vec(),
            second: Figures::default(),
            earlier: (0, 0),
            recorder: recorder.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || writer.run(&receiver))
            .context("cannot start the recorder's thread")?;
        Ok(Recording {
            recorder,
            folder: folder.clone(),
            sources: 1,
            thread: Some(thread),
        })
    }

    /// Takes in every trace, whoever made its id: handles that are given out from now on number them as they come.
    ///
    /// # Errors
    /// When the file of the ids can not be created.
    pub fn take_found(&mut self) -> Result<()> {
        let found = Found::create(&self.folder.trace_ids())?;
        self.recorder.found = Some(Arc::new(Mutex::new(found)));
        Ok(())
    }

    /// A handle for those who have something to record.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// A handle for one more source of traces, with a file of its own in the run folder. Begun before any load.
    ///
    /// # Errors
    /// When its file can not be created, or there are [`MOST_SOURCES`] already.
    pub fn another_source(&mut self, name: &str) -> Result<Recorder> {
        let number = self.sources;
        ensure!(
            usize::from(number) < MOST_SOURCES,
            "more than {MOST_SOURCES} sources of traces"
        );
        let rows = RowWriter::create(&self.folder.span_rows_of(number, name))?;
        let _ = self.recorder.chunks.send(Chunk::Source(rows));
        self.sources += 1;
        self.recorder.live.sources.store(self.sources, Relaxed);
        Ok(Recorder {
            source: number,
            ..self.recorder.clone()
        })
    }

    /// Writes what is still queued and ends the thread. Whoever records afterwards is ignored.
    ///
    /// # Errors
    /// When something could not be written: the rows on disk are then fewer than were seen.
    pub fn stop(mut self) -> Result<()> {
        // A send fails only when the thread has already ended; then its own error says why.
        let _ = self.recorder.chunks.send(Chunk::Stop);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => anyhow::bail!("the recorder's thread panicked"),
        }
    }
}

impl Recorder {
    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The run's key.
    pub fn key(&self) -> RunKey {
        self.key
    }

    /// Which part of the run this is.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// The numbers of trace ids that others made, where these are taken in.
    pub fn found(&self) -> Option<Arc<Mutex<Found>>> {
        self.found.clone()
    }

    /// Counters for whoever watches the run.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Hands over exchanges; waits when the disk is behind.
    pub fn exchanges(&self, rows: Vec<Exchange>) {
        if !rows.is_empty() {
            self.room.enter(rows.len());
            let _ = self.chunks.send(Chunk::Exchanges(rows)); // fails only after a write error, which `failed` shows
        }
    }

    /// Hands over spans of this handle's source; waits when the disk is behind.
    pub fn spans(&self, rows: Vec<Span>) {
        if !rows.is_empty() {
            self.room.enter(rows.len());
            let _ = self.chunks.send(Chunk::Spans(self.source, rows));
        }
    }

    /// Number of the source whose spans this handle takes in.
    pub fn source(&self) -> u8 {
        self.source
    }

    /// Requests whose trace is due and not whole in this handle's source, the oldest first, so many at most.
    pub fn lacking(&self, most: usize) -> Vec<Lacking> {
        let (sender, answer) = sync_channel(1);
        if self
            .chunks
            .send(Chunk::Lacking(self.source, most, sender))
            .is_err()
        {
            return Vec::new();
        }
        answer.recv().unwrap_or_default()
    }

    /// Keeps the exchanges that come from now on in memory as well, until they are taken.
    pub fn keep_exchanges(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// The exchanges kept since the last time.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Returns when everything handed over before is written and counted.
    pub fn flush(&self) {
        let (sender, done) = sync_channel(1);
        if self.chunks.send(Chunk::Flush(sender)).is_ok() {
            let _ = done.recv();
        }
    }

    /// Writes a journal line stamped now.
    pub fn observe(&self, observation: Observation) {
        let at_ns = self.clock.now_ns();
        self.live.see(at_ns, &observation);
        let entry = Entry { at_ns, observation };
        if let Err(error) = self.journal.write(&entry) {
            self.live.fail(&error);
        }
    }

    /// The number of a text; a new text is journalled first.
    pub fn intern(&self, table: Table, text: &str) -> u16 {
        let mut dictionary = self
            .dictionary
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (number, new) = dictionary.intern(table, text);
        if new {
            self.observe(Observation::Dictionary {
                table,
                number,
                text: dictionary.text(table, number).to_owned(),
            });
        }
        number
    }
}

/// The recorder's own thread.
struct Writer {
    exchanges: RowWriter<Exchange>,
    /// By source, as is `completeness`.
    spans: Vec<RowWriter<Span>>,
    completeness: Vec<Completeness>,
    expected: Vec<Expected>,
    /// Of this second so far, and of the stage of the most recent exchange.
    second: Figures,
    /// Exchanges of this second that were of another stage, and those of them that failed.
    earlier: (u64, u64),
    recorder: Recorder,
}

/// However the thread ends: nobody may wait for it.
impl Drop for Writer {
    fn drop(&mut self) {
        self.recorder.room.close();
    }
}

impl Writer {
    fn run(mut self, chunks: &Receiver<Chunk>) -> Result<()> {
        let result = self.write_all(chunks);
        if let Err(error) = &result {
            self.recorder.live.fail(error);
        }
        result
    }

    fn write_all(&mut self, chunks: &Receiver<Chunk>) -> Result<()> {
        const SECOND: u64 = 1_000_000_000;
        let mut next_second_ns = SECOND;
        loop {
            let now = self.recorder.clock.now_ns();
            if now >= next_second_ns {
                self.end_second();
                next_second_ns = (now / SECOND + 1) * SECOND;
                continue;
            }
            match chunks.recv_timeout(Duration::from_nanos(next_second_ns - now)) {
                Ok(Chunk::Exchanges(rows)) => {
                    self.exchanges.append(&rows)?;
                    self.recorder.room.leave(rows.len());
                    self.count_exchanges(&rows);
                }
                Ok(Chunk::Spans(source, rows)) => self.take_spans(usize::from(source), &rows)?,
                Ok(Chunk::Source(rows)) => {
                    self.spans.push(rows);
                    self.completeness
                        .push(Completeness::new(self.recorder.shard, &self.expected));
                }
                Ok(Chunk::Lacking(source, most, answer)) => {
                    let of_source = self.completeness.get(usize::from(source));
                    let lacking = of_source.map(|completeness| completeness.lacking(most));
                    let _ = answer.send(lacking.unwrap_or_default());
                }
                Ok(Chunk::Flush(done)) => {
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Chunk::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.end_second();
                    return Ok(());
                }
            }
        }
    }

    fn take_spans(&mut self, source: usize, rows: &[Span]) -> Result<()> {
        // A handle is given only after its source was announced.
        if let (Some(file), Some(completeness)) = (
            self.spans.get_mut(source),
            self.completeness.get_mut(source),
        ) {
            file.append(rows)?;
            completeness.spans(rows);
        }
        self.recorder.room.leave(rows.len());
        self.recorder.live.of_source[source]
            .spans
            .fetch_add(rows.len() as u64, Relaxed);
        self.publish();
        Ok(())
    }

    fn count_exchanges(&mut self, rows: &[Exchange]) {
        for completeness in &mut self.completeness {
            completeness.exchanges(rows);
        }
        let kept = self.recorder.kept.lock();
        if let Some(kept) = &mut *kept.unwrap_or_else(PoisonError::into_inner) {
            kept.extend_from_slice(rows);
        }
        for rows in rows.chunk_by(|a, b| a.stage == b.stage) {
            self.turn_to(rows[0].stage);
            rows.iter().for_each(|row| self.second.count(row));
        }
        self.publish();
    }

    /// What comes next is of this stage.
    fn turn_to(&mut self, stage: u16) {
        if stage != self.second.stage {
            self.recorder.live.add_figures(&self.second);
            self.earlier.0 += self.second.done();
            self.earlier.1 += self.second.failed();
            self.second.clear(stage);
        }
    }

    fn publish(&self) {
        let live = &self.recorder.live;
        live.traces_expected
            .store(self.completeness[0].expected(), Relaxed);
        for (source, completeness) in live.of_source.iter().zip(&self.completeness) {
            source.complete.store(completeness.complete(), Relaxed);
        }
    }

    fn end_second(&mut self) {
        let live = &self.recorder.live;
        let stage = self.second.stage;
        let second = Second {
            stage,
            done: self.earlier.0 + self.second.done(),
            failed: self.earlier.1 + self.second.failed(),
            p50_ns: self.second.latency.quantile(0.50),
            p99_ns: self.second.latency.quantile(0.99),
            spans: live.of_source[0].spans.load(Relaxed),
            traces_expected: self.completeness[0].expected(),
            traces_complete: live.traces_complete(),
        };
        live.end_second(&second);
        if second.done > 0 {
            live.add_figures(&self.second);
            self.second.clear(stage);
            self.earlier = (0, 0);
            self.recorder.observe(Observation::Second(second));
        }
    }
}
