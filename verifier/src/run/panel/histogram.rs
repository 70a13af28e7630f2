//! Response times from the intended start as bars: each row is as much longer than the one above, so that a tail of
//! seconds stands beside a median of microseconds.

use super::draw::boxed;
use super::look::Look;
use super::words::{count, time};
use crate::record::Sketch;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

const MOST_ROWS: u16 = 20;
/// Eighths of a cell.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    let within = boxed("histogram, from intended start", area, buffer);
    let bars = bars(&look.figures.latency, within.height.min(MOST_ROWS));
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(1);
    let digits = count(most).chars().count();
    let room = usize::from(within.width).saturating_sub(11 + digits + 1);
    for ((upto_ns, n), row) in bars.into_iter().zip(within.rows()) {
        let line = vec![
            Span::raw(format!("≤ {:>8} ", time(upto_ns))),
            Span::raw(bar(n, most, room)).cyan(),
            Span::raw(format!(" {:>digits$}", count(n))),
        ];
        Line::from(line).render(row, buffer);
    }
}

/// So many rows from the shortest time to the longest: the upper edge, and how many there are.
pub(super) fn bars(sketch: &Sketch, rows: u16) -> Vec<(u64, u64)> {
    let mut buckets = sketch.buckets().filter(|(_, count)| *count > 0).peekable();
    let Some((shortest_ns, _)) = buckets.peek().copied().filter(|_| rows > 0) else {
        return Vec::new();
    };
    let (shortest, longest) = (shortest_ns.max(1) as f64, sketch.longest_ns().max(1) as f64);
    let factor = (longest / shortest).powf(1.0 / f64::from(rows));
    let edge = |row: u16| shortest * factor.powi(i32::from(row));
    let mut bars = Vec::new();
    for row in 1..=rows {
        // The last takes what is left, however the powers were rounded.
        let upto_ns = if row == rows {
            u64::MAX
        } else {
            edge(row) as u64
        };
        let mut n = 0;
        while let Some((_, more)) = buckets.next_if(|(from_ns, _)| *from_ns <= upto_ns) {
            n += more;
        }
        bars.push((upto_ns.min(sketch.longest_ns()), n));
    }
    bars
}

fn bar(n: u64, most: u64, width: usize) -> String {
    let eighths = (n as f64 / most.max(1) as f64 * (width * 8) as f64).round() as usize;
    // One is not none.
    let eighths = if n > 0 { eighths.max(1) } else { 0 };
    let bar = format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8]);
    format!("{bar:<width$}")
}
