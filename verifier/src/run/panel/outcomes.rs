//! How the requests of the stage have ended, errors by their status.

use super::draw::boxed;
use super::look::Look;
use super::words::{count, share};
use crate::record::Outcome;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::Line;
use ratatui::widgets::Widget;

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let within = boxed("outcomes", area, buffer);
    let all = look.figures.done();
    let rows = rows(look);
    let hidden = rows.len().saturating_sub(usize::from(within.height));
    for ((name, n, failed), row) in rows.into_iter().zip(within.rows()) {
        let line = Line::raw(format!("{name:<16}{:>13}{:>9}", count(n), share(n, all)));
        if failed { line.red() } else { line }.render(row, buffer);
    }
    if let Some(row) = within.rows().next_back().filter(|_| hidden > 0) {
        let line = format!(
            "{:<width$}",
            format!("… and {} more", hidden + 1),
            width = usize::from(row.width)
        );
        Line::raw(line).render(row, buffer);
    }
}

/// What there is, its count, and whether it is a failure: ok first, then the most frequent.
fn rows(look: &Look) -> Vec<(String, u64, bool)> {
    let figures = &look.figures;
    let plain = [
        Outcome::Timeout,
        Outcome::Reset,
        Outcome::ConnectError,
        Outcome::Unsent,
    ];
    let plain = plain.map(|outcome| (outcome.name().to_owned(), figures.of(outcome)));
    let errors = figures.errors();
    let errors = errors.map(|(status, n)| (format!("{} {status}", Outcome::HttpError.name()), n));
    let mut failed: Vec<(String, u64, bool)> = errors
        .chain(plain)
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| (name, n, true))
        .collect();
    failed.sort_by_key(|(_, n, _)| std::cmp::Reverse(*n));
    failed.insert(
        0,
        (
            Outcome::Ok.name().to_owned(),
            figures.of(Outcome::Ok),
            false,
        ),
    );
    failed
}

pub(super) fn line(look: &Look) -> String {
    let rows = rows(look).into_iter();
    let words = rows.map(|(name, n, _)| format!("{name} {}", count(n)));
    words.collect::<Vec<_>>().join("  ")
}
