//! Which requests are worth a look: the slowest, those around the median, the first of each kind of failure, and those
//! whose trace is not complete; of the run, and some of each stage, so that none goes unseen.

use super::Row;
use super::kinds::{Counting, Kinds};
use super::least::Least;
use crate::record::Outcome;
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use std::collections::BTreeSet;

/// The slowest lines of the run, and of each stage.
const SLOWEST: usize = 200;
const SLOWEST_OF_STAGE: usize = 10;
/// Lines nearest to each stage's median.
const MEDIAN_OF_STAGE: usize = 5;
/// Lines of failures, and of traces that are not complete.
const FAILED: usize = 300;
const INCOMPLETE: usize = 300;
/// Of those, drawn: the slowest of the run and of each stage, of each median, of each kind of failure, and incomplete ones.
const DRAWN_SLOWEST: usize = 10;
const DRAWN_OF_STAGE: usize = 2;
const DRAWN_OF_KIND: usize = 5;
const DRAWN_FAILED: usize = 100;
const DRAWN_INCOMPLETE: usize = 5;

/// Requests by their places in the timeline.
pub(super) struct Picks<'t> {
    timeline: &'t Timeline<'t>,
    slowest: Vec<usize>,
    drawn_slowest: Vec<usize>,
    median: Vec<usize>,
    drawn_median: Vec<usize>,
    pub(super) kinds: Kinds,
    /// Some spans came.
    part: Vec<usize>,
    /// None came.
    nothing: Vec<usize>,
}

/// A stage's candidates.
struct OfStage {
    median_ns: Option<u64>,
    /// Some trace of it is not complete: else none needs to be looked at.
    lacks: bool,
    slowest: Least,
    median: Least,
    part: usize,
    nothing: usize,
}

