//! Two runs on one page: the document of one, with another's beside it and what comparing them has come to.

use super::{frozen, page};
use crate::record::{RunFolder, write_whole};
use crate::verdict::compare::Comparison;
use crate::verdict::page::{Page, SCHEMA};
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// The page of a run that was judged.
///
/// # Errors
/// When it is not there, or of another version; the error says what to do.
pub fn read_page(folder: &RunFolder) -> Result<Page> {
    let path = folder.path().join("page.json");
    let again = || {
        format!(
            "{} can not be shown: `verifier judge {}` writes it anew",
            path.display(),
            folder.path().display()
        )
    };
    let text = std::fs::read(&path).with_context(again)?;
    let page: Page = serde_json::from_slice(&text).with_context(again)?;
    ensure!(page.schema == SCHEMA, "{}", again());
    Ok(page)
}

/// The run's page with the baseline beside it, as one file.
///
/// # Errors
/// As [`read_page`], and when the file can not be written.
pub fn write_beside(
    file: &Path,
    run: &RunFolder,
    baseline: &RunFolder,
    comparison: Comparison,
) -> Result<()> {
    let mut page = read_page(run)?;
    page.baseline = Some(Box::new(read_page(baseline)?));
    page.comparison = Some(comparison);
    page::fit(&mut page)?;
    let json = serde_json::to_string(&page)?;
    let html = frozen::to_html(&json, page.verdict.as_ref())?;
    write_whole(file, html.as_bytes())
}
