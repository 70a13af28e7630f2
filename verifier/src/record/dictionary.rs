//! Texts that spans repeat (names, sources, error details) as small numbers, so that a span is a fixed row.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Which list of texts a number belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Span names. The plan's expected spans come first, in the plan's order.
    SpanName,
    /// Senders: `k8s.pod.name`, else `service.instance.id`, else `service.name`.
    Source,
    /// `error.type` values and status messages; number 0 is the empty text.
    Detail,
}

/// The number given to every text beyond [`Dictionary::LIMIT`].
pub const OVERFLOW_TEXT: &str = "(other)";

/// The texts of a run. Bounded: a target that invents a new name for each span can not exhaust memory.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    texts: HashMap<Table, Vec<String>>,
    numbers: HashMap<Table, HashMap<String, u16>>,
}

impl Dictionary {
    /// Texts kept per table; all further ones share [`OVERFLOW_TEXT`].
    pub const LIMIT: usize = 4096;

    /// The number of `text`, and whether it is new and must be journalled before a row uses it.
    pub fn intern(&mut self, table: Table, text: &str) -> (u16, bool) {
        if let Some(&number) = self.numbers.get(&table).and_then(|n| n.get(text)) {
            return (number, false);
        }
        let len = self.texts.get(&table).map_or(0, Vec::len);
        if len >= Dictionary::LIMIT && text != OVERFLOW_TEXT {
            return self.intern(table, OVERFLOW_TEXT);
        }
        let number = u16::try_from(len).unwrap_or(u16::MAX);
        self.insert(table, number, text);
        (number, true)
    }

    /// Puts a text at its number, as read back from a journal.
    pub fn insert(&mut self, table: Table, number: u16, text: &str) {
        let texts = self.texts.entry(table).or_default();
        if texts.len() <= usize::from(number) {
            texts.resize(usize::from(number) + 1, String::new());
        }
        text.clone_into(&mut texts[usize::from(number)]);
        self.numbers
            .entry(table)
            .or_default()
            .insert(text.to_owned(), number);
    }

    /// The number of a text that is already known.
    pub fn number(&self, table: Table, text: &str) -> Option<u16> {
        self.numbers.get(&table)?.get(text).copied()
    }

    /// The text of a number; empty for a number that was never given.
    pub fn text(&self, table: Table, number: u16) -> &str {
        self.texts
            .get(&table)
            .and_then(|t| t.get(usize::from(number)))
            .map_or("", String::as_str)
    }

    /// How many texts the table holds.
    pub fn len(&self, table: Table) -> usize {
        self.texts.get(&table).map_or(0, Vec::len)
    }
}
