//! Exchanges and spans as Parquet, a row group for each chunk of rows, columns named as the fields are.

use super::run_key::hex;
use super::{Dictionary, Exchange, Outcome, Span, Table};
use anyhow::{Context, Result, bail};
use parquet::basic::Compression;
use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use std::collections::HashMap;
use std::fs::{File, rename};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a row group: what is in memory at once while a file is written.
pub const ROW_GROUP: usize = 1 << 17;

const EXCHANGES: &str = "message exchanges {
    required int64 seq (integer(64, false));
    required int32 stage;
    required int64 connection;
    required int64 intended_ns;
    required int64 sent_ns;
    required int64 connected_ns;
    required int64 first_byte_ns;
    required int64 done_ns;
    required binary outcome (string);
    required int32 status;
    required int64 bytes;
    required int32 task;
    required binary trace_id (string);
}";

const SPANS: &str = "message spans {
    required int64 seq (integer(64, false));
    required int64 span_id (integer(64, false));
    required int64 parent_span_id (integer(64, false));
    required binary name (string);
    required int32 kind;
    required int64 start_unix_ns;
    required int64 end_unix_ns;
    required int32 status;
    required int32 http_status;
    required binary detail (string);
    required binary source (string);
    required int64 arrived_ns;
    required binary trace_id (string);
}";

/// One column's values for one row group, in schema order.
enum Values {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Text(Vec<ByteArray>),
}

/// The trace id of a sequence number.
type Ids<'a> = &'a dyn Fn(u64) -> [u8; 16];

fn int64<R>(rows: &[R], field: impl Fn(&R) -> u64) -> Values {
    Values::Int64(rows.iter().map(|r| field(r).cast_signed()).collect())
}

fn int32<R>(rows: &[R], field: impl Fn(&R) -> u16) -> Values {
    Values::Int32(rows.iter().map(|r| i32::from(field(r))).collect())
}

fn trace_ids<R>(rows: &[R], ids: Ids<'_>, seq: impl Fn(&R) -> u64) -> Values {
    Values::Text(
        rows.iter()
            .map(|r| ByteArray::from(hex(&ids(seq(r))).into_bytes()))
            .collect(),
    )
}

/// Writes all exchanges; the file appears only when it is whole.
///
/// # Errors
/// When the file can not be written, or a chunk not be had.
pub fn write_exchanges(
    path: &Path,
    ids: Ids<'_>,
    chunks: impl Iterator<Item = Result<Vec<Exchange>>>,
) -> Result<()> {
    write(path, EXCHANGES, chunks, |rows| exchange_columns(rows, ids))
}

fn exchange_columns(rows: &[Exchange], ids: Ids<'_>) -> Vec<Values> {
    let outcomes = Outcome::ALL.map(|o| ByteArray::from(o.name()));
    let outcomes = rows.iter().map(|r| outcomes[r.outcome as usize].clone());
    vec![
        int64(rows, |r| r.seq),
        int32(rows, |r| r.stage),
        int64(rows, |r| u64::from(r.connection)),
        int64(rows, |r| r.intended_ns),
        int64(rows, |r| r.sent_ns),
        int64(rows, |r| r.connected_ns),
        int64(rows, |r| r.first_byte_ns),
        int64(rows, |r| r.done_ns),
        Values::Text(outcomes.collect()),
        int32(rows, |r| r.status),
        int64(rows, |r| u64::from(r.bytes)),
        int32(rows, |r| u16::from(r.task)),
        trace_ids(rows, ids, |r| r.seq),
    ]
}

/// Writes all spans; the file appears only when it is whole.
///
/// # Errors
/// When the file can not be written, or a chunk not be had.
pub fn write_spans(
    path: &Path,
    ids: Ids<'_>,
    dictionary: &Dictionary,
    chunks: impl Iterator<Item = Result<Vec<Span>>>,
) -> Result<()> {
    let texts = |table| -> Vec<ByteArray> {
        let len = u16::try_from(dictionary.len(table)).unwrap_or(u16::MAX);
        (0..len)
            .map(|n| ByteArray::from(dictionary.text(table, n)))
            .collect()
    };
    let (names, sources, details) = (
        texts(Table::SpanName),
        texts(Table::Source),
        texts(Table::Detail),
    );
    let text = |texts: &[ByteArray], number: u16| {
        texts
            .get(usize::from(number))
            .cloned()
            .unwrap_or_else(|| ByteArray::from(""))
    };
    write(path, SPANS, chunks, |rows| {
        vec![
            int64(rows, |r| r.seq),
            int64(rows, |r| r.span_id),
            int64(rows, |r| r.parent_span_id),
            Values::Text(rows.iter().map(|r| text(&names, r.name)).collect()),
            int32(rows, |r| u16::from(r.kind)),
            int64(rows, |r| r.start_unix_ns),
            int64(rows, |r| r.end_unix_ns),
            int32(rows, |r| u16::from(r.status)),
            int32(rows, |r| r.http_status),
            Values::Text(rows.iter().map(|r| text(&details, r.detail)).collect()),
            Values::Text(rows.iter().map(|r| text(&sources, r.source)).collect()),
            int64(rows, |r| r.arrived_ns),
            trace_ids(rows, ids, |r| r.seq),
        ]
    })
}

