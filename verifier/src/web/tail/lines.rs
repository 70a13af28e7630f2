//! The journal's lines as they are appended.

use crate::record::Entry;
use anyhow::Result;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are read at once.
const AT_ONCE: usize = 1 << 16;
/// No line is longer.
const LONGEST: usize = 16 << 20;

/// Where the reading stands.
#[derive(Debug, Default)]
pub(super) struct Lines {
    file: Option<File>,
    offset: u64,
    /// The begin of a line whose end is not written yet.
    begun: Vec<u8>,
    /// Lines that could not be read.
    pub(super) damaged: u64,
}

impl Lines {
    /// Shows each whole line that was appended since, until there is none or `go_on` says no; whether all were shown.
    ///
    /// # Errors
    /// When the file can not be read.
    pub(super) fn read(
        &mut self,
        path: &Path,
        go_on: &dyn Fn() -> bool,
        show: &mut dyn FnMut(&Entry),
    ) -> Result<bool> {
        if self.file.is_none() {
            match File::open(path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(file) = &self.file else {
            return Ok(true);
        };
        let mut buffer = vec![0; AT_ONCE];
        loop {
            let read = file.read_at(&mut buffer, self.offset)?;
            if read == 0 {
                return Ok(true);
            }
            self.offset += read as u64;
            let mut rest = &buffer[..read];
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                self.begun.extend_from_slice(&rest[..end]);
                rest = &rest[end + 1..];
                match serde_json::from_slice(&self.begun) {
                    Ok(entry) => show(&entry),
                    Err(_) => self.damaged += 1,
                }
                self.begun.clear();
            }
            self.begun.extend_from_slice(rest);
            if self.begun.len() > LONGEST {
                self.damaged += 1;
                self.begun.clear();
            }
            if !go_on() {
                return Ok(false);
            }
        }
    }
}
