//! The verdict for a reader: one output a file, all from the same figures.

mod assets;
mod cluster;
mod frozen;
mod json;
mod legacy;
mod link;
mod md;
mod opentelemetry_traces;
mod page;
mod pages;
mod parts;
mod text;

pub use assets::asset;
pub use json::{read_verdict, schema, to_json};
pub use legacy::Legacy;
pub use pages::{read as read_page, write_to as write_page_to};
pub use text::to_text;

use super::align::Timeline;
use super::compare::Comparison;
use super::page::Page;
use super::{Judged, Verdict};
use crate::record::{Asked, RunFolder, write_whole};
use anyhow::Result;

/// Writes `verdict.json`, `report.md`, the files of `legacy/` and of `opentelemetry_traces/`, `page.json` and `report.html`,
/// each whole or not at all; with another run beside it where there is one.
///
/// # Errors
/// When a file can not be written.
pub(super) fn write_reports(
    folder: &RunFolder,
    timeline: &Timeline<'_>,
    judged: &Judged,
    asked: &Asked,
    beside: Option<(Page, Comparison)>,
) -> Result<()> {
    let Judged { verdict, legacy } = judged;
    let path = |name: &str| folder.path().join(name);
    write_whole(&path("verdict.json"), to_json(verdict)?.as_bytes())?;
    let markdown = md::to_markdown(verdict, asked.trace_link.as_ref());
    write_whole(&path("report.md"), markdown.as_bytes())?;
    legacy.write(folder)?;
    cluster::write(folder, verdict)?;
    let (mut page, pictures) = page::of(timeline, verdict, asked);
    opentelemetry_traces::write(folder, timeline, verdict, &pictures, asked)?;
    if let Some((baseline, comparison)) = beside {
        page.baseline = Some(Box::new(baseline));
        page.comparison = Some(comparison);
    }
    pages::write(folder, page)
}

/// The page of a run, in JSON; nothing is written.
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
    pages::json(folder, page)
}

/// The only request of a timeline of one, drawn; of a run that goes on, too. `None` where there is none.
pub fn waterfall(timeline: &Timeline<'_>) -> Option<super::page::Waterfall> {
    page::first(timeline)
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
