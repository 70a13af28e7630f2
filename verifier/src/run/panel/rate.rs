//! Requests per second: now, wanted, over the last minutes; who sends them, and at what cost.

use super::draw::boxed;
use super::look::{Look, Phase};
use super::words::count;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize;
use ratatui::text::Line;
use ratatui::widgets::{Sparkline, Widget};

pub(super) fn draw(look: &Look, area: Rect, buffer: &mut Buffer) {
    let within = boxed("requests per second", area, buffer);
    let [now, who, spark, scale] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(within);
    Line::raw(line(look)).bold().render(now, buffer);
    Line::raw(sender(look)).render(who, buffer);
    let seconds = usize::from(spark.width).min(look.past.len());
    let past = &look.past[look.past.len() - seconds..];
    Sparkline::default().data(past).cyan().render(spark, buffer);
    let most = past.iter().max().copied().unwrap_or(0);
    let words = format!("peak {} in the last {seconds} s", count(most));
    Line::raw(words).dim().render(scale, buffer);
}

/// `now 12 345, wanted 12 000`.
pub(super) fn line(look: &Look) -> String {
    let loads = look.phase == Phase::Load;
    let stage = look.stage.as_ref().filter(|_| loads);
    let wanted = stage.and_then(|stage| stage.wanted);
    let wanted = wanted.map_or(String::new(), |rate| {
        format!("  wanted {}", count(rate.round() as u64))
    });
    format!("now {}{wanted}", count(look.rate()))
}

fn sender(look: &Look) -> String {
    let users = look.users.map_or(String::new(), |users| {
        format!("{} users  ", count(u64::from(users)))
    });
    let workers = look
        .workers
        .iter()
        .map(|share| format!(" {:.0} %", share * 100.0));
    match look.workers.as_slice() {
        [] => users,
        [_] => format!("{users}load worker's CPU{}", workers.collect::<String>()),
        _ => format!("{users}load workers' CPU{}", workers.collect::<String>()),
    }
}
