//! Reads Jaeger's query service: the traces of the load's window in, span rows out.
//!
//! API: jaeger-idl, proto/api_v3/query_service.proto, over gRPC (`grpc://host:16685`) or as JSON (`http://host:16686`).
//! It has no paging, and an answer that reaches its depth may be cut: time is halved until none does.

mod query;

use super::by_id::{Failed, PAUSE, by_id};
use super::intake::Wanted;
use super::reading::{Missing, Reading, Window};
use super::slices::Slices;
use super::stored::{Stored, take};
use anyhow::Result;
use query::{Found, Jaeger, traces};

/// Traces in one answer, at most: some 50 to 100 MB of spans.
const DEPTH: u32 = 50_000;
/// Missing traces that are asked for by id; more are looked for by time again.
const BY_ID: usize = 5_000;
/// Of those that are looked for again by time.
const AGAIN: usize = 200_000;
const NAME: &str = "Jaeger";

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
        failed: Failed::default(),
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
    reader.failed.end(reading);
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
    failed: Failed,
}

impl Reader {
    /// Reads the whole window; of traces that are `missing` only, if they are given.
    async fn slices(&mut self, reading: &mut Reading, missing: Option<&Missing>) -> Result<()> {
        let traces = reading.traces_due();
        let mut slices = Slices::new(self.window, traces / u64::from(self.depth / 2).max(1) + 1);
        while let Some((from, to)) = slices.next() {
            if reading.stopped() {
                // What is left of the time may hold nothing.
                if reading.whole() && reading.traces_due() > 0 {
                    return Ok(());
                }
                reading.intake.incomplete(&format!(
                    "the run ended before Jaeger was read: {} of its time was left",
                    slices.left(to - from)
                ));
                return Ok(());
            }
            match self.jaeger.find(from, to, self.depth).await {
                Ok(Found::Traces(found)) => {
                    self.failed.none();
                    self.take(reading, missing, &mut slices, (from, to), &found);
                }
                Ok(Found::TooDeep) => {
                    self.depth = (self.depth / 2).max(1);
                    slices.again((from, to));
                }
                Err(error) => {
                    self.failed.one(reading, &error)?;
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
        found: &[Stored],
    ) {
        let full = traces(found) >= self.depth as usize;
        if full && !slices.halve((from, to)) {
            reading.intake.incomplete(&format!(
                "{} traces or more begin in the same microsecond, and Jaeger gives no more at once",
                self.depth
            ));
        } else if full {
            return;
        }
        // A trace is in each slice in which one of its spans begins; a span begins in one.
        let wanted = Wanted {
            began: from..=to - 1,
            missing,
        };
        take(reading, NAME, found, &wanted);
    }

    /// Asks for each missing trace.
    async fn by_id(&mut self, reading: &mut Reading, missing: &Missing) -> Result<()> {
        let get = |id| self.jaeger.get(id);
        let asked = (missing, missing.ids.as_slice());
        by_id(reading, &mut self.failed, NAME, asked, get).await
    }
}
