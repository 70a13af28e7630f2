//! One file of the spill directory: a head with the resource, then records of encoded spans, each
//! with its lengths and a checksum. It is deleted when nothing in it is needed any more.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// First bytes of every segment; the last one is the version of the format.
const MAGIC: [u8; 8] = *b"IRISPAN1";
/// Of a record: bytes of its scope, bytes of its spans, number of spans, CRC-32 of the former three
/// and of what follows; each a little-endian u32.
const HEAD_BYTES: usize = 16;

/// A segment and the file behind it. Every record in it holds it; with the last one it goes away.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    bytes: AtomicU64,
    /// Bytes of all segments.
    used: Arc<AtomicU64>,
    /// The file stays for the next process.
    left: AtomicBool,
}

/// A record's place in its segment.
#[derive(Debug)]
pub(in crate::telemetry) struct Record {
    segment: Arc<Segment>,
    at: u64,
    len: usize,
}

/// A record as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) record: Record,
    pub(super) scope: Vec<u8>,
    pub(super) spans: u64,
}

/// What a segment of an earlier process holds.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) resource: Vec<u8>,
    pub(super) found: Vec<Found>,
    /// Bytes at its end that are no whole record.
    pub(super) torn_bytes: usize,
}

impl Segment {
    /// A new file.
    pub(super) fn create(
        path: PathBuf,
        resource: &[u8],
        used: &Arc<AtomicU64>,
    ) -> io::Result<Arc<Segment>> {
        let file = File::options()
            .append(true)
            .read(true)
            .create_new(true)
            .open(&path)?;
        let segment = Segment {
            path,
            file,
            bytes: AtomicU64::new(0),
            used: used.clone(),
            left: AtomicBool::new(false),
        };
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&length(resource.len())?);
        head.extend_from_slice(&crc32fast::hash(resource).to_le_bytes());
        head.extend_from_slice(resource);
        segment.append(&head)?;
        Ok(Arc::new(segment))
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Appends a record: all of it or nothing.
    pub(super) fn write(
        self: &Arc<Segment>,
        scope: &[u8],
        spans_bytes: &[u8],
        spans: u64,
    ) -> io::Result<Record> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + scope.len() + spans_bytes.len());
        bytes.extend_from_slice(&length(scope.len())?);
        bytes.extend_from_slice(&length(spans_bytes.len())?);
        bytes.extend_from_slice(&length(usize::try_from(spans).unwrap_or(usize::MAX))?);
        let mut crc = crc32fast::Hasher::new();
        for part in [&bytes, scope, spans_bytes] {
            crc.update(part);
        }
        bytes.extend_from_slice(&crc.finalize().to_le_bytes());
        bytes.extend_from_slice(scope);
        bytes.extend_from_slice(spans_bytes);
        let at = self.append(&bytes)? + (bytes.len() - spans_bytes.len()) as u64;
        Ok(Record {
            segment: self.clone(),
            at,
            len: spans_bytes.len(),
        })
    }

    /// Where the bytes begin. On an error the file is as it was before.
    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let before = self.len();
        if let Err(error) = (&self.file).write_all(bytes) {
            self.file.set_len(before)?;
            return Err(error);
        }
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.used.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(before)
    }

    /// Reads a segment that an earlier process has left.
    pub(super) fn open(path: &Path, used: &Arc<AtomicU64>) -> io::Result<Contents> {
        let bytes = fs::read(path)?;
        used.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let segment = Arc::new(Segment {
            path: path.to_owned(),
            file: File::open(path)?,
            bytes: AtomicU64::new(bytes.len() as u64),
            used: used.clone(),
            left: AtomicBool::new(false),
        });
        if bytes.len() < 16 {
            // Its process ended before it held anything.
            return Ok(Contents {
                resource: Vec::new(),
                found: Vec::new(),
                torn_bytes: bytes.len(),
            });
        }
        let Some((resource, mut at)) = resource(&bytes) else {
            // What is not ours, or of another version, stays where it is.
            segment.left.store(true, Ordering::Relaxed);
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it does not begin as a spill file of this version does",
            ));
        };
        let mut found = Vec::new();
        while let Some((scope, spans, spans_bytes)) = record(&bytes[at..]) {
            let start = at + HEAD_BYTES + scope.len();
            found.push(Found {
                record: Record {
                    segment: segment.clone(),
                    at: start as u64,
                    len: spans_bytes,
                },
                scope: scope.to_vec(),
                spans,
            });
            at = start + spans_bytes;
        }
        Ok(Contents {
            resource: resource.to_vec(),
            found,
            torn_bytes: bytes.len() - at,
        })
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.used.fetch_sub(self.len(), Ordering::Relaxed);
        if !*self.left.get_mut()
            && let Err(error) = fs::remove_file(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%path, %error, "cannot delete a spill file; its spans will be sent again");
        }
    }
}

impl Record {
    /// The encoded spans. Blocks.
    pub(in crate::telemetry) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.len];
        self.segment.file.read_exact_at(&mut bytes, self.at)?;
        Ok(bytes)
    }

    /// Bytes of the encoded spans.
    pub(in crate::telemetry) fn len(&self) -> usize {
        self.len
    }

    /// The file stays, for the next process.
    pub(in crate::telemetry) fn leave(&self) {
        self.segment.left.store(true, Ordering::Relaxed);
    }
}

fn length(bytes: usize) -> io::Result<[u8; 4]> {
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "longer than 4 GiB");
    Ok(u32::try_from(bytes).map_err(too_long)?.to_le_bytes())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

/// The resource at the start of a segment, and where the records begin.
fn resource(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (len, crc) = (u32_at(bytes, 8)? as usize, u32_at(bytes, 12)?);
    let resource = bytes.get(16..)?.get(..len)?;
    (bytes.starts_with(&MAGIC) && crc32fast::hash(resource) == crc).then_some((resource, 16 + len))
}

/// The whole and sound record that `bytes` begin with: its scope, its number of spans, their bytes.
fn record(bytes: &[u8]) -> Option<(&[u8], u64, usize)> {
    let (scope, spans_bytes) = (u32_at(bytes, 0)? as usize, u32_at(bytes, 4)? as usize);
    let (spans, crc) = (u32_at(bytes, 8)?, u32_at(bytes, 12)?);
    let content = bytes
        .get(HEAD_BYTES..)?
        .get(..scope.checked_add(spans_bytes)?)?;
    let mut actual = crc32fast::Hasher::new();
    actual.update(&bytes[..12]);
    actual.update(content);
    (actual.finalize() == crc).then_some((&content[..scope], spans.into(), spans_bytes))
}
