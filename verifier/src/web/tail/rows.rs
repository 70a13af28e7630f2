//! The exchanges' rows as they are appended; of a run that was sealed before anybody looked, out of its Parquet file.

use crate::record::chunks::Chunks;
use crate::record::{Exchange, Row, RunFolder};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

/// Rows that are read at once: a quarter of a megabyte stays in the CPU's cache.
const AT_ONCE: u64 = 1 << 12;
const ROW: u64 = 64;

/// Where the reading stands.
#[derive(Default)]
pub(super) enum Rows {
    /// There is no file yet.
    #[default]
    NotYet,
    /// It is open, and stays readable when the run is sealed and the file removed.
    Growing { file: File, next: u64 },
    /// The run was sealed before.
    Sealed(Chunks<'static, Exchange>),
}

impl Rows {
    /// Shows what was appended since, until there is nothing or `go_on` says no; whether all was shown.
    ///
    /// # Errors
    /// When a file can not be read, or is none of exchanges.
    pub(super) fn read(
        &mut self,
        folder: &RunFolder,
        go_on: &dyn Fn() -> bool,
        show: &mut dyn FnMut(&[Exchange]),
    ) -> Result<bool> {
        if let Rows::NotYet = self {
            *self = open(folder)?;
        }
        match self {
            Rows::NotYet => Ok(true),
            Rows::Growing { file, next } => read_rows(file, next, go_on, show),
            Rows::Sealed(chunks) => {
                for chunk in chunks.by_ref() {
                    show(&chunk?);
                    if !go_on() {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

fn open(folder: &RunFolder) -> Result<Rows> {
    match File::open(folder.exchange_rows()) {
        Ok(file) => {
            let mut head = [0; ROW as usize];
            match file.read_exact_at(&mut head, 0) {
                Ok(()) => {}
                // It was created in this moment.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Rows::NotYet),
                Err(error) => return Err(error.into()),
            }
            ensure!(
                head[..16] == Exchange::MAGIC[..],
                "exchanges.rows is not a file of exchanges of this version"
            );
            Ok(Rows::Growing { file, next: 1 })
        }
        Err(_) if folder.exchanges_parquet().is_file() => {
            Ok(Rows::Sealed(folder.exchange_chunks()?))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Rows::NotYet),
        Err(error) => Err(error).context("cannot read exchanges.rows"),
    }
}

fn read_rows(
    file: &File,
    next: &mut u64,
    go_on: &dyn Fn() -> bool,
    show: &mut dyn FnMut(&[Exchange]),
) -> Result<bool> {
    let end = file.metadata()?.len() / ROW;
    let mut bytes = vec![0; (AT_ONCE * ROW) as usize];
    let mut exchanges = Vec::with_capacity(AT_ONCE as usize);
    while *next < end {
        let some = (end - *next).min(AT_ONCE);
        let bytes = &mut bytes[..(some * ROW) as usize];
        file.read_exact_at(bytes, *next * ROW)?;
        exchanges.clear();
        for row in bytes.as_chunks().0 {
            exchanges.push(Exchange::decode(row).context("a row of exchanges.rows is damaged")?);
        }
        show(&exchanges);
        *next += some;
        if !go_on() {
            return Ok(*next >= end);
        }
    }
    Ok(true)
}
