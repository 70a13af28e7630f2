//! Where the shards' run folders are: paths in, those of one run out; waits for shards that are not there yet.

use super::part::{Part, all_of_one_run};
use crate::record::{Clock, Entry, Observation, RunFolder, Shard};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A journal says which shard it is of before its load, after the texts of the plan's spans.
const FIRST_LINES: usize = 200;

/// Finds the shards in the folders, or in folders within them.
///
/// # Errors
/// When they are not all the shards of one run, each come to its end, within the time given.
pub(super) fn gather(
    paths: &[PathBuf],
    wait: Option<Duration>,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Part>> {
    let clock = Clock::start();
    let wait_ns = wait.map_or(0, |wait| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    let mut told = String::new();
    let found = loop {
        let found = look(paths, wait.is_some())?;
        let state = state(&found);
        if state.is_none() || clock.now_ns() >= wait_ns {
            break found;
        }
        if let Some(state) = state.filter(|state| *state != told) {
            tell(&state);
            told = state;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    ensure!(
        !found.is_empty(),
        "no run folder of a shard in {}",
        shown(paths)
    );
    let parts = found.iter().map(|found| Part::read(&found.path));
    all_of_one_run(parts.collect::<Result<_>>()?)
}

fn shown(paths: &[PathBuf]) -> String {
    let paths = paths.iter().map(|path| path.display().to_string());
    paths.collect::<Vec<_>>().join(", ")
}

/// A run folder that is, or may become, a shard's.
struct Found {
    path: PathBuf,
    shard: Option<Shard>,
    sealed: bool,
}

/// Run folders among the paths, and in those that are none themselves.
fn look(paths: &[PathBuf], waiting: bool) -> Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in paths {
        if is_run(path) {
            found.push(Found::at(path.clone())?);
            continue;
        }
        let entries = match fs::read_dir(path) {
            Err(_) if waiting => continue, // it may yet be made
            entries => entries.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let within = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut within: Vec<PathBuf> = within.filter(|path| is_run(path)).collect();
        within.sort();
        for path in within {
            // Beside the shards there may be other runs, such as one that was joined before.
            found.extend(Some(Found::at(path)?).filter(|found| found.shard.is_some()));
        }
    }
    Ok(found)
}

fn is_run(path: &Path) -> bool {
    path.join("journal.jsonl").is_file()
}

impl Found {
    fn at(path: PathBuf) -> Result<Found> {
        let folder = RunFolder::open(&path)?;
        let journal = File::open(folder.journal())
            .with_context(|| format!("cannot open {}", folder.journal().display()))?;
        let lines = BufReader::new(journal).lines().take(FIRST_LINES);
        let shard = lines.map_while(Result::ok).find_map(|line| {
            match serde_json::from_str::<Entry>(&line).ok()?.observation {
                Observation::Shard(shard) => Some(shard),
                _ => None,
            }
        });
        // The last of the row files goes when all Parquet files are whole.
        let rows = fs::read_dir(&path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .any(|name| name.ends_with(".rows") || name.ends_with(".parquet.partial"));
        Ok(Found {
            sealed: folder.exchanges_parquet().is_file() && !rows,
            shard,
            path,
        })
    }
}

/// What is waited for; `None`: nothing, since all are there or waiting would not help.
fn state(found: &[Found]) -> Option<String> {
    let shards: Vec<Shard> = found.iter().filter_map(|found| found.shard).collect();
    let Some(first) = shards.first() else {
        return Some("no shard is there yet".to_owned());
    };
    let distinct: BTreeSet<u16> = shards.iter().map(|shard| shard.index).collect();
    let one_run = shards.iter().all(|shard| shard.count == first.count);
    if !one_run || distinct.len() < shards.len() {
        return None;
    }
    let sealed = found.iter().filter(|found| found.sealed);
    let sealed: BTreeSet<u16> = sealed.filter_map(|f| Some(f.shard?.index)).collect();
    let missing = |of: &BTreeSet<u16>| {
        let missing = (0..first.count).filter(|index| !of.contains(index));
        let missing: Vec<String> = missing.map(|index| index.to_string()).collect();
        missing.join(", ")
    };
    if sealed.len() == usize::from(first.count) {
        return None;
    }
    let absent = match distinct.len() == usize::from(first.count) {
        true => String::new(),
        false => format!(" (not there yet: {})", missing(&distinct)),
    };
    Some(format!(
        "{} of {} shards have come to their end; waiting for {}{absent}",
        sealed.len(),
        first.count,
        missing(&sealed)
    ))
}
