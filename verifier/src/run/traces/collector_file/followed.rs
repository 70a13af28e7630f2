//! One file that grows: its bytes in, the messages that are whole taken in, what is torn told.

use super::super::body::LARGEST_MESSAGE;
use super::super::intake::{Message, NotTaken, Wanted};
use super::super::reading::Reading;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Read at once.
const SHARE_BYTES: usize = 4 << 20;
/// How a whole message begins in JSON: where a torn line is followed by a whole one, it begins there.
const BEGINS: &[u8] = b"{\"resourceSpans\":";
/// Of a Zstandard frame: RFC 8878, section 3.1.1.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What a file has been read of.
pub(super) struct Followed {
    file: File,
    path: PathBuf,
    /// Up to where it has been read.
    position: u64,
    /// Read, and not yet a whole message.
    rest: Vec<u8>,
    /// Of a message that is too large: bytes still to be passed over, in a binary file.
    skip_bytes: u64,
    format: Option<Format>,
    /// Nothing more can be understood of it.
    broken: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Lines,
    LengthPrefixed,
}

/// What stands first in the rest.
enum Next {
    Whole {
        ends: usize,
        message: (usize, usize),
    },
    TooLarge,
    NotYet,
}

impl Followed {
    pub(super) fn new(file: File, path: PathBuf) -> Followed {
        Followed {
            file,
            path,
            position: 0,
            rest: Vec::new(),
            skip_bytes: 0,
            format: None,
            broken: false,
        }
    }

    /// Passes over what was written before the run: only whole messages, as far as they can be told.
    pub(super) fn skip_to_end(&mut self) {
        let end = self.length();
        let mut first = [0];
        if end == 0 || self.file.read_at(&mut first, 0).is_err() {
            return;
        }
        self.format = Some(Format::of(first[0]));
        self.position = match self.format {
            Some(Format::Lines) => self.last_line_end(end),
            _ => self.last_message_end(end),
        };
    }

    fn length(&self) -> u64 {
        self.file.metadata().map_or(0, |about| about.len())
    }

