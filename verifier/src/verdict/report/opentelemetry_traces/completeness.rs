//! `completeness.json`: which traces were due and came, by stage and by source, where spans were lost, and what of the
//! traces is in the folder.

use super::kept::Kept;
use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Losses, Stage, TraceSource, Verdict};
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Books<'v> {
    /// Spans that arrived during the run and are of no request of it.
    foreign_spans: u64,
    stages: Vec<OfStage<'v>>,
    sources: Vec<OfSource<'v>>,
    kept: Kept,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_spans: Option<&'v Observation>,
}

/// Of the first source: `due = complete + incomplete + missing`.
#[derive(Serialize)]
struct OfStage<'v> {
    stage: &'v str,
    due: u64,
    complete: u64,
    incomplete: u64,
    missing: u64,
    duplicate_spans: u64,
    late: u64,
    spans_missing: u64,
    missing_spans_of_incomplete: &'v BTreeMap<String, u64>,
}

/// `due = complete + lacking`.
#[derive(Serialize)]
struct OfSource<'v> {
    source: &'v str,
    place: &'v str,
    due: u64,
    complete: u64,
    lacking: u64,
    duplicate_spans: u64,
    foreign_spans: u64,
    spans_missing: u64,
    losses: &'v Losses,
    /// Why not all that it has may have been read.
    not_read: &'v [String],
}

impl<'v> From<&'v Stage> for OfStage<'v> {
    fn from(stage: &'v Stage) -> OfStage<'v> {
        let traces = &stage.traces;
        OfStage {
            stage: &stage.name,
            due: traces.expected,
            complete: traces.complete,
            incomplete: traces.incomplete,
            missing: traces.missing,
            duplicate_spans: traces.duplicate,
            late: traces.late,
            spans_missing: traces.spans_missing,
            missing_spans_of_incomplete: &traces.missing_spans,
        }
    }
}

impl<'v> From<&'v TraceSource> for OfSource<'v> {
    fn from(source: &'v TraceSource) -> OfSource<'v> {
        OfSource {
            source: &source.name,
            place: &source.place,
            due: source.expected,
            complete: source.complete,
            lacking: source.expected - source.complete,
            duplicate_spans: source.duplicate,
            foreign_spans: source.receiver.foreign_spans,
            spans_missing: source.spans_missing,
            losses: &source.losses,
            not_read: &source.receiver.incomplete,
        }
    }
}

/// The JSON.
///
/// # Errors
/// Never: all keys are texts.
pub(super) fn json(timeline: &Timeline<'_>, verdict: &Verdict, kept: Kept) -> Result<String> {
    let exported = |o: &&Observation| matches!(o, Observation::ClientSpansExported { .. });
    let books = Books {
        foreign_spans: verdict.receiver.foreign_spans,
        stages: verdict.stages.iter().map(OfStage::from).collect(),
        sources: verdict.sources.iter().map(OfSource::from).collect(),
        kept,
        client_spans: timeline.observations().find(exported),
    };
    Ok(serde_json::to_string_pretty(&books)? + "\n")
}
