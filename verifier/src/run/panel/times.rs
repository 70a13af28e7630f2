//! Response times of the stage so far, by both clocks: from the intended start, and from the actual send.

use super::draw::boxed;
use super::look::Look;
use super::words::time;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::Line;
use ratatui::widgets::Widget;

const QUANTILES: [(&str, f64); 4] = [("p50", 0.50), ("p90", 0.90), ("p95", 0.95), ("p99", 0.99)];

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    let within = boxed("response time", area, buffer);
    let head = format!("{:<4}{:>12}{:>12}", "from", "intended", "send");
    let lines = rows(look).map(Line::raw);
    let lines = std::iter::once(Line::raw(head).dim()).chain(lines);
    for (line, row) in lines.zip(within.rows()) {
        line.render(row, buffer);
    }
}

/// One a percentile.
pub(super) fn rows(look: &Look) -> impl Iterator<Item = String> {
    let (latency, service) = (&look.figures.latency, &look.figures.service_time);
    let row = |name: &str, intended: u64, sent: u64| match latency.total() {
        0 => format!("{name:<4}{:>12}{:>12}", "-", "-"),
        _ => format!("{name:<4}{:>12}{:>12}", time(intended), time(sent)),
    };
    let quantiles = QUANTILES.map(|(name, q)| row(name, latency.quantile(q), service.quantile(q)));
    let longest = row("max", latency.longest_ns(), service.longest_ns());
    quantiles.into_iter().chain([longest])
}
