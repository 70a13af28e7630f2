//! The verdict for a reader: one output a file, all from the same figures.

mod assets;
mod beside;
mod cluster;
mod frozen;
mod json;
mod legacy;
mod link;
mod md;
mod opentelemetry_traces;
mod page;
mod parts;
mod text;

pub use assets::asset;
pub use beside::{read_page, write_beside};
pub use json::{read_verdict, schema, to_json};
pub use legacy::Legacy;
pub use text::to_text;

use super::align::Timeline;
use super::page::{Page, RunFile};
use super::{Judged, Verdict};
use crate::record::{Asked, RunFolder, write_whole};
use anyhow::Result;

/// The page, for a program and for a person.
const OF_THE_PAGE: [&str; 2] = ["page.json", "report.html"];

/// Writes `verdict.json`, `report.md`, `page.json`, `report.html`, the files of `legacy/` and of `opentelemetry_traces/`, each whole
/// or not at all.
///
/// # Errors
/// When a file can not be written.
pub(super) fn write_reports(
    folder: &RunFolder,
    timeline: &Timeline<'_>,
    judged: &Judged,
    asked: &Asked,
) -> Result<()> {
    let verdict = &judged.verdict;
    let (page, pictures) = page::of(timeline, verdict, asked);
    let link = asked.trace_link.as_ref();
    let path = |name: &str| folder.path().join(name);
    write_whole(&path("verdict.json"), to_json(verdict)?.as_bytes())?;
    write_whole(
        &path("report.md"),
        md::to_markdown(verdict, link).as_bytes(),
    )?;
    judged.legacy.write(folder)?;
    cluster::write(folder, verdict)?;
    opentelemetry_traces::write(folder, timeline, verdict, &pictures, asked)?;
    // The last ones: they name all others with their sizes.
    let page = with_files(page, folder)?;
    let json = serde_json::to_string(&page)?;
    write_whole(&path("page.json"), json.as_bytes())?;
    let html = frozen::to_html(&json, Some(verdict))?;
    write_whole(&path("report.html"), html.as_bytes())
}

/// The page of a run, in JSON, of the bytes that `page.json` has.
///
/// # Errors
/// When the folder's files can not be listed.
pub(super) fn page_json(
    folder: &RunFolder,
    timeline: &Timeline<'_>,
    verdict: &Verdict,
    asked: &Asked,
) -> Result<String> {
    let (page, _) = page::of(timeline, verdict, asked);
    Ok(serde_json::to_string(&with_files(page, folder)?)?)
}

/// The only request of a timeline of one, drawn; of a run that goes on, too. `None` where there is none.
pub fn waterfall(timeline: &Timeline<'_>) -> Option<super::page::Waterfall> {
    page::first(timeline)
}

/// The page with the folder's files, of a size that one file can hold.
fn with_files(mut page: Page, folder: &RunFolder) -> Result<Page> {
    let file = |(path, bytes): (String, u64)| {
        // Their own sizes are not known before they are written, and the same run must give the same bytes.
        let known = !OF_THE_PAGE.contains(&path.as_str());
        known.then_some(RunFile {
            path,
            bytes: Some(bytes),
        })
    };
    page.files = folder.files()?.into_iter().filter_map(file).collect();
    let of_the_page = OF_THE_PAGE.map(|path| RunFile {
        path: path.to_owned(),
        bytes: None,
    });
    page.files.extend(of_the_page);
    page::fit(&mut page)?;
    Ok(page)
}

/// Milliseconds for a person: three significant digits, and the unit that suits.
pub(super) fn duration(ms: f64) -> String {
    let digits = |value: f64| match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    match ms.abs() {
        v if v >= 1000.0 => format!("{:.*} s", digits(ms / 1e3), ms / 1e3),
        v if v >= 1.0 || v == 0.0 => format!("{:.*} ms", digits(ms), ms),
        _ => format!("{:.*} µs", digits(ms * 1e3), ms * 1e3),
    }
}

/// A figure that may be unknown.
fn known(ms: Option<f64>) -> String {
    ms.map_or_else(|| "n/a".to_owned(), duration)
}

/// A count with thin spaces between thousands.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A share for a person; never rounded up to 100 %.
fn percent(share: Option<f64>) -> String {
    match share {
        None => "n/a".to_owned(),
        Some(1.0) => "100 %".to_owned(),
        Some(share) => format!("{:.3} %", (share * 1e5).floor() / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_for_a_person() {
        assert_eq!(
            [0.0123, 0.5, 1.234, 12.34, 123.4, 1234.0].map(duration),
            [
                "12.3 µs", "500 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s"
            ]
        );
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(percent(Some(0.999_999_9)), "99.999 %");
        assert_eq!(percent(Some(1.0)), "100 %");
        assert_eq!(known(None), "n/a");
    }
}