    /// Past the last newline.
    fn last_line_end(&self, end: u64) -> u64 {
        let mut block = vec![0; SHARE_BYTES];
        let mut to = end;
        while to > 0 {
            let from = to.saturating_sub(block.len() as u64);
            let block = &mut block[..usize::try_from(to - from).unwrap_or(0)];
            if self.file.read_exact_at(block, from).is_err() {
                return end;
            }
            if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
                return from + at as u64 + 1;
            }
            to = from;
        }
        0
    }

    /// Past the last message that is whole.
    fn last_message_end(&self, end: u64) -> u64 {
        let (mut at, mut length) = (0, [0; 4]);
        while self.file.read_exact_at(&mut length, at).is_ok() {
            let next = at + 4 + u64::from(u32::from_be_bytes(length));
            if next > end {
                break;
            }
            at = next;
        }
        at
    }

    /// Takes in a share; false when there is nothing new.
    pub(super) fn read(&mut self, reading: &mut Reading) -> bool {
        if self.length() < self.position {
            let read = self.position;
            self.tell(reading, &format!("was cut short after {read} bytes had been read: what it held beyond them, and what of it came between, is lost to this reader"));
            (self.position, self.format, self.broken) = (0, None, false);
            (self.skip_bytes, self.rest) = (0, Vec::new());
        }
        let held = self.rest.len();
        self.rest.resize(held + SHARE_BYTES, 0);
        let read = self.file.read_at(&mut self.rest[held..], self.position);
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) => {
                reading
                    .intake
                    .failed_read(&format!("{}: {error}", self.path.display()));
                0
            }
        };
        self.rest.truncate(held + bytes);
        self.position += bytes as u64;
        if self.broken {
            self.rest.clear();
        } else if bytes > 0 {
            self.take(reading);
        }
        bytes > 0
    }

    fn take(&mut self, reading: &mut Reading) {
        let rest = std::mem::take(&mut self.rest);
        let mut at =
            usize::try_from(self.skip_bytes).map_or(rest.len(), |skip| skip.min(rest.len()));
        self.skip_bytes -= at as u64;
        while at < rest.len() && !self.broken {
            let format = *self.format.get_or_insert(Format::of(rest[at]));
            match format.next(&rest[at..]) {
                Next::Whole { ends, message } => {
                    self.message(&rest[at + message.0..at + message.1], format, reading);
                    at += ends;
                }
                Next::TooLarge => {
                    self.tell(
                        reading,
                        &format!(
                            "holds a message of more than {} MiB, which is passed over",
                            LARGEST_MESSAGE >> 20
                        ),
                    );
                    at = self.pass_over(&rest, at, format);
                }
                Next::NotYet => break,
            }
        }
        self.rest = rest;
        self.rest.drain(..at.min(self.rest.len()));
    }

    /// What is to be passed over of a message that is too large; where the rest begins.
    fn pass_over(&mut self, rest: &[u8], at: usize, format: Format) -> usize {
        match (format, rest[at..].first_chunk::<4>()) {
            (Format::LengthPrefixed, Some(length)) => {
                let all = 4 + u64::from(u32::from_be_bytes(*length));
                self.skip_bytes = all.saturating_sub((rest.len() - at) as u64);
                rest.len()
            }
            // The end of the line is a line of its own, which is no JSON and is told as such.
            _ => rest.len(),
        }
    }

    fn message(&self, bytes: &[u8], format: Format, reading: &mut Reading) {
        let wire_bytes = bytes.len() as u64;
        let mut take = |message| {
            let all = Wanted::default();
            reading.intake.take_wanted(message, wire_bytes, &all)
        };
        let taken = match format {
            Format::Lines if bytes.trim_ascii().is_empty() => return,
            Format::Lines => take(Message::Json(bytes)),
            Format::LengthPrefixed => take(Message::Protobuf(bytes)),
        };
        match taken {
            Ok(_) => {}
            Err(NotTaken::NotRecording(why)) => reading.intake.incomplete(&why),
            Err(why) => self.torn(bytes, format, &why, reading),
        }
    }

    /// A line that a killed collector left torn, and behind it, without a newline, what the next one wrote.
    fn torn(&self, bytes: &[u8], format: Format, why: &NotTaken, reading: &mut Reading) {
        if bytes.starts_with(&ZSTD) {
            return self.tell(
                reading,
                "is compressed: set no `compression` in the file exporter",
            );
        }
        let begins = |at: &usize| bytes[*at..].starts_with(BEGINS);
        let again = match format {
            Format::Lines => (1..bytes.len()).rev().find(begins),
            Format::LengthPrefixed => None,
        };
        let torn = again.unwrap_or(bytes.len());
        self.tell(reading, &format!("holds {torn} bytes that are no message ({why}): a collector was killed while it wrote, or the file is damaged"));
        if let Some(at) = again {
            self.message(&bytes[at..], format, reading);
        }
    }

    fn tell(&self, reading: &mut Reading, what: &str) {
        let what = format!("{} {what}", self.path.display());
        reading.intake.incomplete(&what);
    }

    /// Says what was left over at the end of the run.
    pub(super) fn end(&mut self, reading: &mut Reading) {
        let left = self.rest.trim_ascii().len();
        // The last line of a file that was closed may lack its newline.
        if self.format == Some(Format::Lines) && left > 0 {
            let rest = std::mem::take(&mut self.rest);
            self.message(&rest, Format::Lines, reading);
        } else if left > 0 || self.skip_bytes > 0 {
            self.tell(
                reading,
                &format!("ends within a message, of which {left} bytes are there"),
            );
        }
    }
}

impl Format {
    /// JSON begins with a brace; a length of which that is the first byte would be over a gigabyte.
    fn of(first: u8) -> Format {
        match first {
            b'{' | b'\n' | b'\r' | b' ' => Format::Lines,
            _ => Format::LengthPrefixed,
        }
    }

    fn next(self, bytes: &[u8]) -> Next {
        let (ends, message) = match self {
            Format::Lines => match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, (0, end)),
                None => (usize::MAX, (0, bytes.len())),
            },
            Format::LengthPrefixed => match bytes.first_chunk::<4>() {
                Some(length) => {
                    let length = u32::from_be_bytes(*length) as usize;
                    (length + 4, (4, length + 4))
                }
                None => return Next::NotYet,
            },
        };
        if message.1 - message.0 > LARGEST_MESSAGE {
            Next::TooLarge
        } else if ends > bytes.len() {
            Next::NotYet
        } else {
            Next::Whole { ends, message }
        }
    }
}
