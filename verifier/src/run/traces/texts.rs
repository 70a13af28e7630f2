//! Texts that one thread has seen, and their numbers: the run's dictionary, behind its lock, is asked once per text.

use crate::record::{Recorder, Table};
use std::collections::HashMap;

/// Longer texts are cut: what a sender repeats by the megabyte must not fill memory.
const LONGEST_BYTES: usize = 1024;

/// The numbers of one table's texts.
pub(super) struct Texts {
    recorder: Recorder,
    table: Table,
    /// The first few: a service has a handful of span names, and comparing those beats hashing.
    few: Vec<(Box<[u8]>, u16)>,
    many: HashMap<Box<[u8]>, u16>,
}

impl Texts {
    const FEW: usize = 8;
    /// As many as the dictionary holds; those beyond share one number there.
    const MANY: usize = 4096;

    pub(super) fn new(recorder: Recorder, table: Table) -> Texts {
        Texts {
            recorder,
            table,
            few: Vec::new(),
            many: HashMap::new(),
        }
    }

    #[inline]
    pub(super) fn number(&mut self, text: &[u8]) -> u16 {
        let text = &text[..text.len().min(LONGEST_BYTES)];
        match self.few.iter().find(|(known, _)| **known == *text) {
            Some((_, number)) => *number,
            None => self.number_of_rarer(text),
        }
    }

    fn number_of_rarer(&mut self, text: &[u8]) -> u16 {
        if let Some(number) = self.many.get(text) {
            return *number;
        }
        let number = self
            .recorder
            .intern(self.table, &String::from_utf8_lossy(text));
        if self.few.len() < Texts::FEW {
            self.few.push((text.into(), number));
        } else if self.many.len() < Texts::MANY {
            self.many.insert(text.into(), number);
        }
        number
    }
}
