//! `opentelemetry_traces/` of the run folder: the traces themselves, and what they come to, from the joined run alone.

mod completeness;
mod exemplars;
mod kept;
mod line;
mod span_details;
mod trends;
mod waterfall;

use super::page::Picture;
use crate::record::{Asked, RunFolder, write_whole};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

/// Name of the folder, inside the run folder.
const FOLDER: &str = "opentelemetry_traces";

/// Writes the folder anew: as a whole or not at all, and nothing of an earlier judgement stays. Traces go from the
/// timeline to the disk one by one; beside it there is one stage's span durations at most.
///
/// # Errors
/// When it can not be written.
pub(crate) fn write(
    folder: &RunFolder,
    timeline: &Timeline<'_>,
    verdict: &Verdict,
    pictures: &[Picture],
    asked: &Asked,
) -> Result<()> {
    let whole = folder.path().join(FOLDER);
    let partial = whole.with_extension("partial");
    let written =
        remove(&partial).and_then(|()| fill(&partial, timeline, verdict, pictures, asked));
    let written = written.and_then(|()| {
        remove(&whole)?;
        fs::rename(&partial, &whole).with_context(|| format!("cannot write {}", whole.display()))
    });
    if written.is_err() {
        // Half a folder helps nobody; that it can not be removed either changes nothing about the first error.
        let _ = remove(&partial);
    }
    written
}

fn fill(
    path: &Path,
    timeline: &Timeline<'_>,
    verdict: &Verdict,
    pictures: &[Picture],
    asked: &Asked,
) -> Result<()> {
    let waterfalls = path.join("waterfalls");
    fs::create_dir_all(&waterfalls)
        .with_context(|| format!("cannot make {}", waterfalls.display()))?;
    let kept = kept::write(path, timeline, verdict, asked)?;
    streamed(&path.join("span_details.txt"), |out| {
        span_details::write(out, timeline, verdict)
    })?;
    streamed(&path.join("performance_trends.csv"), |out| {
        trends::write(out, timeline, verdict)
    })?;
    let books = completeness::json(timeline, verdict, kept)?;
    write_whole(&path.join("completeness.json"), books.as_bytes())?;
    for picture in pictures {
        let svg = waterfall::svg(picture);
        let name = format!("{}.svg", picture.waterfall.trace_id);
        write_whole(&waterfalls.join(name), svg.as_bytes())?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.with_context(|| format!("cannot remove {}", path.display())),
    }
}

/// A file that is written as its content comes.
type Out = BufWriter<File>;

fn create(path: &Path) -> Result<Out> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 18, file))
}

fn streamed(path: &Path, fill: impl FnOnce(&mut Out) -> Result<()>) -> Result<()> {
    let mut out = create(path)?;
    let filled = fill(&mut out).and_then(|()| Ok(out.flush()?));
    filled.with_context(|| format!("cannot write {}", path.display()))
}

/// Text of a target in one line of a file for people.
fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}
