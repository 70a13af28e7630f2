//! The run that another is held against: its figures and its page; and the page of two runs.

use super::{Comparison, Side, compare};
use crate::record::RunFolder;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use crate::verdict::page::Page;
use crate::verdict::report;
use anyhow::Result;
use std::path::Path;

/// A run to be held against, read before the other, so that no two of them are in memory at once.
pub struct Baseline {
    side: Side,
    page: Page,
    noise: f64,
}

impl Baseline {
    /// Reads and judges the folder, and reads its page; writes nothing. A change up to `noise`, a share, is none.
    ///
    /// # Errors
    /// When a file of the folder is missing or damaged, or its page was not made yet.
    pub fn read(folder: &RunFolder, noise: f64) -> Result<Baseline> {
        let page = report::read_page(folder)?;
        let side = Side::read(folder)?;
        Ok(Baseline { side, page, noise })
    }

    /// Its page, and what holding the judged run against it comes to.
    pub(in crate::verdict) fn beside(
        self,
        timeline: &Timeline<'_>,
        verdict: &Verdict,
    ) -> (Page, Comparison) {
        let comparison = compare(&self.side, &Side::of(timeline, verdict), self.noise);
        (self.page, comparison)
    }
}

/// Writes one self-contained page of the second run, with the first as its baseline, from the pages of both folders.
///
/// # Errors
/// When one of the pages was not made yet, or the file can not be written.
pub fn to_html(a: &RunFolder, b: &RunFolder, comparison: &Comparison, to: &Path) -> Result<()> {
    let baseline = report::read_page(a)?;
    let page = Page {
        comparison: Some(comparison.clone()),
        baseline: Some(Box::new(baseline)),
        // Beside this file there is no run folder.
        files: Vec::new(),
        ..report::read_page(b)?
    };
    report::write_page_to(to, page)
}
