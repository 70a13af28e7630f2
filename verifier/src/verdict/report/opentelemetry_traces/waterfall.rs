//! One waterfall in, one picture as SVG out: fonts of the viewer's machine, no script, nothing from elsewhere.

use super::one_line;
use crate::verdict::page::Bar;
use crate::verdict::report::duration;
use crate::verdict::report::page::Picture;
use std::fmt::Write;

/// Sizes, in the picture's units.
const WIDTH: f64 = 960.0;
const NAMES: f64 = 260.0;
const FIGURES: f64 = 90.0;
const ROW: usize = 24;
const HEAD: usize = 76;
/// Characters of a name and of the title that fit.
const NAME_FITS: usize = 38;
const TITLE_FITS: usize = 110;

/// The picture: bars on one axis, which begins at the intended start and ends with the exchange.
pub(super) fn svg(Picture { why, waterfall }: &Picture) -> String {
    let height = HEAD + ROW * waterfall.bars.len() + 16;
    let whole = duration(waterfall.length_ns as f64 / 1e6);
    let title = format!("{why} · {} · {whole}", waterfall.title);
    let mut out = String::new();
    // Writing to a String does not fail; so all through this file.
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="13" fill="#1f2328">
<title>{title}</title>
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
<text x="16" y="26" font-size="15" font-weight="bold">{shown}</text>
<text x="16" y="46" font-family="monospace" fill="#57606a">{id}</text>
"##,
        title = escaped(&title, usize::MAX),
        shown = escaped(&title, TITLE_FITS),
        id = waterfall.trace_id,
    );
    let track = WIDTH - NAMES - FIGURES;
    let bottom = height - 16;
    for quarter in 0..=4_u8 {
        let share = f64::from(quarter) / 4.0;
        let x = NAMES + track * share;
        let label = duration(share * waterfall.length_ns as f64 / 1e6);
        let _ = writeln!(
            out,
            r##"<path d="M{x:.1} {HEAD}V{bottom}" stroke="#d0d7de"/><text x="{x:.1}" y="{}" font-size="11" fill="#57606a" text-anchor="middle">{label}</text>"##,
            HEAD - 6
        );
    }
    for (row, bar) in waterfall.bars.iter().enumerate() {
        draw(&mut out, bar, HEAD + ROW * row, waterfall.length_ns as f64);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, bar: &Bar, top: usize, length_ns: f64) {
    let track = WIDTH - NAMES - FIGURES;
    // What lies outside the exchange is cut off at the axis' ends.
    let place = |ns: f64| NAMES + track * (ns / length_ns).clamp(0.0, 1.0);
    let left = place(bar.start_ns as f64);
    let right = place(bar.start_ns as f64 + bar.duration_ns as f64);
    let colour = match (bar.error, bar.client) {
        (true, _) => "#d55e00",
        (false, true) => "#8c959f",
        (false, false) => "#0072b2",
    };
    let _ = writeln!(
        out,
        r#"<g><title>{note}</title><text x="{x}" y="{y}" text-anchor="end">{name}</text><rect x="{left:.2}" y="{bar_top}" width="{width:.2}" height="14" rx="2" fill="{colour}"/><text x="{figure}" y="{y}">{took}</text></g>"#,
        note = escaped(&note(bar), usize::MAX),
        x = NAMES - 10.0,
        y = top + 17,
        name = escaped(&bar.name, NAME_FITS),
        bar_top = top + 5,
        width = (right - left).max(1.0),
        figure = WIDTH - FIGURES + 8.0,
        took = duration(bar.duration_ns as f64 / 1e6),
    );
}

/// What is known of the bar.
fn note(bar: &Bar) -> String {
    let attributes = bar.attributes.iter();
    let told = attributes.map(|(name, value)| format!(" {name}={value}"));
    format!("{}{}", bar.name, told.collect::<String>())
}

/// Text of a target as text of XML, cut where it would not fit.
fn escaped(text: &str, fits: usize) -> String {
    let text = one_line(text.trim_end());
    let mut out = String::with_capacity(text.len());
    for (place, character) in text.chars().enumerate() {
        if place == fits {
            out.push('…');
            break;
        }
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // No characters of XML.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}
