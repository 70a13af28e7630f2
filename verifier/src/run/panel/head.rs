//! The head of the panel: which run it is, what it is at, and how long that takes.

use super::look::{Look, Phase, StageLook};
use super::words::{clock, count, share};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    for (line, row) in lines(look, area.width).into_iter().zip(area.rows()) {
        line.render(row, buffer);
    }
}

/// Three lines: the run, its part, a bar.
pub(super) fn lines(look: &Look, width: u16) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let (what, done, beside) = match &look.phase {
        Phase::Load => match &look.stage {
            Some(stage) => of_stage(stage),
            None => ("starting".to_owned(), 0.0, String::new()),
        },
        Phase::Drain => {
            let complete = look.complete.iter().map(|(_, complete)| *complete).min();
            let complete = complete.unwrap_or(0);
            let done = complete as f64 / look.due.max(1) as f64;
            let left = count(look.due.saturating_sub(complete));
            let what = format!("the load has ended; waiting for {left} traces");
            (what, done, share(complete, look.due))
        }
        Phase::Faults => {
            let what = "the load has ended; putting back what faults have changed";
            (what.to_owned(), 0.0, String::new())
        }
        Phase::Settle(left, ending) => {
            let mut what = format!(
                "the load has ended; watching the cluster for {} more",
                clock(*left)
            );
            if !ending.is_empty() {
                what = format!("{what}, and until the end of {}", ending.join(", "));
            }
            (what, 0.0, String::new())
        }
    };
    let plan = format!(" plan {}  {}", look.plan, look.target);
    vec![
        ends(&plan, &clock(look.elapsed), width).bold(),
        Line::raw(cut(&format!(" {what}"), width)),
        bar(done, &beside, width),
    ]
}

fn of_stage(stage: &StageLook) -> (String, f64, String) {
    let of = stage.of.map_or(String::new(), |of| format!(" of {of}"));
    let what = format!("stage {}{of}: {}, {}", stage.number, stage.name, stage.load);
    let left = match stage.after.is_zero() {
        true => format!("{} left", clock(stage.left())),
        false => format!(
            "{} left, {} in all",
            clock(stage.left()),
            clock(stage.left() + stage.after)
        ),
    };
    (
        what,
        stage.share(),
        format!("{:.0} %, {left}", stage.share() * 100.0),
    )
}

/// Text at both ends of a line; the left one gives way.
fn ends(left: &str, right: &str, width: usize) -> Line<'static> {
    let room = width.saturating_sub(right.chars().count() + 2);
    let left = cut(left, room);
    Line::raw(format!("{left:<room$} {right} "))
}

pub(super) fn cut(text: &str, width: usize) -> String {
    match text.chars().count() <= width {
        true => text.to_owned(),
        false => text
            .chars()
            .take(width.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// A bar as wide as the words beside it leave.
fn bar(done: f64, beside: &str, width: usize) -> Line<'static> {
    let room = width.saturating_sub(beside.chars().count() + 3);
    let full = (room as f64 * done) as usize;
    Line::from(vec![
        Span::raw(" "),
        Span::raw("━".repeat(full)).green(),
        Span::raw("─".repeat(room.saturating_sub(full))).dim(),
        Span::raw(format!(" {beside}")),
    ])
}
