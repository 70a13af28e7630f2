//! The last lines that a run's process printed on stderr, passed on to the terminal as they come.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Lines that are kept, as many as Locust keeps.
const MOST_LINES: usize = 500;
/// Of a longer line the begin is kept.
const LONGEST: usize = 2000;

/// The lines; clones share them.
#[derive(Clone, Default)]
pub(super) struct Logs {
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Logs {
    /// All that are kept, oldest first.
    pub(super) fn all(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    /// The last of them.
    pub(super) fn last_words(&self) -> Option<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.back().cloned()
    }

    pub(super) fn clear(&self) {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn add(&self, line: &[u8]) {
        let line = String::from_utf8_lossy(&line[..line.len().min(LONGEST)]);
        let line = line.trim_end_matches('\r').to_owned();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push_back(line);
        if lines.len() > MOST_LINES {
            lines.pop_front();
        }
    }

    /// Passes on what comes from `from`, to its end, and keeps its lines.
    ///
    /// # Errors
    /// When there can be no thread for it.
    pub(super) fn pass_on(
        &self,
        from: OwnedFd,
        to: impl Write + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let logs = self.clone();
        let copy = move || copy(File::from(from), to, &mut |line| logs.add(line));
        std::thread::Builder::new()
            .name("stderr".into())
            .spawn(copy)
    }
}

/// Passes on what comes, to its end.
///
/// # Errors
/// When there can be no thread for it.
pub(super) fn pass_on(
    from: OwnedFd,
    to: impl Write + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    let copy = move || copy(File::from(from), to, &mut |_| ());
    std::thread::Builder::new()
        .name("stdout".into())
        .spawn(copy)
}

fn copy(mut from: File, mut to: impl Write, line: &mut dyn FnMut(&[u8])) {
    let mut bytes = [0; 8192];
    let mut begun: Vec<u8> = Vec::new();
    loop {
        let read = match from.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        // A terminal that went away must not stop the run: what it prints is read all the same.
        let _ = to.write_all(&bytes[..read]).and_then(|()| to.flush());
        let mut rest = &bytes[..read];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            begun.extend_from_slice(&rest[..end]);
            line(&begun);
            begun.clear();
            rest = &rest[end + 1..];
        }
        if begun.len() < LONGEST {
            begun.extend_from_slice(rest);
        }
    }
    if !begun.is_empty() {
        line(&begun);
    }
}
