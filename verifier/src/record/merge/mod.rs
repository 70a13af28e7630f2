//! Joins the run folders of all shards of a run into one, which is judged as any other: rows are concatenated and put
//! on one clock, books added up. Nothing is averaged.

mod gather;
mod journal;
mod part;
mod readings;
mod rows;
mod sums;

use super::{RunFolder, write_whole};
use anyhow::{Context, Result};
use part::Part;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Joins the shards that are found in the folders, or in folders within them; tells what it waits for.
///
/// The run's clock is that of the shard that began first. Other shards' moments are put on it by the difference of the
/// two machines' wall clocks when their runs began: as far as these clocks agree, so do the moments. Latencies do not
/// depend on it, since both ends of each were read from one clock.
///
/// # Errors
/// When the folders are not all the shards of one run, each come to its end, within the time given; when a file is
/// damaged or the new folder can not be written.
pub fn merge(
    folders: &[PathBuf],
    out: &Path,
    wait: Option<Duration>,
    tell: &mut dyn FnMut(&str),
) -> Result<RunFolder> {
    let parts = gather::gather(folders, wait, tell)?;
    let names = parts.iter().map(|part| part.folder.path().display());
    tell(&format!(
        "joining {} shards: {}",
        parts.len(),
        names
            .map(|name| name.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    ));
    join(&parts, out)
}

fn join(parts: &[Part], out: &Path) -> Result<RunFolder> {
    let folder = RunFolder::create(out)?;
    match fill(parts, &folder) {
        Ok(()) => Ok(folder),
        Err(error) => {
            // It was empty. That it can not be removed changes nothing about the error.
            let _ = fs::remove_dir_all(out);
            Err(error)
        }
    }
}

fn fill(parts: &[Part], folder: &RunFolder) -> Result<()> {
    let first = parts.first().context("there is no shard to join")?;
    let plan = first.folder.plan();
    let text = fs::read(&plan).with_context(|| format!("cannot read {}", plan.display()))?;
    write_whole(&folder.plan(), &text)?;
    let origin_unix_ns = origin_unix_ns(parts);
    let dictionary = journal::dictionary(parts);
    rows::exchanges(parts, origin_unix_ns, folder)?;
    let spans = rows::spans(parts, origin_unix_ns, &dictionary, folder)?;
    // Last: without a journal it is no run folder, so that half of one is not taken for a whole.
    journal::write(parts, origin_unix_ns, &dictionary, &spans, folder)
}

/// Unix nanoseconds at zero of the joined run's clock: so that no shard's moment is before it.
fn origin_unix_ns(parts: &[Part]) -> u64 {
    let origins = parts.iter().map(|part| part.origin_unix_ns);
    origins.min().unwrap_or(0)
}

/// What is added to a shard's moments to have them on the run's clock, nanoseconds.
fn shift_ns(part: &Part, origin_unix_ns: u64) -> u64 {
    part.origin_unix_ns - origin_unix_ns
}
