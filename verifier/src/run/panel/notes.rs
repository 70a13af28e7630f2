//! What has happened lately, the newest last.

use super::draw::boxed;
use super::look::Look;
use super::words::clock;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let within = boxed("events", area, buffer);
    let lines: Vec<String> = look
        .notes
        .iter()
        .flat_map(|(at, text)| wrapped(&format!("{:>6}  {text}", clock(*at)), within.width))
        .collect();
    let first = lines.len().saturating_sub(usize::from(within.height));
    for (line, row) in lines[first..].iter().zip(within.rows()) {
        Line::raw(line).render(row, buffer);
    }
}

/// Broken between words where that can be; what follows is indented.
fn wrapped(text: &str, width: u16) -> Vec<String> {
    const INDENT: &str = "        ";
    let width = usize::from(width).max(INDENT.len() + 8);
    let mut lines = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        if last > INDENT.len() && last + word.trim_end().chars().count() > width {
            lines.push(INDENT.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(word);
        }
    }
    lines
}
