//! Files that scripts around wrk, Locust, HdrHistogram, oha and perf_analyzer parse already, from the joined run alone.

mod hgrm;
mod locust;
mod oha;
mod perf_analyzer;
mod printf;
mod readme;
mod tally;
mod wrk;

use crate::record::{RunFolder, write_whole};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use anyhow::{Context, Result};
use std::fs;
use tally::Tally;

/// Name of the folder, inside the run folder.
const FOLDER: &str = "legacy";

/// One file of `legacy/`.
struct File {
    name: String,
    text: String,
}

/// The files of `legacy/`, ready to be written. All carry service time, from the actual send, as those tools do.
pub struct Legacy {
    files: Vec<File>,
}

impl Legacy {
    /// Computes them, stage by stage: of each stage only small figures outlive its pass.
    ///
    /// # Errors
    /// Never for a run that was judged.
    pub fn of(timeline: &Timeline<'_>, verdict: &Verdict) -> Result<Legacy> {
        let mut files = vec![file("README.txt", readme::text())];
        let mut blocks = Vec::new();
        let mut sweep = perf_analyzer::Sweep::default();
        let mut seen = locust::Seen::new(timeline);
        for (index, stage) in verdict.stages.iter().enumerate() {
            let tally = Tally::of(timeline, index, stage, &mut seen);
            let name = file_name(index, &stage.name);
            let load = &timeline.plan.stages[index].load;
            blocks.push(wrk::block(timeline, verdict, index, &tally));
            files.push(file(&format!("{name}.hgrm"), hgrm::text(&tally)?));
            files.push(file(&format!("{name}.oha.json"), oha::json(&tally)?));
            sweep.add(timeline, load, &tally);
        }
        files.push(file("wrk_test_results.txt", blocks.join("\n")));
        files.extend(locust::files(timeline, verdict, &seen)?);
        files.extend(sweep.files(timeline)?);
        Ok(Legacy { files })
    }

    /// Writes them into `legacy/` of the run folder, each whole or not at all.
    ///
    /// # Errors
    /// When the folder can not be made or a file not be written.
    pub fn write(&self, folder: &RunFolder) -> Result<()> {
        let path = folder.path().join(FOLDER);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        for File { name, text } in &self.files {
            write_whole(&path.join(name), text.as_bytes())?;
        }
        Ok(())
    }
}

fn file(name: &str, text: String) -> File {
    let name = name.to_owned();
    File { name, text }
}

/// A stage's files begin with its number, so that names that differ only in what a file name can not have stay apart.
fn file_name(index: usize, stage: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let stage = stage.chars().map(|c| if plain(c) { c } else { '_' });
    format!("{:02}-{}", index + 1, stage.collect::<String>())
}

/// Rows as a table of comma-separated values.
///
/// # Errors
/// Never: memory takes any row, and all are of one length.
fn csv_text(terminator: csv::Terminator, rows: &[Vec<String>]) -> Result<String> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(terminator)
        .from_writer(Vec::new());
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_that_every_file_system_takes() {
        assert_eq!(file_name(0, "connections-10"), "01-connections-10");
        assert_eq!(file_name(9, "../ä b.c"), "10-_____b_c");
    }
}
