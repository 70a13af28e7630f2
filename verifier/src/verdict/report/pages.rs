//! `page.json` and `report.html`, written last: they list every file of the folder, themselves too.

use super::{frozen, page};
use crate::record::{RunFolder, write_whole};
use crate::verdict::page::{Page, RunFile, SCHEMA};
use anyhow::{Context, Result, ensure};
use std::path::Path;

const DOCUMENT: &str = "page.json";
const REPORT: &str = "report.html";

/// Writes both into the folder, each whole or not at all.
///
/// # Errors
/// When the folder can not be read or a file not be written.
pub(super) fn write(folder: &RunFolder, mut page: Page) -> Result<()> {
    let mut files = listed(folder)?;
    files.retain(|file| file.path != DOCUMENT && file.path != REPORT);
    files.extend([DOCUMENT, REPORT].map(|name| RunFile {
        path: name.to_owned(),
        bytes: Some(0),
    }));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    page.files = files;
    page::fit(&mut page)?;
    let json = to_json(&page)?;
    let html = frozen::to_html(&page, &json)?;
    let (json_bytes, html_bytes) = with_own_sizes(json.len() as u64, html.len() as u64);
    for file in &mut page.files {
        match file.path.as_str() {
            DOCUMENT => file.bytes = Some(json_bytes),
            REPORT => file.bytes = Some(html_bytes),
            _ => {}
        }
    }
    let json = to_json(&page)?;
    let html = frozen::to_html(&page, &json)?;
    write_whole(&folder.path().join(DOCUMENT), json.as_bytes())?;
    write_whole(&folder.path().join(REPORT), html.as_bytes())
}

/// The page's document, of a folder that is only read.
///
/// # Errors
/// When the folder can not be read.
pub(super) fn json(folder: &RunFolder, mut page: Page) -> Result<String> {
    page.files = listed(folder)?;
    page::fit(&mut page)?;
    to_json(&page)
}

fn listed(folder: &RunFolder) -> Result<Vec<RunFile>> {
    let file = |(path, bytes)| RunFile {
        path,
        bytes: Some(bytes),
    };
    Ok(folder.files()?.into_iter().map(file).collect())
}

/// One self-contained page of a run beside another.
///
/// # Errors
/// When the file can not be written.
pub fn write_to(path: &Path, mut page: Page) -> Result<()> {
    page::fit(&mut page)?;
    let html = frozen::to_html(&page, &to_json(&page)?)?;
    write_whole(path, html.as_bytes())
}

/// Reads the page that was written into the folder.
///
/// # Errors
/// When there is none, or one of another schema.
pub fn read(folder: &RunFolder) -> Result<Page> {
    let path = folder.path().join(DOCUMENT);
    let advice = || {
        format!(
            "cannot read {}: `verifier judge {}` makes it",
            path.display(),
            folder.path().display()
        )
    };
    let text = std::fs::read(&path).with_context(advice)?;
    let page: Page = serde_json::from_slice(&text).with_context(advice)?;
    ensure!(
        page.schema == SCHEMA,
        "{} is of schema {:?}, not {SCHEMA}: `verifier judge {}` makes it anew",
        path.display(),
        page.schema,
        folder.path().display()
    );
    Ok(page)
}

fn to_json(page: &Page) -> Result<String> {
    Ok(serde_json::to_string(page)? + "\n")
}

/// The sizes of both files once each names both sizes in place of a zero. More digits never make a file shorter, so that
/// this comes to an end.
fn with_own_sizes(json_bytes: u64, html_bytes: u64) -> (u64, u64) {
    let digits = |n: u64| u64::from(n.checked_ilog10().unwrap_or(0)) + 1;
    let (mut json, mut html) = (0, 0);
    loop {
        let more = digits(json) + digits(html) - 2;
        let next = (json_bytes + more, html_bytes + more);
        if next == (json, html) {
            return next;
        }
        (json, html) = next;
    }
}

#[cfg(test)]
mod tests {
    use super::with_own_sizes;

    #[test]
    fn sizes_that_name_themselves() {
        // 1000 bytes with two zeros: two numbers of four digits in their places.
        assert_eq!(with_own_sizes(1000, 2000), (1006, 2006));
        // At the border of a digit more.
        assert_eq!(with_own_sizes(994, 9995), (1001, 10_002));
    }
}
