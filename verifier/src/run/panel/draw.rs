//! One frame: from a look and the room that there is to a whole screen, a short one, or one line.

use super::look::{Look, Phase};
use super::{head, histogram, notes, outcomes, rate, times, traces, words};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Widget};

/// Columns and rows below which boxes have no room, and those below which there is one line.
const LEAST_WHOLE: (u16, u16) = (60, 16);
const LEAST_SHORT: (u16, u16) = (30, 4);

/// The head, and the line of keys below everything.
const HEAD_ROWS: u16 = 3;
/// Five percentiles, a head and a border.
const TOP_ROWS: u16 = 8;

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    let fits = |(width, height)| area.width >= width && area.height >= height;
    if fits(LEAST_WHOLE) {
        whole(look, area, buffer);
    } else if fits(LEAST_SHORT) {
        short(look, area, buffer);
    } else if !area.is_empty() {
        Line::raw(line(look)).render(area, buffer);
    }
}

fn whole(look: &Look, area: Rect, buffer: &mut Buffer) {
    let [head, boxes, keys] = Layout::vertical([
        Constraint::Length(HEAD_ROWS),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    // What has no room is left out: first the histogram's row, which a short screen could not show anyway.
    let below = boxes.height.saturating_sub(TOP_ROWS);
    let bottom = match below {
        ..4 => 0,
        4..10 => below,
        _ => (below * 2 / 5).clamp(5, 12),
    };
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(TOP_ROWS.min(boxes.height)),
        Constraint::Min(0),
        Constraint::Length(bottom),
    ])
    .areas(boxes);
    head::draw(look, head, buffer);
    let [left, right] = halves(top);
    rate::draw(look, left, buffer);
    times::draw(look, right, buffer);
    let [left, right] = halves(middle);
    histogram::draw(look, left, buffer);
    outcomes::draw(look, right, buffer);
    let [left, right] = halves(bottom);
    traces::draw(look, left, buffer);
    notes::draw(look, right, buffer);
    keys_line(look).dim().render(keys, buffer);
}

fn halves(area: Rect) -> [Rect; 2] {
    Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(area)
}

/// What needs no boxes, the most important first.
fn short(look: &Look, area: Rect, buffer: &mut Buffer) {
    let mut lines = head::lines(look, area.width);
    lines.push(Line::raw(rate::line(look)));
    lines.extend(times::rows(look).map(Line::raw));
    lines.push(Line::raw(outcomes::line(look)));
    lines.extend(traces::lines(look));
    for (line, row) in lines.into_iter().zip(area.rows()) {
        line.render(row, buffer);
    }
}

/// As on a terminal that has no screens.
fn line(look: &Look) -> String {
    let stage = look.stage.as_ref().map_or("", |stage| &stage.name);
    let latency = &look.figures.latency;
    let traces = look.complete.iter().map(|(_, complete)| complete).min();
    match look.phase {
        Phase::Load => format!(
            "{stage} {} req/s p50 {} p99 {} failed {} traces {}/{}",
            look.rate(),
            words::time(latency.quantile(0.50)),
            words::time(latency.quantile(0.99)),
            look.figures.failed(),
            traces.unwrap_or(&0),
            look.due,
        ),
        Phase::Faults | Phase::Drain => format!("traces {}/{}", traces.unwrap_or(&0), look.due),
        Phase::Settle(left, _) => format!("watching the cluster: {}", words::clock(left)),
    }
}

fn keys_line(look: &Look) -> Line<'static> {
    Line::raw(match (look.keys, look.users.is_some()) {
        (true, true) => " q or Ctrl-C stops   users: w +1  W +10  s -1  S -10",
        (true, false) => " q or Ctrl-C stops",
        (false, _) => " Ctrl-C stops",
    })
}

/// A box with a title; gives the room within.
pub(super) fn boxed(title: &str, area: Rect, buffer: &mut Buffer) -> Rect {
    let block = Block::bordered().border_style(Style::new().dim());
    let block = block.title(Line::raw(format!(" {title} ")).bold().not_dim());
    let within = block.inner(area);
    block.render(area, buffer);
    within
}
