//! What was checked: lines as they come in, on stdout, each with what to do where something is wrong.

use crate::run::terminal::answer;
use anyhow::Result;

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Failed,
    NotChecked,
}

/// The checks so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    failed: usize,
    /// Why a line could not be written, the first time.
    unwritten: Option<anyhow::Error>,
}

impl Report {
    /// It is as it should be.
    pub(super) fn ok(&mut self, what: &str) {
        self.line(State::Ok, what, "");
    }

    /// It is not, and this is what to do.
    pub(super) fn failed(&mut self, what: &str, advice: &str) {
        self.line(State::Failed, what, advice);
    }

    /// It could not be looked at, or need not be; why, or how it could.
    pub(super) fn not_checked(&mut self, what: &str, why: &str) {
        self.line(State::NotChecked, what, why);
    }

    /// As it should be, or not.
    pub(super) fn hold(&mut self, holds: bool, what: &str, advice: &str) {
        if holds {
            self.ok(what);
        } else {
            self.failed(what, advice);
        }
    }

    /// Nothing has failed.
    ///
    /// # Errors
    /// When a line could not be written.
    pub(super) fn well(self) -> Result<bool> {
        self.unwritten.map_or(Ok(self.failed == 0), Err)
    }

    fn line(&mut self, state: State, what: &str, advice: &str) {
        self.failed += usize::from(state == State::Failed);
        let state = match state {
            State::Ok => "ok",
            State::Failed => "FAILED",
            State::NotChecked => "not checked",
        };
        let mut text = format!("{state:<12} {what}\n");
        if !advice.is_empty() {
            text += &format!("{:<12} {advice}\n", "");
        }
        if let Err(error) = answer(&text) {
            self.unwritten.get_or_insert(error);
        }
    }
}
