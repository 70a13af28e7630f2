//! Traces that have come whole, of those that are due, by source; and the replicas that answer.

use super::draw::boxed;
use super::look::Look;
use super::words::{count, share};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let within = boxed("traces and replicas", area, buffer);
    for (line, row) in lines(look).zip(within.rows()) {
        line.render(row, buffer);
    }
}

pub(super) fn lines(look: &Look) -> impl Iterator<Item = Line<'static>> {
    let due = look.due;
    let source = |(name, complete): &(String, u64)| {
        let (complete, due, share) = (count(*complete), count(due), share(*complete, due));
        format!("{name} {share}: {complete} of {due} whole")
    };
    let replicas = look.replicas.map(|(wanted, ready)| match wanted {
        Some(wanted) => format!("replicas {ready} of {wanted} ready"),
        None => format!("replicas {ready} ready"),
    });
    let lines: Vec<String> = look.complete.iter().map(source).chain(replicas).collect();
    lines.into_iter().map(Line::raw)
}
