//! `span_details.txt`: how long the spans of each name took, stage by stage, and their share of the root's time.

use super::{Out, one_line};
use crate::record::Table;
use crate::record::span::STATUS_ERROR;
use crate::verdict::align::{Timeline, with_repeats};
use crate::verdict::judge::distribution;
use crate::verdict::outcome::Verdict;
use crate::verdict::report::known;
use anyhow::Result;
use std::collections::BTreeMap;
use std::io::Write;

/// What is known of one name's spans in one stage.
#[derive(Default)]
struct Name {
    durations_ns: Vec<u64>,
    /// Of those in traces whose root came.
    beside_root_ns: u128,
    errors: u64,
}

/// Writes the table. Durations of one stage are in memory at once, as for the verdict.
///
/// # Errors
/// When it can not be written.
pub(super) fn write(out: &mut Out, timeline: &Timeline<'_>, verdict: &Verdict) -> Result<()> {
    writeln!(
        out,
        "# Durations of spans by name, of every trace of the stage, answered or not; a span that came twice counts once.
# share: the names' time over the root spans' time, in traces whose root came; spans that overlap or nest make it
# more than 100 % in all. n/a: too few samples for the percentile.
#
{:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}  {:>7}  stage: span",
        "n", "mean", "p50", "p90", "p99", "max", "share", "errors"
    )?;
    for (index, stage) in verdict.stages.iter().enumerate() {
        let (names, root_ns) = of_stage(timeline, index);
        for (
            name,
            Name {
                mut durations_ns,
                beside_root_ns,
                errors,
            },
        ) in names
        {
            let d = distribution(&mut durations_ns);
            let share = match root_ns {
                0 => "n/a".to_owned(),
                _ => format!("{:.1} %", 100.0 * beside_root_ns as f64 / root_ns as f64),
            };
            let [mean, p50, p90, p99, max] = [d.mean, d.p50, d.p90, d.p99, d.max].map(known);
            writeln!(
                out,
                "{:>9}  {mean:>9}  {p50:>9}  {p90:>9}  {p99:>9}  {max:>9}  {share:>7}  {errors:>7}  {}",
                d.n,
                one_line(&format!("{}: {name}", stage.name))
            )?;
        }
    }
    Ok(())
}

/// By name, and the root spans' time.
fn of_stage<'t>(timeline: &'t Timeline<'_>, index: usize) -> (BTreeMap<&'t str, Name>, u128) {
    let mut by_number: BTreeMap<u16, Name> = BTreeMap::new();
    let mut root_ns = 0;
    for (exchange, spans) in timeline.stage(index) {
        let trace = timeline.trace(exchange, spans);
        let root = trace.root();
        root_ns += root.map_or(0, |root| u128::from(root.duration_ns()));
        for (span, _) in with_repeats(spans).filter(|(_, again)| !again) {
            let name = by_number.entry(span.name).or_default();
            name.durations_ns.push(span.duration_ns());
            name.errors += u64::from(span.status == STATUS_ERROR);
            if root.is_some() {
                name.beside_root_ns += u128::from(span.duration_ns());
            }
        }
    }
    let named = by_number.into_iter();
    let named = named.map(|(number, name)| (timeline.text(Table::SpanName, number), name));
    (named.collect(), root_ns)
}
