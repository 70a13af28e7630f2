//! Joins what was recorded on the run's clock: exchanges with their spans by sequence number, stages
//! with their borders, senders' clocks with ours.

mod clocks;
pub mod cluster;
mod trace;

pub use clocks::{Clocks, SenderOffset, shard_of};
pub use trace::{Fault, Trace, with_repeats};

use crate::plan::{ExpectedSpan, Plan, Stage};
use crate::record::{Dictionary, Exchange, Observation, Recorded, Span, Table};
use anyhow::{Context, Result};
use std::time::Duration;

/// The stages that a search decided on while it ran, in order.
///
/// # Errors
/// When the journal's text of one is damaged.
pub fn planned_stages(recorded: &Recorded) -> Result<Vec<Stage>> {
    let planned = recorded
        .journal
        .iter()
        .filter_map(|entry| match &entry.observation {
            Observation::StagePlanned { toml, .. } => Some(toml),
            _ => None,
        });
    planned
        .map(|toml| Stage::from_toml(toml).context("a stage_planned of the journal is damaged"))
        .collect()
}

/// A run, joined.
pub struct Timeline<'a> {
    /// The plan it followed.
    pub plan: &'a Plan,
    /// Everything recorded; exchanges sorted by stage and sequence number, spans by sequence number and arrival.
    pub recorded: Recorded,
    /// For each exchange, where its spans stand in `recorded.spans`.
    spans_of: Vec<(u32, u32)>,
    /// For each stage of the plan, its rows in `recorded.exchanges`.
    stages: Vec<std::ops::Range<usize>>,
    /// Offsets of senders' and shards' clocks.
    pub clocks: Clocks,
    /// What is expected of each task's traces.
    expected: Vec<Expected<'a>>,
}

/// The spans that a task's traces must hold.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// As planned, root first.
    pub spans: &'a [ExpectedSpan],
    /// Numbers of their names, in the same order; `None`: never received.
    pub names: Vec<Option<u16>>,
}

impl<'a> Timeline<'a> {
    /// Joins. Sorting and one pass: no map from request to spans, so that ten million requests fit.
    pub fn new(plan: &'a Plan, mut recorded: Recorded) -> Timeline<'a> {
        // Rows of one stage together, in the order of their numbers within.
        let exchanges = &mut recorded.exchanges;
        exchanges.sort_unstable_by_key(|exchange| (exchange.stage, exchange.seq));
        let stages = (0..plan.stages.len()).map(|stage| rows_of(exchanges, stage));
        let stages = stages.collect();
        let mut timeline = Timeline {
            plan,
            recorded,
            spans_of: Vec::new(),
            stages,
            clocks: Clocks::default(),
            expected: Vec::new(),
        };
        timeline.rejoin();
        timeline
    }

    /// Lets the spans go and joins others in their place: those of another source.
    ///
    /// # Errors
    /// As `read` has them.
    pub fn join(&mut self, read: impl FnOnce(&mut Dictionary) -> Result<Vec<Span>>) -> Result<()> {
        self.recorded.spans = Vec::new();
        self.recorded.spans = read(&mut self.recorded.dictionary)?;
        self.rejoin();
        Ok(())
    }

    fn rejoin(&mut self) {
        // By the whole row, so that only equal rows tie: the order in which they were written is of no account.
        self.recorded.spans.sort_unstable_by_key(|s| {
            let first = (s.seq, s.arrived_ns, s.span_id, s.start_unix_ns);
            let texts = (s.name, s.source, s.detail);
            let rest = (
                s.end_unix_ns,
                s.parent_span_id,
                s.http_status,
                s.kind,
                s.status,
            );
            (first, texts, rest)
        });
        self.spans_of = join(&self.recorded.exchanges, &self.recorded.spans);
        let dictionary = &self.recorded.dictionary;
        let number = |s: &ExpectedSpan| dictionary.number(Table::SpanName, &s.name);
        let expected = self.plan.spans_by_task().into_iter();
        let expected = expected.map(|spans| Expected {
            spans,
            names: spans.iter().map(number).collect(),
        });
        self.expected = expected.collect();
        self.clocks = Clocks::of(self);
    }

    /// The stage's exchanges, each with its spans in the order of their arrival.
    pub fn stage(&self, index: usize) -> impl Iterator<Item = (&Exchange, &[Span])> {
        self.stages[index].clone().map(|row| self.row(row))
    }

    /// Some of the stage's exchanges, by their places in it, each with its spans.
    pub fn rows(
        &self,
        index: usize,
        rows: std::ops::Range<usize>,
    ) -> impl Iterator<Item = (&Exchange, &[Span])> {
        let first = self.stages[index].start;
        rows.map(move |row| self.row(first + row))
    }

    /// The stage's exchanges alone, of all tasks or of one.
    pub fn exchanges(&self, index: usize, task: Option<u8>) -> impl Iterator<Item = &Exchange> {
        let exchanges = self.recorded.exchanges[self.stages[index].clone()].iter();
        exchanges.filter(move |exchange| task.is_none_or(|task| task == exchange.task))
    }

    /// Every exchange of the plan's stages with its spans.
    pub fn all(&self) -> impl Iterator<Item = (&Exchange, &[Span])> {
        (0..self.recorded.exchanges.len()).map(|row| self.row(row))
    }

    /// An exchange by its place in [`Timeline::all`], with its spans.
    pub fn row(&self, row: usize) -> (&Exchange, &[Span]) {
        let (from, to) = self.spans_of[row];
        (
            &self.recorded.exchanges[row],
            &self.recorded.spans[from as usize..to as usize],
        )
    }

    /// What is expected of an exchange's trace. A row whose task is not in the plan is damaged; it is held
    /// to the first.
    pub fn expected(&self, exchange: &Exchange) -> &Expected<'a> {
        let task = usize::from(exchange.task);
        self.expected.get(task).unwrap_or(&self.expected[0])
    }

