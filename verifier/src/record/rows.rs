//! Append-only files of fixed 64-byte rows: what a run writes while it runs. A file cut anywhere
//! (`kill -9`, full disk) is read up to its last whole row.

use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Something that is stored as one row of 64 bytes, little endian.
pub trait Row: Copy {
    /// First 16 bytes of the file: what the rows are, and in which version.
    const MAGIC: &'static [u8; 16];
    /// Writes every byte of `out`.
    fn encode(&self, out: &mut [u8; 64]);
    /// `None` when the bytes are no row of this kind.
    fn decode(bytes: &[u8; 64]) -> Option<Self>;
}

/// Appends rows to one file. Each [`RowWriter::append`] is handed to the kernel before it returns,
/// so a killed process loses only what it was not yet given.
pub struct RowWriter<R> {
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
    rows: PhantomData<R>,
}

impl<R: Row> RowWriter<R> {
    /// Creates the file and writes its 64-byte header.
    ///
    /// # Errors
    /// When the file exists already or can not be written.
    pub fn create(path: &Path) -> Result<Self> {
        let mut file =
            File::create_new(path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut header = [0; 64];
        header[..16].copy_from_slice(R::MAGIC);
        file.write_all(&header)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(RowWriter {
            file,
            path: path.to_owned(),
            buffer: Vec::new(),
            rows: PhantomData,
        })
    }

    /// Appends the rows.
    ///
    /// # Errors
    /// When the disk is full or gone; what was written stays readable.
    pub fn append(&mut self, rows: &[R]) -> Result<()> {
        self.buffer.resize(rows.len() * 64, 0);
        for (place, row) in self.buffer.as_chunks_mut::<64>().0.iter_mut().zip(rows) {
            row.encode(place);
        }
        self.file
            .write_all(&self.buffer)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Reads the whole rows of a file in chunks, in the order written.
pub struct RowReader<R> {
    file: BufReader<File>,
    path: PathBuf,
    rows: usize,
    read: usize,
    chunk: usize,
    kind: PhantomData<R>,
}

impl<R: Row> RowReader<R> {
    /// Opens the file, to give up to `chunk` rows at once.
    ///
    /// # Errors
    /// When the file can not be read, or is of another kind or version.
    pub fn open(path: &Path, chunk: usize) -> Result<RowReader<R>> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let rows = usize::try_from(file.metadata()?.len() / 64)
            .unwrap_or(0)
            .saturating_sub(1);
        let mut file = BufReader::with_capacity(1 << 20, file);
        let mut header = [0; 64];
        file.read_exact(&mut header)
            .with_context(|| format!("{} has no header", path.display()))?;
        ensure!(
            header[..16] == R::MAGIC[..],
            "{} is not a file of {:?}",
            path.display(),
            String::from_utf8_lossy(R::MAGIC).trim_end_matches(['\0', '\n'])
        );
        Ok(RowReader {
            file,
            path: path.to_owned(),
            rows,
            read: 0,
            chunk,
            kind: PhantomData,
        })
    }

    fn row(&mut self) -> Result<R> {
        let mut row = [0; 64];
        let (path, number) = (&self.path, self.read);
        self.file
            .read_exact(&mut row)
            .with_context(|| format!("cannot read row {number} of {}", path.display()))?;
        self.read += 1;
        R::decode(&row).with_context(|| format!("row {number} of {} is damaged", path.display()))
    }
}

impl<R: Row> Iterator for RowReader<R> {
    type Item = Result<Vec<R>>;

    fn next(&mut self) -> Option<Result<Vec<R>>> {
        let some = self.chunk.min(self.rows - self.read);
        let mut rows = Vec::with_capacity(some);
        for _ in 0..some {
            match self.row() {
                Ok(row) => rows.push(row),
                Err(error) => return Some(Err(error)),
            }
        }
        (some > 0).then_some(Ok(rows))
    }
}

/// Reads every whole row of the file, in the order written.
///
/// # Errors
/// When the file can not be read, is of another kind or version, or holds bytes that are no row.
pub fn read_rows<R: Row>(path: &Path) -> Result<Vec<R>> {
    let mut reader = RowReader::open(path, usize::MAX)?;
    reader.next().unwrap_or_else(|| Ok(Vec::new()))
}
