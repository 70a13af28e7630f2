//! A run folder: the files that a run is, and how to read them back.

use super::{
    Clock, Dictionary, Entry, Exchange, Observation, RowReader, Span, TraceId, parquet,
    read_journal, read_rows,
};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Where runs are recorded that are given no folder.
    pub const RUNS: &'static str = "runs";

    /// Makes a new run folder, or takes an empty one, and proves that it can be written.
    ///
    /// # Errors
    /// When it can not be made or written, or holds something already.
    pub fn create(path: &Path) -> Result<RunFolder> {
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make the run folder {}", path.display()))?;
        let mut entries =
            fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(
            entries.next().is_none(),
            "the run folder {} is not empty: name another with --out",
            path.display()
        );
        let probe = path.join(".probe");
        // A full disk takes the name and refuses the bytes.
        fs::write(&probe, vec![0; 1 << 16])
            .and_then(|()| fs::remove_file(&probe))
            .with_context(|| format!("cannot write to the run folder {}", path.display()))?;
        Ok(RunFolder {
            path: path.to_owned(),
        })
    }

    /// Where a run of the plan that begins now is recorded, unless somebody says otherwise: `runs/<plan>-<time>`, with a
    /// number behind it if two runs begin in the same second.
    pub fn default_path(plan: &str, clock: Clock) -> PathBuf {
        let started = std::time::UNIX_EPOCH + Duration::from_nanos(clock.origin_unix_ns());
        let started = humantime::format_rfc3339_seconds(started)
            .to_string()
            .replace([':', '-'], "");
        let folder = PathBuf::from(RunFolder::RUNS).join(format!("{plan}-{started}"));
        let numbered =
            (2..).map(|number| folder.with_file_name(format!("{plan}-{started}-{number}")));
        std::iter::once(folder.clone())
            .chain(numbered)
            .find(|path| !path.exists())
            .unwrap_or(folder)
    }

    /// Opens the folder of a run that was made before.
    ///
    /// # Errors
    /// When there is no journal in it.
    pub fn open(path: &Path) -> Result<RunFolder> {
        let folder = RunFolder {
            path: path.to_owned(),
        };
        ensure!(
            folder.journal().is_file(),
            "{} is not a run folder: it has no journal.jsonl",
            path.display()
        );
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plan with every default filled in.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.toml")
    }

    /// Observations, one JSON object a line.
    pub fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// Exchanges while the run runs.
    pub fn exchange_rows(&self) -> PathBuf {
        self.path.join("exchanges.rows")
    }

    /// Spans while the run runs.
    pub fn span_rows(&self) -> PathBuf {
        self.path.join("spans.rows")
    }

    /// Exchanges of an ended run.
    pub fn exchanges_parquet(&self) -> PathBuf {
        self.path.join("exchanges.parquet")
    }

    /// Spans of an ended run.
    pub fn spans_parquet(&self) -> PathBuf {
        self.path.join("spans.parquet")
    }

    /// Trace ids that others made, by number.
    pub fn trace_ids(&self) -> PathBuf {
        self.path.join("trace_ids.rows")
    }

    /// Spans of one source while the run runs; the first one's are the run's.
    pub fn span_rows_of(&self, number: u8, name: &str) -> PathBuf {
        match number {
            0 => self.span_rows(),
            _ => self.path.join(format!("spans.{name}.rows")),
        }
    }

    /// Spans of one source of an ended run.
    pub fn spans_parquet_of(&self, number: u8, name: &str) -> PathBuf {
        match number {
            0 => self.spans_parquet(),
            _ => self.path.join(format!("spans.{name}.parquet")),
        }
    }

    /// What one source gave, in the order written.
    ///
    /// # Errors
    /// When its file is missing, unreadable or damaged before its last row.
    pub fn read_spans_of(
        &self,
        number: u8,
        name: &str,
        dictionary: &mut Dictionary,
    ) -> Result<Vec<Span>> {
        match self.spans_parquet_of(number, name) {
            path if path.is_file() => parquet::read_spans(&path, dictionary),
            _ => read_rows::<Span>(&self.span_rows_of(number, name)),
        }
    }

    /// Everything recorded, as far as it is whole; spans of the first source.
    ///
    /// # Errors
    /// When a file is missing, unreadable or damaged before its last line or row.
    pub fn read(&self) -> Result<Recorded> {
        let mut recorded = self.read_without_spans()?;
        recorded.spans = self.read_spans_of(0, "", &mut recorded.dictionary)?;
        Ok(recorded)
    }

    /// The journal and the exchanges.
    ///
    /// # Errors
    /// As [`RunFolder::read`].
    pub fn read_without_spans(&self) -> Result<Recorded> {
        let mut recorded = self.read_journal()?;
        recorded.exchanges = match self.exchanges_parquet() {
            path if path.is_file() => parquet::read_exchanges(&path)?,
            _ => read_rows::<Exchange>(&self.exchange_rows())?,
        };
        Ok(recorded)
    }

    /// What the journal tells; no rows.
    pub(super) fn read_journal(&self) -> Result<Recorded> {
        let journal = read_journal(&self.journal())?;
        let started = journal.iter().find_map(|entry| match &entry.observation {
            Observation::RunStarted {
                run_key,
                origin_unix_ns,
                ..
            } => Some((run_key, *origin_unix_ns)),
            _ => None,
        });
        let (run_key, origin_unix_ns) = started.with_context(|| {
            let path = self.path.display();
            format!("nothing to judge: the run in {path} had not begun when it was ended")
        })?;
        let key = run_key.parse().map_err(anyhow::Error::msg)?;
        let mut dictionary = Dictionary::default();
        for entry in &journal {
            if let Observation::Dictionary {
                table,
                number,
                text,
            } = &entry.observation
            {
                dictionary.insert(*table, *number, text);
            }
        }
        let found = match self.trace_ids() {
            path if path.is_file() => Some(read_rows::<TraceId>(&path)?),
            _ => None,
        };
        Ok(Recorded {
            key,
            found,
            origin_unix_ns,
            journal,
            dictionary,
            exchanges: Vec::new(),
            spans: Vec::new(),
        })
    }

    /// Turns the row files of an ended run into Parquet, which DuckDB and pandas open. The row files go only
    /// after the Parquet files are whole. However many rows there are, few are in memory at once.
    ///
    /// # Errors
    /// When a file can not be read or written; the row files are then still there.
    pub fn seal(&self) -> Result<()> {
        let recorded = self.read_journal()?;
        let ids = |seq| recorded.trace_id(seq);
        let (dictionary, journal) = (&recorded.dictionary, &recorded.journal);
        if self.exchange_rows().is_file() {
            let rows = RowReader::open(&self.exchange_rows(), parquet::ROW_GROUP)?;
            parquet::write_exchanges(&self.exchanges_parquet(), &ids, rows)?;
            fs::remove_file(self.exchange_rows()).context("cannot remove exchanges.rows")?;
        }
        for (number, name) in sources(journal) {
            let rows = self.span_rows_of(number, &name);
            if rows.is_file() {
                let to = self.spans_parquet_of(number, &name);
                let chunks = RowReader::open(&rows, parquet::ROW_GROUP)?;
                parquet::write_spans(&to, &ids, dictionary, chunks)?;
                fs::remove_file(&rows)
                    .with_context(|| format!("cannot remove {}", rows.display()))?;
            }
        }
        Ok(())
    }
}

