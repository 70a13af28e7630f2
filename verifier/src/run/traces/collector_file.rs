//! Follows the files that a collector's `file` exporter writes: OTLP messages in, span rows out. One file with those
//! it was rotated to, or every file of a folder (several replicas of a collector).
//!
//! Format: opentelemetry-collector-contrib, exporter/fileexporter: JSON lines, or with `format: proto` messages
//! behind four bytes of length, big-endian. Rotation renames `traces.json` to `traces-<time>.json`.

mod followed;

use super::reading::Reading;
use anyhow::{Context, Result, bail};
use followed::Followed;
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// When a run ends, a file that grows faster than it is read ends the reading all the same.
const LAST_SHARES: usize = 50;

/// Proves that there is something to follow, or a folder in which it may appear.
///
/// # Errors
/// When the folder can not be read.
pub(super) fn check(path: &Path) -> Result<()> {
    let (folder, _) = place(path);
    fs::read_dir(&folder)
        .map(drop)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    if path.is_file() {
        File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    }
    Ok(())
}

/// Follows what is written from now on, until the run stops.
///
/// # Errors
/// When the folder can not be read any more.
pub(super) async fn read(path: &Path, reading: &mut Reading) -> Result<()> {
    let mut files = Files::new(path);
    files.look()?;
    files.followed.values_mut().for_each(Followed::skip_to_end);
    files.follow(reading).await
}

/// Reads a file, or a folder of files, from its beginning to its end.
///
/// # Errors
/// When it is not there or can not be read.
pub(super) fn read_whole(path: &Path, reading: &mut Reading) -> Result<()> {
    check(path)?;
    let mut files = Files::new(path);
    files.look()?;
    if files.followed.is_empty() {
        bail!("{}: no such file", path.display());
    }
    while files.read(reading) {}
    files.end(reading);
    Ok(())
}

/// The folder to look into, and the file in it; `None`: all of them.
fn place(path: &Path) -> (PathBuf, Option<PathBuf>) {
    if path.is_dir() {
        return (path.to_owned(), None);
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    (folder, Some(path.to_owned()))
}

/// Every file that is followed, by device and inode: a name moves on when a file is rotated, the file does not.
struct Files {
    folder: PathBuf,
    only: Option<PathBuf>,
    followed: HashMap<(u64, u64), Followed>,
}

impl Files {
    fn new(path: &Path) -> Files {
        let (folder, only) = place(path);
        Files {
            folder,
            only,
            followed: HashMap::new(),
        }
    }

    async fn follow(&mut self, reading: &mut Reading) -> Result<()> {
        // A file is followed while it grows: the reader is never far behind.
        reading.caught_up();
        while reading.pause(LOOK_EVERY).await {
            self.look()?;
            // A share at a time: whoever waits for this thread waits for no whole file.
            while self.read(reading) && !reading.stopped() {}
        }
        self.look()?;
        for _ in 0..LAST_SHARES {
            if !self.read(reading) {
                break;
            }
        }
        self.end(reading);
        Ok(())
    }

    /// Opens files that have appeared. One that was opened is kept open: it is read to its end even when it is deleted.
    fn look(&mut self) -> Result<()> {
        let folder = fs::read_dir(&self.folder)
            .with_context(|| format!("cannot read the folder {}", self.folder.display()))?;
        for entry in folder {
            let path = entry?.path();
            let Ok(about) = fs::metadata(&path) else {
                continue; // renamed or deleted meanwhile: the next look tells
            };
            let id = (about.dev(), about.ino());
            if !about.is_file() || !self.wanted(&path) || self.followed.contains_key(&id) {
                continue;
            }
            if let Ok(file) = File::open(&path) {
                self.followed.insert(id, Followed::new(file, path));
            }
        }
        Ok(())
    }

    /// The file itself, or one that it was rotated to.
    fn wanted(&self, path: &Path) -> bool {
        let Some(only) = &self.only else {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            return !name.starts_with(b".");
        };
        let stem = |path: &Path| path.file_stem().unwrap_or_default().to_owned();
        let (stem, rotated) = (stem(only), stem(path));
        path.file_name() == only.file_name()
            || path.extension() == only.extension()
                && rotated
                    .as_encoded_bytes()
                    .strip_prefix(stem.as_encoded_bytes())
                    .is_some_and(|rest| rest.starts_with(b"-"))
    }

    /// Reads a share of each; false when there was nothing to read.
    fn read(&mut self, reading: &mut Reading) -> bool {
        let mut any = false;
        for file in self.followed.values_mut() {
            any |= file.read(reading);
        }
        any
    }

    /// Says what was left over.
    fn end(&mut self, reading: &mut Reading) {
        for file in self.followed.values_mut() {
            file.end(reading);
        }
    }
}

#[cfg(test)]
mod tests;
