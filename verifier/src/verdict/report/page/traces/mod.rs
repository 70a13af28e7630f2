//! Single requests worth a look: which they are, a line for each, and some of them drawn.

mod kinds;
mod least;
mod line;
mod picks;
mod waterfall;

pub(in super::super) use waterfall::Picture;

use super::names::Names;
use crate::record::{Exchange, Span};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use crate::verdict::page::{Failure, TraceLine, Waterfall};
use picks::Picks;

/// An exchange and its spans.
type Row<'t> = (&'t Exchange, &'t [Span]);

/// What the page says of single requests.
pub(super) struct Single {
    pub(super) failures: Vec<Failure>,
    pub(super) lines: Vec<TraceLine>,
    pub(super) pictures: Vec<Picture>,
    /// What was left out, in sentences.
    pub(super) limits: Vec<String>,
}

/// The timeline's first request, drawn, whether or not the run was judged.
pub(in super::super) fn first(timeline: &Timeline<'_>) -> Option<Waterfall> {
    let about = waterfall::About::of_unjudged(timeline);
    let row = timeline.all().next()?;
    Some(about.picture("asked for", row).waterfall)
}

/// One pass over the rows.
pub(super) fn of(timeline: &Timeline<'_>, verdict: &Verdict) -> Single {
    let names = Names::of(timeline.plan);
    let picks = Picks::of(timeline, verdict);
    let mut lines = Vec::new();
    for (why, rows) in picks.lines() {
        let of_why = rows.map(|row| line::of(timeline, &names, why, row));
        lines.extend(of_why);
    }
    let about = waterfall::About::of(timeline, verdict);
    let pictures = picks.drawn();
    let pictures = pictures.map(|(why, row)| about.picture(why, row)).collect();
    Single {
        failures: picks.kinds.failures(timeline, &names),
        limits: picks.limits(verdict),
        lines,
        pictures,
    }
}
