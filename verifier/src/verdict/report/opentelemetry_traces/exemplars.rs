//! One stage in, the few traces of it that are worth a look out: some of each class, the same each time.

use crate::record::span::STATUS_ERROR;
use crate::record::{Exchange, Outcome, Span, Table};
use crate::verdict::align::{Fault, Timeline, Trace, with_repeats};
use crate::verdict::outcome::Stage;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Traces of each class of a stage.
pub(super) const OF_EACH: usize = 3;
/// Classes of a stage: a target may give each of its errors another name.
const MOST_CLASSES: usize = 64;

/// A row and what came of it.
type Row<'t> = (&'t Exchange, &'t [Span]);

/// What was chosen of one stage.
#[derive(Default)]
pub(super) struct Exemplars<'t> {
    /// By sequence number: the row, and the classes it is of.
    pub(super) chosen: BTreeMap<u64, (Row<'t>, Vec<String>)>,
    /// Classes beyond the most, of which nothing was chosen: how often one came up.
    pub(super) unclassed: u64,
}

/// Rows of least key so far, at most [`OF_EACH`].
struct Least<'t>(Vec<(u64, Row<'t>)>);

impl<'t> Least<'t> {
    fn offer(&mut self, key: u64, row: Row<'t>) {
        let full = self.0.len() == OF_EACH;
        // Rows come by sequence number: of two with one key the earlier stays.
        if full && self.0.last().is_some_and(|(most, _)| key >= *most) {
            return;
        }
        self.0.push((key, row));
        self.0
            .sort_by_key(|(key, (exchange, _))| (*key, exchange.seq));
        self.0.truncate(OF_EACH);
    }
}

impl<'t> Exemplars<'t> {
    /// One pass: the slowest, those nearest to the median, and the first of each class.
    pub(super) fn of(timeline: &'t Timeline<'_>, index: usize, stage: &Stage) -> Exemplars<'t> {
        let late_after = timeline.plan.traces.late_after.as_nanos();
        let late_after_ns = u64::try_from(late_after).unwrap_or(u64::MAX);
        let median_ns = stage.latency_ms.p50.map(|ms| (ms * 1e6).round() as u64);
        let (mut slowest, mut median) = (Least(Vec::new()), Least(Vec::new()));
        let mut classes: BTreeMap<String, Vec<Row<'t>>> = BTreeMap::new();
        let mut exemplars = Exemplars::default();
        for row in timeline.stage(index) {
            let (exchange, spans) = row;
            if exchange.outcome == Outcome::Ok {
                let latency_ns = exchange.latency_ns();
                slowest.offer(u64::MAX - latency_ns, row);
                if let Some(median_ns) = median_ns {
                    median.offer(latency_ns.abs_diff(median_ns), row);
                }
            }
            let trace = timeline.trace(exchange, spans);
            let mut of_class = |class: String| {
                let room = classes.len() < MOST_CLASSES;
                match classes.entry(class) {
                    Entry::Occupied(rows) if rows.get().len() == OF_EACH => {}
                    Entry::Occupied(mut rows) => rows.get_mut().push(row),
                    Entry::Vacant(rows) if room => drop(rows.insert(vec![row])),
                    Entry::Vacant(_) => exemplars.unclassed += 1,
                }
            };
            failure(exchange).into_iter().for_each(&mut of_class);
            faults(timeline, exchange, &trace).for_each(&mut of_class);
            if trace.complete()
                && trace.last_arrival_ns > exchange.done_ns.saturating_add(late_after_ns)
            {
                of_class("late".to_owned());
            }
            error_spans(timeline, spans).for_each(&mut of_class);
        }
        exemplars.choose("slowest", slowest.0.into_iter().map(|(_, row)| row));
        exemplars.choose("median", median.0.into_iter().map(|(_, row)| row));
        for (class, rows) in classes {
            exemplars.choose(&class, rows.into_iter());
        }
        exemplars
    }

    fn choose(&mut self, class: &str, rows: impl Iterator<Item = Row<'t>>) {
        for row in rows {
            let chosen = self.chosen.entry(row.0.seq);
            let (_, classes) = chosen.or_insert_with(|| (row, Vec::new()));
            classes.push(class.to_owned());
        }
    }
}

/// How it failed, for a person; `None`: it did not.
pub(super) fn failure(exchange: &Exchange) -> Option<String> {
    match exchange.outcome {
        Outcome::Ok => None,
        Outcome::HttpError => Some(format!("status {}", exchange.status)),
        other => Some(other.name().to_owned()),
    }
}

/// What its trace lacks or has twice.
fn faults<'a>(
    timeline: &'a Timeline<'_>,
    exchange: &'a Exchange,
    trace: &'a Trace<'_>,
) -> impl Iterator<Item = String> + use<'a> {
    let nothing = (trace.due && !trace.any).then(|| "no span came".to_owned());
    let some = trace.faults.iter().filter(|_| trace.due && trace.any);
    let some = some.map(|(place, fault)| {
        let name = &timeline.expected(exchange).spans[*place].name;
        match fault {
            Fault::Missing => format!("without {name}"),
            Fault::Orphan => format!("{name} has another parent"),
            Fault::WrongKind => format!("{name} has another kind"),
        }
    });
    let twice = (trace.duplicates > 0).then(|| "span came twice".to_owned());
    nothing.into_iter().chain(some).chain(twice)
}

/// Its spans that ended with an error, by name and detail.
fn error_spans<'a>(
    timeline: &'a Timeline<'_>,
    spans: &'a [Span],
) -> impl Iterator<Item = String> + use<'a> {
    let failed = with_repeats(spans).filter(|(span, again)| !again && span.status == STATUS_ERROR);
    failed.map(|(span, _)| {
        let name = timeline.text(Table::SpanName, span.name);
        let detail = timeline.text(Table::Detail, span.detail);
        format!("error in {name} {detail}").trim_end().to_owned()
    })
}