impl<'t> Picks<'t> {
    pub(super) fn of(timeline: &'t Timeline<'t>, verdict: &Verdict) -> Picks<'t> {
        let mut stages: Vec<OfStage> = verdict.stages.iter().map(OfStage::new).collect();
        let of_each = (INCOMPLETE / stages.len().max(1)).max(DRAWN_INCOMPLETE);
        let mut slowest = Least::of(SLOWEST);
        let mut kinds = Counting::default();
        let (mut part, mut nothing) = (Vec::new(), Vec::new());
        for (place, (exchange, spans)) in timeline.all().enumerate() {
            let Some(stage) = stages.get_mut(usize::from(exchange.stage)) else {
                continue;
            };
            if exchange.outcome == Outcome::Ok {
                let latency_ns = exchange.latency_ns();
                let key = u64::MAX - latency_ns;
                slowest.offer(key, place);
                stage.slowest.offer(key, place);
                if let Some(median_ns) = stage.median_ns {
                    stage.median.offer(latency_ns.abs_diff(median_ns), place);
                }
            } else {
                kinds.add(exchange, place);
            }
            let (kept, list) = match spans.is_empty() {
                false => (&mut stage.part, &mut part),
                true => (&mut stage.nothing, &mut nothing),
            };
            if stage.lacks && *kept < of_each {
                let trace = timeline.trace(exchange, spans);
                if trace.due && !trace.complete() {
                    *kept += 1;
                    list.push(place);
                }
            }
        }
        part.truncate(INCOMPLETE);
        nothing.truncate(INCOMPLETE);
        let slowest = slowest.places();
        let mut picks = Picks {
            timeline,
            drawn_slowest: slowest.iter().take(DRAWN_SLOWEST).copied().collect(),
            slowest,
            median: Vec::new(),
            drawn_median: Vec::new(),
            kinds: kinds.sorted(),
            part,
            nothing,
        };
        picks.add(stages);
        picks
    }

    /// The stages' own, where the run's are not these already.
    fn add(&mut self, stages: Vec<OfStage>) {
        let known: BTreeSet<usize> = self.slowest.iter().copied().collect();
        for stage in stages {
            let slowest = stage.slowest.places();
            let drawn = slowest.iter().take(DRAWN_OF_STAGE).copied();
            self.drawn_slowest.extend(drawn);
            self.slowest
                .extend(slowest.into_iter().filter(|place| !known.contains(place)));
            let median = stage.median.places();
            self.drawn_median.extend(median.iter().take(DRAWN_OF_STAGE));
            self.median.extend(median);
        }
        let latency_ns = |place: &usize| self.timeline.row(*place).0.latency_ns();
        self.slowest
            .sort_by_key(|place| (u64::MAX - latency_ns(place), *place));
    }

    /// The first of each kind of failure that were sent.
    fn failed(&self) -> Vec<usize> {
        let kinds = self.kinds.shown.iter();
        let each = (FAILED / kinds.len().max(1)).max(1);
        let first = kinds.flat_map(|kind| kind.places.iter().take(each));
        first.take(FAILED).copied().collect()
    }

    /// The lines of the list, and why they are in it.
    pub(super) fn lines(
        &self,
    ) -> impl Iterator<Item = (&'static str, impl Iterator<Item = Row<'t>>)> {
        let incomplete = self.part.iter().chain(&self.nothing);
        let incomplete = incomplete.take(INCOMPLETE).copied().collect();
        let lines = [
            ("slowest", self.slowest.clone()),
            ("median", self.median.clone()),
            ("failed", self.failed()),
            ("incomplete", incomplete),
        ];
        let timeline = self.timeline;
        lines.into_iter().map(move |(why, places)| {
            let rows = places.into_iter().map(move |place| timeline.row(place));
            (why, rows)
        })
    }

    /// Those that are drawn, each once, those that are worth most first.
    pub(super) fn drawn(&self) -> impl Iterator<Item = (&'static str, Row<'t>)> {
        let failed = self.kinds.shown.iter();
        let failed = failed.flat_map(|kind| kind.places.iter().take(DRAWN_OF_KIND));
        let failed: Vec<usize> = failed.take(DRAWN_FAILED).copied().collect();
        let some = |places: &[usize]| places.iter().take(DRAWN_INCOMPLETE).copied().collect();
        let (run, of_stages) = self
            .drawn_slowest
            .split_at(DRAWN_SLOWEST.min(self.drawn_slowest.len()));
        let all: [(&'static str, Vec<usize>); 6] = [
            ("slowest", run.to_vec()),
            ("failed", failed),
            ("incomplete", some(&self.part)),
            ("incomplete", some(&self.nothing)),
            ("median", self.drawn_median.clone()),
            ("slowest", of_stages.to_vec()),
        ];
        let timeline = self.timeline;
        let mut drawn = BTreeSet::new();
        let all = all
            .into_iter()
            .flat_map(|(why, places)| places.into_iter().map(move |place| (why, place)));
        all.filter(move |(_, place)| drawn.insert(*place))
            .map(move |(why, place)| (why, timeline.row(place)))
    }

    /// What the list leaves out.
    pub(super) fn limits(&self, verdict: &Verdict) -> Vec<String> {
        let mut limits = Vec::new();
        let failed: u64 = self.kinds.shown.iter().map(|kind| kind.count).sum();
        let listed = self.failed().len() as u64;
        if listed < failed {
            limits.push(format!(
                "Of {failed} requests that failed, {listed} are listed one by one: the first of each kind that was sent."
            ));
        }
        let stages = verdict.stages.iter();
        let incomplete: u64 = stages.map(|s| s.traces.incomplete + s.traces.missing).sum();
        let listed = (self.part.len() + self.nothing.len()).min(INCOMPLETE) as u64;
        if listed < incomplete {
            limits.push(format!(
                "Of {incomplete} traces that are not complete, {listed} are listed."
            ));
        }
        if self.kinds.left_out > 0 {
            limits.push(format!(
                "{} kinds of failures, the rarest, are left out of the page.",
                self.kinds.left_out
            ));
        }
        limits
    }
}

impl OfStage {
    fn new(stage: &crate::verdict::outcome::Stage) -> OfStage {
        OfStage {
            median_ns: stage.latency_ms.p50.map(|ms| (ms * 1e6).round() as u64),
            lacks: stage.traces.incomplete + stage.traces.missing > 0,
            slowest: Least::of(SLOWEST_OF_STAGE),
            median: Least::of(MEDIAN_OF_STAGE),
            part: 0,
            nothing: 0,
        }
    }
}