    /// The trace of an exchange.
    pub fn trace<'s>(&self, exchange: &Exchange, spans: &'s [Span]) -> Trace<'s> {
        Trace::read(self, exchange, spans)
    }

    /// The requests are somebody else's: what is known of them is what their root spans tell.
    pub fn watched(&self) -> bool {
        self.recorded.found.is_some()
    }

    /// The trace id of a request, in hex.
    pub fn trace_id(&self, seq: u64) -> String {
        crate::record::run_key::hex(&self.recorded.trace_id(seq))
    }

    /// When the stage's load began, on the run's clock; `None` if it never did.
    pub fn stage_start_ns(&self, index: usize) -> Option<u64> {
        self.recorded
            .journal
            .iter()
            .find_map(|entry| match entry.observation {
                Observation::StageStarted { stage } if usize::from(stage) == index => {
                    Some(entry.at_ns)
                }
                _ => None,
            })
    }

    /// When the stage's load began in each shard that the run was joined of; of a run of one verifier, its own start.
    pub fn stage_starts_ns(&self, index: usize) -> Vec<u64> {
        let joined = self.observations().filter_map(|o| match o {
            Observation::ShardJoined(joined) => Some(&joined.stage_starts_ns),
            _ => None,
        });
        // One that did not come to the stage has no requests in it either.
        let of_shards = joined.map(|starts| starts.get(index).copied().unwrap_or(0));
        let of_shards: Vec<u64> = of_shards.collect();
        match of_shards.is_empty() {
            true => self.stage_start_ns(index).into_iter().collect(),
            false => of_shards,
        }
    }

    /// When the stage's load had ended, on the run's clock; `None` if it did not.
    pub fn stage_end_ns(&self, index: usize) -> Option<u64> {
        self.recorded
            .journal
            .iter()
            .find_map(|entry| match entry.observation {
                Observation::StageEnded { stage, .. } if usize::from(stage) == index => {
                    Some(entry.at_ns)
                }
                _ => None,
            })
    }

    /// Users of the stage at a moment of the run's clock: as planned, or as somebody had changed them by then by hand.
    /// `None` for a stage of another kind, and before it began.
    pub fn users_at(&self, index: usize, at_ns: u64) -> Option<u32> {
        let start_ns = self.stage_start_ns(index)?;
        let since_start = Duration::from_nanos(at_ns.checked_sub(start_ns)?);
        let planned = self.plan.stages.get(index)?.load.users_at(since_start)?;
        let mut entries = self.recorded.journal.iter().rev();
        let by_hand = entries.find_map(|entry| match entry.observation {
            Observation::UsersChanged { stage, users }
                if usize::from(stage) == index && entry.at_ns <= at_ns =>
            {
                Some(users)
            }
            _ => None,
        });
        Some(by_hand.unwrap_or(planned))
    }

    /// Observations, in order.
    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.recorded.journal.iter().map(|entry| &entry.observation)
    }

    /// The text of a number.
    pub fn text(&self, table: Table, number: u16) -> &str {
        self.recorded.dictionary.text(table, number)
    }
}

/// For each exchange, its range of spans. Spans are sorted by sequence number, exchanges by it within each stage.
fn join(exchanges: &[Exchange], spans: &[Span]) -> Vec<(u32, u32)> {
    let (mut at, mut last) = (0, 0);
    let mut ranges = Vec::with_capacity(exchanges.len());
    for exchange in exchanges {
        if exchange.seq < last {
            // Another stage, whose numbers begin before the last one's end.
            at = spans.partition_point(|span| span.seq < exchange.seq);
        }
        last = exchange.seq;
        while at < spans.len() && spans[at].seq < exchange.seq {
            at += 1;
        }
        let from = at;
        while at < spans.len() && spans[at].seq == exchange.seq {
            at += 1;
        }
        ranges.push((
            u32::try_from(from).unwrap_or(u32::MAX),
            u32::try_from(at).unwrap_or(u32::MAX),
        ));
    }
    ranges
}

fn rows_of(exchanges: &[Exchange], stage: usize) -> std::ops::Range<usize> {
    let from = exchanges.partition_point(|e| usize::from(e.stage) < stage);
    let to = exchanges.partition_point(|e| usize::from(e.stage) <= stage);
    from..to
}
