//! The runs that are recorded beside the one that is shown.

use crate::record::{Entry, Observation};
use serde::{Deserialize, Serialize};
use std::fs::{File, read_dir};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The newest of them are listed.
const MOST: usize = 100;
/// Where a journal says when its run began, at the latest.
const HEAD_BYTES: u64 = 1 << 14;

/// A run as a line of the list.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    id: String,
    plan: String,
    started_unix_ms: u64,
    outcome: Option<String>,
}

/// What is read of a verdict, or of a plan.
#[derive(Deserialize)]
struct Outcome {
    outcome: String,
}

#[derive(Deserialize)]
struct PlanName {
    name: String,
}

/// Those in the folder, newest first, but for the one that is shown.
pub(super) fn list(root: &Path, shown: Option<&str>) -> Vec<Line> {
    let mut found: Vec<(u64, PathBuf, String)> = Vec::new();
    for entry in read_dir(root).into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder
            && Some(id.as_str()) != shown
            && let Some(started) = started_unix_ms(&entry.path())
        {
            found.push((started, entry.path(), id));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found.truncate(MOST);
    let lines = found.into_iter().map(|(started_unix_ms, path, id)| Line {
        plan: plan(&path).unwrap_or_default(),
        outcome: outcome(&path),
        id,
        started_unix_ms,
    });
    lines.collect()
}

/// The folder of that run; `None` for what is no name of a run there.
pub(super) fn find(root: &Path, id: &str) -> Option<PathBuf> {
    let plain = !id.is_empty() && !id.starts_with('.') && !id.contains(['/', '\0']);
    let path = root.join(id);
    let is_folder = plain
        && path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_dir());
    (is_folder && path.join("journal.jsonl").is_file()).then_some(path)
}

fn started_unix_ms(run: &Path) -> Option<u64> {
    let file = File::open(run.join("journal.jsonl")).ok()?;
    let lines = BufReader::new(file.take(HEAD_BYTES)).lines();
    // Texts that every run has stand before it.
    lines.map_while(Result::ok).find_map(|line| {
        match serde_json::from_str::<Entry>(&line).ok()?.observation {
            Observation::RunStarted { origin_unix_ns, .. } => Some(origin_unix_ns / 1_000_000),
            _ => None,
        }
    })
}

fn plan(run: &Path) -> Option<String> {
    let text = std::fs::read_to_string(run.join("plan.toml")).ok()?;
    toml::from_str::<PlanName>(&text).ok().map(|plan| plan.name)
}

fn outcome(run: &Path) -> Option<String> {
    let verdict = std::fs::read(run.join("verdict.json")).ok()?;
    serde_json::from_slice::<Outcome>(&verdict)
        .ok()
        .map(|verdict| verdict.outcome)
}
