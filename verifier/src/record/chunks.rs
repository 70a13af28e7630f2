//! The rows of a run folder, some at a time: however many there are, few are in memory at once.

use super::{Dictionary, Exchange, RowReader, RunFolder, Span, Table, parquet};
use anyhow::Result;

/// Rows, as many as a row group has.
pub type Chunks<'a, R> = Box<dyn Iterator<Item = Result<Vec<R>>> + 'a>;

impl RunFolder {
    /// The exchanges, in the order written.
    ///
    /// # Errors
    /// When their file is missing or can not be read; an item is an error where it is damaged.
    pub fn exchange_chunks(&self) -> Result<Chunks<'static, Exchange>> {
        Ok(match self.exchanges_parquet() {
            path if path.is_file() => Box::new(parquet::exchange_groups(&path)?),
            _ => Box::new(RowReader::open(&self.exchange_rows(), parquet::ROW_GROUP)?),
        })
    }

    /// The spans of one source, in the order written. Their texts are numbered by `into`, which takes in those that it
    /// lacks; `own` are the numbers of this run.
    ///
    /// # Errors
    /// As [`RunFolder::exchange_chunks`].
    pub fn span_chunks<'a>(
        &self,
        number: u8,
        name: &str,
        own: &'a Dictionary,
        into: &'a mut Dictionary,
    ) -> Result<Chunks<'a, Span>> {
        let sealed = self.spans_parquet_of(number, name);
        if sealed.is_file() {
            return Ok(Box::new(parquet::span_groups(&sealed, into)?));
        }
        let rows = RowReader::<Span>::open(&self.span_rows_of(number, name), parquet::ROW_GROUP)?;
        Ok(Box::new(rows.map(move |chunk| {
            let mut chunk = chunk?;
            for span in &mut chunk {
                let mut renumber = |table, number| into.intern(table, own.text(table, number)).0;
                span.name = renumber(Table::SpanName, span.name);
                span.source = renumber(Table::Source, span.source);
                span.detail = renumber(Table::Detail, span.detail);
            }
            Ok(chunk)
        })))
    }

    /// Writes the exchanges of an ended run.
    ///
    /// # Errors
    /// When the file can not be written, or a chunk not be had.
    pub fn write_exchanges(
        &self,
        ids: &dyn Fn(u64) -> [u8; 16],
        chunks: impl Iterator<Item = Result<Vec<Exchange>>>,
    ) -> Result<()> {
        parquet::write_exchanges(&self.exchanges_parquet(), ids, chunks)
    }

    /// Writes the spans of one source of an ended run.
    ///
    /// # Errors
    /// As [`RunFolder::write_exchanges`].
    pub fn write_spans(
        &self,
        (number, name): (u8, &str),
        ids: &dyn Fn(u64) -> [u8; 16],
        dictionary: &Dictionary,
        chunks: impl Iterator<Item = Result<Vec<Span>>>,
    ) -> Result<()> {
        let path = self.spans_parquet_of(number, name);
        parquet::write_spans(&path, ids, dictionary, chunks)
    }
}
