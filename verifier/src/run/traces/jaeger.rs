//! Reads Jaeger's query service: the traces of the load's window in, span rows out.
//!
//! API: jaeger-idl, proto/api_v3/query_service.proto, over gRPC (`grpc://host:16685`) or as JSON (`http://host:16686`).
//! It has no paging, and an answer that reaches its depth may be cut: time is halved until none does.

mod query;

use super::intake::Wanted;
use super::reading::{Missing, Reading, Window};
use super::slices::Slices;
use anyhow::Result;
use futures_util::{StreamExt, stream};
use query::{Found, Jaeger, Messages};
use std::time::Duration;

/// Traces in one answer, at most: some 50 to 100 MB of spans.
const DEPTH: u32 = 50_000;
/// Missing traces that are asked for by id; more are looked for by time again.
const BY_ID: usize = 5_000;
/// Of those that are looked for again by time.
const AGAIN: usize = 200_000;
const AT_ONCE: usize = 8;
const PAUSE: Duration = Duration::from_millis(500);
/// Reads that may fail in a row.
const TRIES: u32 = 10;

/// Proves that it answers.
///
/// # Errors
/// When it does not.
pub(super) async fn check(url: &str) -> Result<()> {
    Jaeger::new(url)?.most_traces().await.map(drop)
}

/// Reads until everything is there or the run stops.
///
/// # Errors
/// When it can not be read any more.
pub(super) async fn read(url: &str, reading: &mut Reading) -> Result<()> {
    let jaeger = Jaeger::new(url)?;
    // Asked while it has little to search through.
    let most = jaeger.most_traces().await?;
    let Some(window) = reading.load_ended().await else {
        return Ok(());
    };
    let mut reader = Reader {
        jaeger,
        window,
        depth: most.map_or(DEPTH, |most| most.min(DEPTH)),
        failed: 0,
    };
    reader.slices(reading, None).await?;
    reading.caught_up();
    while !reading.whole() && reading.pause(PAUSE).await {
        let missing = reading.missing(AGAIN);
        match missing.ids.len() {
            0 => {}
            1..=BY_ID => reader.by_id(reading, &missing).await?,
            _ => reader.slices(reading, Some(&missing)).await?,
        }
    }
    let traces = reading.traces_due();
    if let Some(most) = most.filter(|most| traces > u64::from(*most)) {
        reading.intake.lost(&format!(
            "Jaeger's memory store holds {most} traces (max_traces), and the run made {traces}: the oldest were evicted"
        ));
    }
    Ok(())
}

struct Reader {
    jaeger: Jaeger,
    window: Window,
    /// Traces that one answer can hold.
    depth: u32,
    /// Reads failed in a row.
    failed: u32,
}

impl Reader {
    /// Reads the whole window; of traces that are `missing` only, if they are given.
    async fn slices(&mut self, reading: &mut Reading, missing: Option<&Missing>) -> Result<()> {
        let traces = reading.traces_due();
        let mut slices = Slices::new(self.window, traces / u64::from(self.depth / 2).max(1) + 1);
        while let Some((from, to)) = slices.next() {
            if reading.stopped() {
                reading.intake.incomplete(&format!(
                    "the run ended before Jaeger was read: {} of its time was left",
                    slices.left(to - from)
                ));
                return Ok(());
            }
            match self.jaeger.find(from, to, self.depth).await {
                Ok(Found::Traces(messages)) => {
                    self.failed = 0;
                    self.take(reading, missing, &mut slices, (from, to), &messages);
                }
                Ok(Found::TooDeep) => {
                    self.depth = (self.depth / 2).max(1);
                    slices.again((from, to));
                }
                Err(error) => {
                    self.fail(reading, &error)?;
                    slices.again((from, to));
                    reading.pause(PAUSE).await;
                }
            }
        }
        Ok(())
    }

    fn take(
        &self,
        reading: &mut Reading,
        missing: Option<&Missing>,
        slices: &mut Slices,
        (from, to): (u64, u64),
        messages: &Messages,
    ) {
        if messages.traces() >= self.depth as usize && !slices.halve((from, to)) {
            reading.intake.incomplete(&format!(
                "{} traces or more begin in the same microsecond, and Jaeger gives no more at once",
                self.depth
            ));
        } else if messages.traces() >= self.depth as usize {
            return;
        }
        // A trace is in each slice in which one of its spans begins; a span begins in one.
        let wanted = Wanted {
            began: from..=to - 1,
            missing,
        };
        take(reading, messages, &wanted);
    }

    /// Asks for each missing trace.
    async fn by_id(&mut self, reading: &mut Reading, missing: &Missing) -> Result<()> {
        let jaeger = &self.jaeger;
        let mut answers = stream::iter(missing.ids.clone())
            .map(|id| async move { jaeger.get(id).await })
            .buffer_unordered(AT_ONCE);
        let wanted = Wanted {
            missing: Some(missing),
            ..Wanted::default()
        };
        let mut failure = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(messages) => take(reading, &messages, &wanted),
                Err(error) => failure = Some(error),
            }
            if reading.stopped() {
                break;
            }
        }
        drop(answers);
        match failure {
            Some(error) => self.fail(reading, &error),
            None => {
                self.failed = 0;
                Ok(())
            }
        }
    }

    fn fail(&mut self, reading: &mut Reading, error: &anyhow::Error) -> Result<()> {
        let why = format!("{error:#}");
        reading.intake.failed_read(&why);
        self.failed += 1;
        anyhow::ensure!(self.failed < TRIES, "{TRIES} reads in a row failed: {why}");
        Ok(())
    }
}

fn take(reading: &mut Reading, messages: &Messages, wanted: &Wanted<'_>) {
    for message in messages.iter() {
        let intake = &mut reading.intake;
        if let Err(error) = intake.take_wanted(message.message(), message.bytes(), wanted) {
            intake.incomplete(&format!("an answer of Jaeger: {error}"));
        }
    }
}
