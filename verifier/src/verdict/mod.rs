//! AFTER: judges what is on disk. Pure: no clock, no async, no I/O but reading the run folder and writing reports.

pub mod align;
pub mod cluster;
pub mod compare;
pub mod figures;
pub mod judge;
pub mod outcome;
pub mod page;
pub mod report;
pub mod saturation;
pub mod shards;
pub mod sources;

pub use outcome::*;
pub use report::{read_verdict, schema, to_json, to_text};

use crate::plan::Plan;
use crate::record::{Asked, RunFolder};
use align::Timeline;
use anyhow::{Context, Result};
use compare::{Baseline, Comparison};

/// A run, judged: the verdict, and what only the reports need.
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// The files of `legacy/`.
    pub legacy: report::Legacy,
}

/// Judges the run that the folder holds. The same folder gives the same verdict, byte for byte.
///
/// # Errors
/// When a file of the folder is missing or damaged before its last line or row.
pub fn judge_folder(folder: &RunFolder) -> Result<Judged> {
    with_timeline(folder, |timeline, others| judged(timeline, &others))
}

/// Judges the run, shows the verdict, and writes the reports into the folder: in this order, so that a full disk still
/// leaves the verdict shown. What is `asked` goes before what was asked when the run began. Where there is a baseline, the
/// run is held against it, and `show` is told what that came to.
///
/// # Errors
/// As [`judge_folder`], as `show` has them, and when a report can not be written.
pub fn judge_and_report(
    folder: &RunFolder,
    asked: Asked,
    baseline: Option<Baseline>,
    show: impl FnOnce(&Verdict, Option<&Comparison>) -> Result<()>,
) -> Result<Verdict> {
    with_timeline(folder, |timeline, others| {
        let judged = judged(timeline, &others)?;
        let beside = baseline.map(|baseline| baseline.beside(timeline, &judged.verdict));
        let comparison = beside.as_ref().map(|(_, comparison)| comparison);
        show(&judged.verdict, comparison)?;
        let asked = asked.or(Asked::of_journal(&timeline.recorded.journal));
        report::write_reports(folder, timeline, &judged, &asked, beside)?;
        Ok(judged.verdict)
    })
}

/// The page of the run that the folder holds, in JSON, as [`judge_and_report`] would write it but for the list of files;
/// nothing is written.
///
/// # Errors
/// As [`judge_folder`].
pub fn page_json(folder: &RunFolder) -> Result<String> {
    with_timeline(folder, |timeline, others| {
        let verdict = judge::judge(timeline, &others);
        let asked = Asked::of_journal(&timeline.recorded.journal);
        report::page_json(folder, timeline, &verdict, &asked)
    })
}

fn judged(timeline: &Timeline<'_>, others: &[judge::Beside]) -> Result<Judged> {
    let verdict = judge::judge(timeline, others);
    let legacy = report::Legacy::of(timeline, &verdict)?;
    Ok(Judged { verdict, legacy })
}

/// Reads and joins the run that the folder holds, and lets it go when `seen` has seen it. Sources of traces are joined
/// one after the other, the first last: so that no two of them are in memory at once.
fn with_timeline<T>(
    folder: &RunFolder,
    seen: impl FnOnce(&Timeline<'_>, Vec<judge::Beside>) -> Result<T>,
) -> Result<T> {
    let path = folder.plan();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut plan = Plan::parse(&text, &path.display().to_string())?;
    let recorded = folder.read_without_spans()?;
    plan.stages.extend(align::planned_stages(&recorded)?);
    let sources = crate::record::sources(&recorded.journal);
    let mut timeline = Timeline::new(&plan, recorded);
    let mut others = Vec::new();
    for (number, name) in sources.iter().skip(1) {
        timeline.join(|dictionary| folder.read_spans_of(*number, name, dictionary))?;
        others.push(judge::beside(&timeline, *number));
    }
    timeline.join(|dictionary| folder.read_spans_of(0, "", dictionary))?;
    seen(&timeline, others)
}
