//! The page's document of a run that has ended: the verdict, and beside it what only a page draws, from the joined run.

mod bounded;
mod files;
mod limits;
mod markers;
mod names;
mod run;
mod series;
mod spectra;
mod statistics;
mod traces;

pub(super) use bounded::fit;
pub(super) use files::of_folder;
pub(super) use traces::Picture;

use crate::record::Asked;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use crate::verdict::page::{Page, SCHEMA};

/// The document, but for the folder's files and another run beside it; and the pictures of single requests, as many as were
/// chosen, of which the page has what fits.
pub(super) fn of(
    timeline: &Timeline<'_>,
    verdict: &Verdict,
    asked: &Asked,
) -> (Page, Vec<Picture>) {
    let single = traces::of(timeline, verdict);
    let series = series::of(timeline, verdict);
    let mut limits = limits::of(verdict, &series);
    limits.extend(single.limits);
    let waterfalls = single.pictures.iter().map(|p| p.waterfall.clone());
    let page = Page {
        schema: SCHEMA.to_owned(),
        run: run::of(timeline, verdict),
        exact: true,
        statistics: statistics::rows(timeline, verdict),
        series,
        failures: single.failures,
        traces: single.lines,
        waterfalls: waterfalls.collect(),
        spectra: spectra::of(timeline),
        markers: markers::of(timeline, verdict),
        cluster: None,
        verdict: Some(verdict.clone()),
        trace_link: asked.trace_link.as_ref().map(ToString::to_string),
        limits,
        files: Vec::new(),
        comparison: None,
        baseline: None,
    };
    (page, single.pictures)
}