fn write<R>(
    path: &Path,
    schema: &str,
    chunks: impl Iterator<Item = Result<Vec<R>>>,
    columns: impl Fn(&[R]) -> Vec<Values>,
) -> Result<()> {
    let partial = path.with_extension("parquet.partial");
    let context = || format!("cannot write {}", path.display());
    let schema = Arc::new(parse_message_type(schema)?);
    let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    for unique in ["trace_id", "span_id"] {
        // A dictionary of values that never repeat costs time and helps nobody.
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(unique), false);
    }
    let file = File::create(&partial).with_context(context)?;
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build()))?;
    for chunk in chunks {
        let chunk = chunk?;
        let mut group = writer.next_row_group()?;
        for values in columns(&chunk) {
            let mut column = group.next_column()?.context("more values than columns")?;
            match (column.untyped(), values) {
                (ColumnWriter::Int32ColumnWriter(w), Values::Int32(v)) => {
                    w.write_batch(&v, None, None)
                }
                (ColumnWriter::Int64ColumnWriter(w), Values::Int64(v)) => {
                    w.write_batch(&v, None, None)
                }
                (ColumnWriter::ByteArrayColumnWriter(w), Values::Text(v)) => {
                    w.write_batch(&v, None, None)
                }
                _ => bail!("a column's values are not of its type"),
            }
            .with_context(context)?;
            column.close().with_context(context)?;
        }
        group.close().with_context(context)?;
    }
    writer.close().with_context(context)?;
    rename(&partial, path).with_context(context)
}

/// Reads all exchanges.
///
/// # Errors
/// When the file can not be read or lacks a column.
pub fn read_exchanges(path: &Path) -> Result<Vec<Exchange>> {
    exchange_groups(path)?.all()
}

/// Reads exchanges, a row group at a time.
///
/// # Errors
/// When the file can not be read; an item is an error where it lacks a column or is damaged.
pub fn exchange_groups(
    path: &Path,
) -> Result<Groups<impl FnMut(&Group<'_>) -> Result<Vec<Exchange>> + use<>>> {
    Groups::open(path, |group: &Group<'_>| {
        let (seq, intended) = (group.int64("seq")?, group.int64("intended_ns")?);
        let (sent, connected) = (group.int64("sent_ns")?, group.int64("connected_ns")?);
        let (first_byte, done) = (group.int64("first_byte_ns")?, group.int64("done_ns")?);
        let (connection, bytes) = (group.int64("connection")?, group.int64("bytes")?);
        let (stage, status) = (group.int32("stage")?, group.int32("status")?);
        // Runs of before there were tasks have no such column: they had one.
        let task = match group.has("task") {
            true => group.int32("task")?,
            false => vec![0; seq.len()],
        };
        let outcome = group.text("outcome", |text| {
            Outcome::from_name(text)
                .map(|o| o as u16)
                .with_context(|| format!("unknown outcome {text:?}"))
        })?;
        Ok((0..seq.len())
            .map(|i| Exchange {
                seq: seq[i],
                intended_ns: intended[i],
                sent_ns: sent[i],
                connected_ns: connected[i],
                first_byte_ns: first_byte[i],
                done_ns: done[i],
                connection: u32::try_from(connection[i]).unwrap_or(u32::MAX),
                bytes: u32::try_from(bytes[i]).unwrap_or(u32::MAX),
                stage: stage[i],
                status: status[i],
                outcome: Outcome::ALL[usize::from(outcome[i])],
                task: u8::try_from(task[i]).unwrap_or(u8::MAX),
            })
            .collect())
    })
}

/// Reads all spans; texts that the dictionary lacks are added to it.
///
/// # Errors
/// When the file can not be read or lacks a column.
pub fn read_spans(path: &Path, dictionary: &mut Dictionary) -> Result<Vec<Span>> {
    span_groups(path, dictionary)?.all()
}

