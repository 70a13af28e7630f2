//! Reads Google Cloud Trace: the traces of the load's window in, span rows out, within its read quota.
//!
//! To list is cheaper a trace, to get by id where few are missing; each pass takes the cheaper way. The plan's drain does
//! not run until the quota must be waited for: from then on, drain is how long it may be.

mod google;
mod quota;
mod spans;

pub(super) use spans::walk_cloud_trace;

use super::by_id::{Failed, PAUSE, by_id};
use super::intake::Wanted;
use super::reading::{Missing, Reading, Window};
use super::source::Project;
use super::stored::take;
use anyhow::Result;
use google::{Google, PAGE};
use quota::Quota;
use std::slice::from_ref;
use std::time::Duration;

const NAME: &str = "Cloud Trace";
/// What a project may take, and what a call takes: cloud.google.com/trace/docs/quotas.
const UNITS: u32 = 300;
const LIST_UNITS: u32 = 25;
/// Google's minute, and a second: calls made further apart may reach it closer together.
const PERIOD: Duration = Duration::from_secs(61);
/// A pass that began so long after the load and did not find a trace has not found it because it was early.
const SETTLED: Duration = Duration::from_secs(30);

/// Proves that the project's traces may be read.
///
/// # Errors
/// When they may not, or nothing answers.
pub(super) async fn check(project: &Project) -> Result<()> {
    // A trace that nobody has: costs one unit, and is as forbidden as the others.
    Google::new(project).await?.get([0xfe; 16]).await.map(drop)
}

/// Reads until everything is there or the run stops.
///
/// # Errors
/// When it can not be read any more.
pub(super) async fn read(project: &Project, reading: &mut Reading) -> Result<()> {
    let google = Google::new(project).await?;
    let mut quota = Quota::new(UNITS, PERIOD);
    // Taken by the check just before.
    let _ = quota.take(1, reading.now_ns());
    let Some(window) = reading.load_ended().await else {
        return Ok(());
    };
    let mut reader = Reader {
        google,
        window,
        quota,
        failed: Failed::default(),
        pages: reading.traces_due() / PAGE + 1,
    };
    let ended_ns = reading.now_ns();
    let mut settled = false;
    loop {
        let began = Duration::from_nanos(reading.now_ns() - ended_ns);
        let Some(pause) = reader.pass(reading).await? else {
            break;
        };
        settled |= began >= SETTLED;
        reading.caught_up();
        if reading.whole() || !reading.pause(pause).await {
            settled = true;
            break;
        }
    }
    if !settled && !reading.whole() {
        let (whole, due) = (reading.traces_whole(), reading.traces_due());
        reading.intake.incomplete(&format!(
            "{whole} of {due} traces read within Google's read quota of {UNITS} units a minute, before the plan's drain was over"
        ));
    }
    reader.failed.end(reading);
    Ok(())
}

struct Reader {
    google: Google,
    window: Window,
    quota: Quota,
    failed: Failed,
    /// That hold the window's traces, as far as is known.
    pages: u64,
}

impl Reader {
    /// Looks once for all that is missing; how long to wait before the next time, or `None` when the run ended meanwhile.
    async fn pass(&mut self, reading: &mut Reading) -> Result<Option<Duration>> {
        let missing = reading.missing(usize::MAX);
        let units = missing.ids.len() as u64;
        if units > self.pages * u64::from(LIST_UNITS) {
            let done = self.list(reading).await?;
            return Ok(done.then_some(PAUSE));
        }
        let done = self.get(reading, &missing).await?;
        // Half of the quota at most goes into asking again and again.
        let pause = PERIOD.mul_f64(2.0 * units as f64 / f64::from(UNITS));
        Ok(done.then_some(pause.max(PAUSE)))
    }

    /// All pages of the window; false when the run ended before.
    async fn list(&mut self, reading: &mut Reading) -> Result<bool> {
        let (mut token, mut pages) = (None, 0);
        loop {
            if !self.pay(reading, LIST_UNITS).await {
                return Ok(false);
            }
            match self.google.list(self.window, token.as_deref()).await {
                Ok(page) => {
                    self.failed.none();
                    self.quota.granted();
                    // Asked anew: a trace may be on two pages when others come while they are read.
                    let missing = reading.missing(usize::MAX);
                    let wanted = Wanted {
                        missing: Some(&missing),
                        ..Wanted::default()
                    };
                    take(reading, NAME, from_ref(&page.traces), &wanted);
                    pages += 1;
                    token = page.next;
                }
                Err(error) => {
                    self.failed.one(reading, &error)?;
                    self.back_off(reading);
                    reading.pause(PAUSE).await;
                    continue;
                }
            }
            if token.is_none() {
                self.pages = pages;
                return Ok(true);
            }
        }
    }

    /// Each of the missing by its id; false when the run ended before.
    async fn get(&mut self, reading: &mut Reading, missing: &Missing) -> Result<bool> {
        for ids in missing.ids.chunks(LIST_UNITS as usize) {
            if !self.pay(reading, ids.len() as u32).await {
                return Ok(false);
            }
            let get = |id| self.google.get(id);
            by_id(reading, &mut self.failed, NAME, (missing, ids), get).await?;
            self.back_off(reading);
        }
        Ok(true)
    }

    /// Waits where Google has refused for want of quota.
    fn back_off(&mut self, reading: &Reading) {
        if self.google.exhausted() {
            self.quota.refused(reading.now_ns());
        } else if !self.failed.any() {
            self.quota.granted();
        }
    }

    /// Takes so many units, when they are there; false when the run ended before.
    async fn pay(&mut self, reading: &mut Reading, units: u32) -> bool {
        while let Err(wait) = self.quota.take(units, reading.now_ns()) {
            reading.caught_up();
            if !reading.pause(wait.min(Duration::from_secs(1))).await {
                return false;
            }
        }
        !reading.stopped()
    }
}
