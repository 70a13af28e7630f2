//! A run folder as whoever opens the page finds it, without a page: for what that costs to be measured.

use super::follow::{Follow, Whose};
use crate::record::Clock;
use std::path::Path;

/// The folder, followed.
pub struct Following(Follow);

impl Following {
    /// Nothing read yet.
    pub fn new(folder: &Path) -> Following {
        Following(Follow::new(folder.to_owned(), Whose::Ours, Clock::start()))
    }

    /// Reads all that is there.
    pub fn catch_up(&mut self) {
        self.0.advance(&|| true);
    }

    /// Bytes of the event that is sent to somebody who has so many rows of the series already.
    pub fn event_bytes(&mut self, rows: usize) -> usize {
        let snapshot = self.0.snapshot();
        let last_id = format!("{}:{rows}", snapshot.tag);
        let event = snapshot.event(Some(&last_id));
        event.map_or(0, |(bytes, _)| bytes.len())
    }
}