/// Reads spans, a row group at a time; texts that the dictionary lacks are added to it.
///
/// # Errors
/// As [`exchange_groups`].
pub fn span_groups<'a>(
    path: &Path,
    dictionary: &'a mut Dictionary,
) -> Result<Groups<impl FnMut(&Group<'_>) -> Result<Vec<Span>> + use<'a>>> {
    Groups::open(path, move |group: &Group<'_>| {
        let (seq, span_id, parent) = (
            group.int64("seq")?,
            group.int64("span_id")?,
            group.int64("parent_span_id")?,
        );
        let (start, end) = (group.int64("start_unix_ns")?, group.int64("end_unix_ns")?);
        let (arrived, kind) = (group.int64("arrived_ns")?, group.int32("kind")?);
        let (status, http_status) = (group.int32("status")?, group.int32("http_status")?);
        let name = group.text("name", |text| {
            Ok(dictionary.intern(Table::SpanName, text).0)
        })?;
        let source = group.text("source", |text| {
            Ok(dictionary.intern(Table::Source, text).0)
        })?;
        let detail = group.text("detail", |text| {
            Ok(dictionary.intern(Table::Detail, text).0)
        })?;
        Ok((0..seq.len())
            .map(|i| Span {
                seq: seq[i],
                span_id: span_id[i],
                parent_span_id: parent[i],
                start_unix_ns: start[i],
                end_unix_ns: end[i],
                arrived_ns: arrived[i],
                name: name[i],
                source: source[i],
                detail: detail[i],
                http_status: http_status[i],
                kind: u8::try_from(kind[i]).unwrap_or(0),
                status: u8::try_from(status[i]).unwrap_or(0),
            })
            .collect())
    })
}

