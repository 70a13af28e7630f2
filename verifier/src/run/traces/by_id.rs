//! Asks a store for traces by their ids, several at once; what they lack goes to the intake.

use super::intake::Wanted;
use super::reading::{Missing, Reading};
use super::stored::{Stored, take};
use anyhow::{Error, Result, ensure};
use futures_util::{StreamExt, stream};
use std::time::Duration;

/// Between two passes over what is missing.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
const AT_ONCE: usize = 8;
/// Reads that may fail in a row.
const TRIES: u32 = 10;

/// Reads of a store that failed since the last that did not.
#[derive(Default)]
pub(super) struct Failed {
    in_a_row: u32,
    why: Option<String>,
}

impl Failed {
    /// None does any more.
    pub(super) fn none(&mut self) {
        *self = Failed::default();
    }

    /// Some do.
    pub(super) fn any(&self) -> bool {
        self.why.is_some()
    }

    /// Counts one more.
    ///
    /// # Errors
    /// When it is one too many.
    pub(super) fn one(&mut self, reading: &mut Reading, error: &Error) -> Result<()> {
        self.in_a_row += 1;
        self.beside_others(reading, error);
        ensure!(
            self.in_a_row < TRIES,
            "{TRIES} reads in a row failed: {error:#}"
        );
        Ok(())
    }

    /// One failed, but others of the same pass did not.
    fn beside_others(&mut self, reading: &mut Reading, error: &Error) {
        let why = format!("{error:#}");
        reading.intake.failed_read(&why);
        self.why = Some(why);
    }

    /// The reader ends: what could not be read at last may be there.
    pub(super) fn end(self, reading: &mut Reading) {
        if let Some(why) = self.why.filter(|_| !reading.whole()) {
            reading.intake.incomplete(&format!("not read: {why}"));
        }
    }
}

/// Asks for each of the ids; ends early when the run does, or when nothing answers any more.
///
/// # Errors
/// When too many passes failed in a row.
pub(super) async fn by_id<F>(
    reading: &mut Reading,
    failed: &mut Failed,
    store: &str,
    (missing, ids): (&Missing, &[[u8; 16]]),
    get: impl Fn([u8; 16]) -> F,
) -> Result<()>
where
    F: Future<Output = Result<Vec<Stored>>>,
{
    let mut answers = stream::iter(ids.iter().copied())
        .map(get)
        .buffer_unordered(AT_ONCE);
    let wanted = Wanted {
        missing: Some(missing),
        ..Wanted::default()
    };
    let (mut failure, mut answered, mut in_a_row) = (None, false, 0);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(stored) => {
                (answered, in_a_row) = (true, 0);
                take(reading, store, &stored, &wanted);
            }
            Err(error) => {
                in_a_row += 1;
                failure = Some(error);
            }
        }
        // Thousands of ids need not each find out that the store is away.
        if reading.stopped() || in_a_row == AT_ONCE {
            break;
        }
    }
    match failure {
        None => failed.none(),
        Some(error) if answered && in_a_row < AT_ONCE => failed.beside_others(reading, &error),
        Some(error) => failed.one(reading, &error)?,
    }
    Ok(())
}
