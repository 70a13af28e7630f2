//! One request out of a run folder, while the run goes on or afterwards: its exchange, and its spans of the first source.

use super::{Exchange, Recorded, Row, RunFolder, Span, parquet};
use anyhow::{Context, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes of a row.
const ROW: u64 = 64;
/// Rows that are looked at before it is asked again whether to go on.
const AT_ONCE: usize = 1 << 14;
/// A receiver's threads hand spans over in batches: this far at most, arrivals in the file are out of order.
const DISORDER_NS: u64 = 5_000_000_000;

impl RunFolder {
    /// The number of the request that has this trace id; `None` for a trace of another run. That it was planned is not
    /// looked into.
    ///
    /// # Errors
    /// When the journal, or the ids that others made, can not be read.
    pub fn seq(&self, trace_id: &[u8; 16]) -> Result<Option<u64>> {
        let recorded = self.read_journal()?;
        Ok(match recorded.found {
            None => recorded.key.seq(trace_id),
            Some(found) => { found.iter() }
                .position(|id| id.0 == *trace_id)
                .map(|place| place as u64),
        })
    }

    /// What was recorded, with the exchange of that number and its spans alone; `None` where there is no such exchange.
    /// `go_on` is asked now and then; when it says no, the search ends with an error.
    ///
    /// # Errors
    /// When a file can not be read or is damaged, and when the search was ended.
    pub fn one(&self, seq: u64, go_on: &dyn Fn() -> bool) -> Result<Option<Recorded>> {
        let mut recorded = self.read_journal()?;
        // A run that is being sealed has its rows in one of the two files at any moment.
        let exchange = match File::open(self.exchange_rows()) {
            Ok(file) => exchange_in_rows(&file, seq, go_on)?,
            Err(_) => parquet::exchange_of(&self.exchanges_parquet(), seq, go_on)?,
        };
        let Some(exchange) = exchange else {
            return Ok(None);
        };
        recorded.spans = match File::open(self.span_rows()) {
            Ok(file) => spans_in_rows(&file, &exchange, go_on)?,
            Err(_) => {
                let path = self.spans_parquet();
                parquet::spans_of(&path, seq, &mut recorded.dictionary, go_on)?
            }
        };
        recorded.exchanges = vec![exchange];
        Ok(Some(recorded))
    }
}

fn exchange_in_rows(file: &File, seq: u64, go_on: &dyn Fn() -> bool) -> Result<Option<Exchange>> {
    let mut found = None;
    scan::<Exchange>(file, 0, go_on, &mut |row| {
        found = (row.seq == seq).then_some(row);
        found.is_none()
    })?;
    Ok(found)
}

/// Spans stand in the order of their arrival, more or less: none of the exchange's before it was sent.
fn spans_in_rows(file: &File, exchange: &Exchange, go_on: &dyn Fn() -> bool) -> Result<Vec<Span>> {
    let from_ns = exchange.sent_ns.saturating_sub(DISORDER_NS);
    let (mut least, mut most) = (0, rows_of(file)?);
    while least < most {
        let middle = u64::midpoint(least, most);
        match read_row::<Span>(file, middle)?.arrived_ns < from_ns {
            true => least = middle + 1,
            false => most = middle,
        }
    }
    let mut spans = Vec::new();
    scan::<Span>(file, least, go_on, &mut |row| {
        if row.seq == exchange.seq {
            spans.push(row);
        }
        true
    })?;
    Ok(spans)
}

fn rows_of(file: &File) -> Result<u64> {
    Ok((file.metadata()?.len() / ROW).saturating_sub(1))
}

fn read_row<R: Row>(file: &File, number: u64) -> Result<R> {
    let mut row = [0; ROW as usize];
    file.read_exact_at(&mut row, (number + 1) * ROW)?;
    R::decode(&row).with_context(|| format!("row {number} is damaged"))
}

/// Shows rows from that number on, until `wanted` wants no more.
fn scan<R: Row>(
    file: &File,
    from: u64,
    go_on: &dyn Fn() -> bool,
    wanted: &mut dyn FnMut(R) -> bool,
) -> Result<()> {
    let rows = rows_of(file)?;
    let mut buffer = vec![0; AT_ONCE * ROW as usize];
    let mut next = from;
    while next < rows {
        anyhow::ensure!(go_on(), "the search for the request took too long");
        let some = (rows - next).min(AT_ONCE as u64);
        let bytes = usize::try_from(some * ROW)?;
        file.read_exact_at(&mut buffer[..bytes], (next + 1) * ROW)?;
        for row in buffer[..bytes].as_chunks().0 {
            if !wanted(R::decode(row).context("a row is damaged")?) {
                return Ok(());
            }
        }
        next += some;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Outcome, RowWriter};

    #[test]
    fn a_request_is_found_with_its_spans() {
        let folder = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&folder.path().join("run")).unwrap();
        let started = r#"{"at_ns":0,"kind":"run_started","run_id":"a","run_key":"00000000000000010000000000000002","origin_unix_ns":0,"verifier_version":"","host":{"name":"","kernel":"","cpus":1}}"#;
        std::fs::write(folder.journal(), format!("{started}\n")).unwrap();
        let exchange = |seq: u64| Exchange {
            seq,
            intended_ns: seq * 1_000_000,
            sent_ns: seq * 1_000_000,
            connected_ns: 0,
            first_byte_ns: 0,
            done_ns: seq * 1_000_000 + 5,
            connection: 0,
            bytes: 0,
            stage: 0,
            status: 200,
            outcome: Outcome::Ok,
            task: 0,
        };
        let span = |seq: u64, span_id: u64| Span {
            seq,
            span_id,
            parent_span_id: 0,
            start_unix_ns: 0,
            end_unix_ns: 0,
            arrived_ns: seq * 1_000_000 + 9,
            name: 0,
            source: 0,
            detail: 0,
            http_status: 0,
            kind: 2,
            status: 0,
        };
        let mut exchanges = RowWriter::create(&folder.exchange_rows()).unwrap();
        let mut spans = RowWriter::create(&folder.span_rows()).unwrap();
        for seq in 0..40_000 {
            exchanges.append(&[exchange(seq)]).unwrap();
            spans.append(&[span(seq, 1), span(seq, 2)]).unwrap();
        }
        let asked = |seq| folder.one(seq, &|| true).unwrap();
        let check = |seq| {
            let found = asked(seq).unwrap();
            assert_eq!(found.exchanges, [exchange(seq)]);
            let ids: Vec<u64> = found.spans.iter().map(|span| span.span_id).collect();
            assert_eq!(ids, [1, 2], "{seq}");
        };
        [0, 17_000, 39_999].iter().copied().for_each(check);
        assert!(asked(40_000).is_none());
        assert!(folder.one(39_999, &|| false).is_err());
        folder.seal().unwrap();
        [0, 17_000, 39_999].iter().copied().for_each(check);
        assert!(asked(40_000).is_none());
    }
}