/// The exchange of that number. Of row groups without it only one column is read; `go_on` is asked before each.
///
/// # Errors
/// As [`exchange_groups`], and when `go_on` says no.
pub fn exchange_of(path: &Path, seq: u64, go_on: &dyn Fn() -> bool) -> Result<Option<Exchange>> {
    let mut groups = exchange_groups(path)?;
    while groups.next_with(seq, go_on)? {
        let rows = groups.next().unwrap_or_else(|| Ok(Vec::new()))?;
        if let Some(found) = rows.into_iter().find(|row| row.seq == seq) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The spans of the exchange of that number, likewise; texts that the dictionary lacks are added to it.
///
/// # Errors
/// As [`exchange_of`].
pub fn spans_of(
    path: &Path,
    seq: u64,
    dictionary: &mut Dictionary,
    go_on: &dyn Fn() -> bool,
) -> Result<Vec<Span>> {
    let mut groups = span_groups(path, dictionary)?;
    let mut spans = Vec::new();
    while groups.next_with(seq, go_on)? {
        let rows = groups.next().unwrap_or_else(|| Ok(Vec::new()))?;
        spans.extend(rows.into_iter().filter(|row| row.seq == seq));
    }
    Ok(spans)
}

/// The row groups of a file, as rows.
pub struct Groups<F> {
    reader: SerializedFileReader<File>,
    path: PathBuf,
    next: usize,
    rows: F,
}

impl<R, F: FnMut(&Group<'_>) -> Result<Vec<R>>> Groups<F> {
    fn open(path: &Path, rows: F) -> Result<Groups<F>> {
        let context = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(context)?;
        Ok(Groups {
            reader: SerializedFileReader::new(file).with_context(context)?,
            path: path.to_owned(),
            next: 0,
            rows,
        })
    }

    /// Goes to the next row group with a row of that number; `false` when there is none.
    fn next_with(&mut self, seq: u64, go_on: &dyn Fn() -> bool) -> Result<bool> {
        while self.next < self.reader.num_row_groups() {
            anyhow::ensure!(go_on(), "the search for the request took too long");
            let group = self.reader.get_row_group(self.next)?;
            if Group(group.as_ref()).int64("seq")?.contains(&seq) {
                return Ok(true);
            }
            self.next += 1;
        }
        Ok(false)
    }

    fn all(self) -> Result<Vec<R>> {
        let total = self.reader.metadata().file_metadata().num_rows();
        let mut out = Vec::with_capacity(usize::try_from(total).unwrap_or(0));
        for group in self {
            out.extend(group?);
        }
        Ok(out)
    }
}

impl<R, F: FnMut(&Group<'_>) -> Result<Vec<R>>> Iterator for Groups<F> {
    type Item = Result<Vec<R>>;

    fn next(&mut self) -> Option<Result<Vec<R>>> {
        if self.next >= self.reader.num_row_groups() {
            return None;
        }
        let group = self.reader.get_row_group(self.next);
        self.next += 1;
        let rows = group
            .map_err(anyhow::Error::from)
            .and_then(|group| (self.rows)(&Group(group.as_ref())));
        Some(rows.with_context(|| format!("cannot read {}", self.path.display())))
    }
}

/// One row group, by column.
pub struct Group<'a>(&'a dyn RowGroupReader);

impl Group<'_> {
    fn has(&self, name: &str) -> bool {
        let columns = self.0.metadata().schema_descr().columns();
        columns.iter().any(|column| column.name() == name)
    }

    fn column(&self, name: &str) -> Result<(ColumnReader, usize)> {
        let columns = self.0.metadata().schema_descr().columns();
        let index = columns
            .iter()
            .position(|c| c.name() == name)
            .with_context(|| format!("no column {name}"))?;
        Ok((
            self.0.get_column_reader(index)?,
            usize::try_from(self.0.metadata().num_rows())?,
        ))
    }

    fn int64(&self, name: &str) -> Result<Vec<u64>> {
        let (ColumnReader::Int64ColumnReader(mut reader), rows) = self.column(name)? else {
            bail!("column {name} is not int64");
        };
        let mut values = Vec::with_capacity(rows);
        reader.read_records(rows, None, None, &mut values)?;
        Ok(values.into_iter().map(i64::cast_unsigned).collect())
    }

    fn int32(&self, name: &str) -> Result<Vec<u16>> {
        let (ColumnReader::Int32ColumnReader(mut reader), rows) = self.column(name)? else {
            bail!("column {name} is not int32");
        };
        let mut values = Vec::with_capacity(rows);
        reader.read_records(rows, None, None, &mut values)?;
        values
            .into_iter()
            .map(|v| u16::try_from(v).with_context(|| format!("{name} {v} is out of range")))
            .collect()
    }

    /// Reads texts as numbers; each distinct text is asked for once per row group.
    fn text(&self, name: &str, mut number: impl FnMut(&str) -> Result<u16>) -> Result<Vec<u16>> {
        let (ColumnReader::ByteArrayColumnReader(mut reader), rows) = self.column(name)? else {
            bail!("column {name} is not text");
        };
        let mut values = Vec::with_capacity(rows);
        reader.read_records(rows, None, None, &mut values)?;
        let mut known: HashMap<Vec<u8>, u16> = HashMap::new();
        let mut out = Vec::with_capacity(rows);
        for value in values {
            let found = match known.get(value.data()) {
                Some(&found) => found,
                None => {
                    let found = number(std::str::from_utf8(value.data())?)?;
                    known.insert(value.data().to_vec(), found);
                    found
                }
            };
            out.push(found);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RunKey;

    #[test]
    fn rows_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let key = RunKey::from_seed(1);
        let exchanges: Vec<Exchange> = (0..1000)
            .map(|i| Exchange {
                seq: i,
                intended_ns: i + 1,
                sent_ns: i + 2,
                connected_ns: 0,
                first_byte_ns: i + 3,
                done_ns: i + 4,
                connection: 7,
                bytes: u32::MAX,
                stage: 3,
                status: 200,
                outcome: Outcome::ALL[i as usize % 6],
                task: (i % 3) as u8,
            })
            .collect();
        let path = folder.path().join("exchanges.parquet");
        let chunks = exchanges.chunks(300).map(|chunk| Ok(chunk.to_vec()));
        write_exchanges(&path, &|seq| key.trace_id(seq), chunks).unwrap();
        assert_eq!(read_exchanges(&path).unwrap(), exchanges);

        // As it was written before there were tasks.
        let before = EXCHANGES.replace("required int32 task;", "");
        let path = folder.path().join("before.parquet");
        write(
            &path,
            &before,
            std::iter::once(Ok(exchanges.clone())),
            |rows| {
                let mut columns = exchange_columns(rows, &|seq| key.trace_id(seq));
                columns.remove(11);
                columns
            },
        )
        .unwrap();
        let first = exchanges.iter().map(|e| Exchange { task: 0, ..*e });
        assert_eq!(read_exchanges(&path).unwrap(), first.collect::<Vec<_>>());

        let mut dictionary = Dictionary::default();
        dictionary.intern(Table::SpanName, "POST /predict");
        dictionary.intern(Table::Source, "pod-0");
        dictionary.intern(Table::Detail, "");
        let spans: Vec<Span> = (0..1000)
            .map(|i| Span {
                seq: i,
                span_id: u64::MAX - i,
                parent_span_id: i,
                start_unix_ns: 5,
                end_unix_ns: 9,
                arrived_ns: 11,
                name: 0,
                source: 0,
                detail: 0,
                http_status: 200,
                kind: 2,
                status: 0,
            })
            .collect();
        let path = folder.path().join("spans.parquet");
        let chunks = spans.chunks(300).map(|chunk| Ok(chunk.to_vec()));
        write_spans(&path, &|seq| key.trace_id(seq), &dictionary, chunks).unwrap();
        assert_eq!(read_spans(&path, &mut dictionary).unwrap(), spans);
    }
}
