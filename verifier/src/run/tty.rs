//! A terminal that is written to without waiting for it: one that takes nothing for a while (a link that stalls) must not
//! hold up the run. What it has not taken yet is kept, in order.

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long a write waits for the terminal.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};

/// The terminal that stderr is.
#[derive(Debug)]
pub(super) struct Tty {
    /// An opening of its own: whoever shares stderr goes on waiting for it.
    terminal: OwnedFd,
    waiting: Mutex<Vec<u8>>,
}

impl Tty {
    /// Opens it once more.
    ///
    /// # Errors
    /// When that can not be done, e.g. because it is another user's.
    pub(super) fn open() -> Result<Tty> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = open("/proc/self/fd/2", flags, Mode::empty());
        Ok(Tty {
            terminal: terminal.context("cannot open the terminal")?,
            waiting: Mutex::default(),
        })
    }

    /// Writes as much as the terminal takes at once, and keeps the rest. False when it is gone.
    pub(super) fn write(&self, bytes: &[u8]) -> bool {
        let mut waiting = self.lock();
        waiting.extend_from_slice(bytes);
        self.pass_on(&mut waiting, Some(&PATIENCE))
    }

    /// Has not taken everything yet.
    pub(super) fn is_behind(&self) -> bool {
        let mut waiting = self.lock();
        self.pass_on(&mut waiting, Some(&PATIENCE)) && !waiting.is_empty()
    }

    /// Waits until it has taken everything, or is gone.
    pub(super) fn flush(&self) {
        self.pass_on(&mut self.lock(), None);
    }

    fn pass_on(&self, waiting: &mut Vec<u8>, patience: Option<&Timespec>) -> bool {
        while !waiting.is_empty() {
            match write(&self.terminal, waiting) {
                Ok(written) => drop(waiting.drain(..written)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let mut room = [PollFd::new(&self.terminal, PollFlags::OUT)];
                    match poll(&mut room, patience) {
                        Ok(0) => return true,
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(_) => return false,
                    }
                }
                Err(_) => {
                    waiting.clear();
                    return false;
                }
            }
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