/// The sources of traces that a journal names, by number. A journal that names none has one, the verifier's own receiver.
pub fn sources(journal: &[Entry]) -> Vec<(u8, String)> {
    let named = journal.iter().filter_map(|entry| match &entry.observation {
        Observation::TraceSource { number, name, .. } => Some((*number, name.clone())),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        return vec![(0, "otlp".to_owned())];
    }
    named
}

/// A run read back from its folder.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The run's key: trace ids from sequence numbers.
    pub key: super::RunKey,
    /// The trace ids of requests that others sent, by sequence number; `None`: the run sent its own.
    pub found: Option<Vec<TraceId>>,
    /// Unix nanoseconds at zero of the run's clock.
    pub origin_unix_ns: u64,
    /// Every observation, in the order written.
    pub journal: Vec<Entry>,
    /// Texts of the numbers in spans.
    pub dictionary: Dictionary,
    /// One row per planned request that has ended, in the order written.
    pub exchanges: Vec<Exchange>,
    /// One row per span received, in the order written.
    pub spans: Vec<Span>,
}

impl Recorded {
    /// The trace id of a request; all zero for a number that was not given.
    pub fn trace_id(&self, seq: u64) -> [u8; 16] {
        match &self.found {
            None => self.key.trace_id(seq),
            Some(found) => {
                let place = usize::try_from(seq).ok();
                place
                    .and_then(|place| found.get(place))
                    .map_or([0; 16], |id| id.0)
            }
        }
    }

    /// The span id that the root's parent must have; `None` where that is somebody else's.
    pub fn client_span_id(&self, seq: u64) -> Option<u64> {
        let own = self.found.is_none();
        own.then(|| u64::from_be_bytes(self.key.client_span_id(seq)))
    }
}

/// Writes a file so that it is either whole or not there: a temporary name, then a rename.
///
/// # Errors
/// When it can not be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = path.with_extension("partial");
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Half a file helps nobody; that it can not be removed either changes nothing about the first error.
        let _ = fs::remove_file(&temporary);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}
