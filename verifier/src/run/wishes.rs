//! What somebody wants of a run while it runs: its end, by a signal or a key; more users or fewer, by a key.

use super::keys::{Key, Keys};
use super::signals::Signals;
use anyhow::Result;
use tokio::sync::mpsc::Receiver;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The run is to end; the signal's name, or the key's. A second one ends the process.
    Stop(&'static str),
    /// Whoever wrote the keys is gone: the run is to end, if it does not yet.
    Gone,
    /// So many users more, or fewer.
    Users(i32),
}

/// Where wishes come from.
pub(super) struct Wishes {
    signals: Signals,
    keys: Receiver<Key>,
}

impl Wishes {
    pub(super) fn new(keys: Keys) -> Result<Wishes> {
        Ok(Wishes {
            signals: Signals::new()?,
            keys: keys.read(),
        })
    }

    pub(super) async fn next(&mut self) -> Wish {
        tokio::select! {
            signal = self.signals.next() => Wish::Stop(signal),
            Some(key) = self.keys.recv() => match key {
                Key::Users(by) => Wish::Users(by),
                Key::Quit => Wish::Stop("q"),
                Key::Gone => Wish::Gone,
            },
        }
    }
}
