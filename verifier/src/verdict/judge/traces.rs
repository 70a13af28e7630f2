//! Which of the traces that were due came, and what the others lack.

use super::EXAMPLES;
use crate::plan::ExpectedSpan;
use crate::verdict::align::{Fault, Timeline};
use crate::verdict::outcome::{Receiver, Traces};

pub(super) fn count(timeline: &Timeline<'_>, stage: usize, receiver: &Receiver) -> Traces {
    let plan = &timeline.plan.traces;
    let late_after_ns = u64::try_from(plan.late_after.as_nanos()).unwrap_or(u64::MAX);
    let mut traces = Traces {
        foreign: receiver.foreign_spans,
        ..Traces::default()
    };
    for (exchange, spans) in timeline.stage(stage) {
        let trace = timeline.trace(exchange, spans);
        traces.duplicate += trace.duplicates;
        if !trace.due {
            let sent_unanswered = exchange.outcome.sent() && !exchange.outcome.answered();
            traces.unanswered_with_trace += u64::from(sent_unanswered && trace.any);
            continue;
        }
        traces.expected += 1;
        if trace.complete() {
            traces.complete += 1;
            traces.late +=
                u64::from(trace.last_arrival_ns > exchange.done_ns.saturating_add(late_after_ns));
            continue;
        }
        let missing = || trace.faults.iter().filter(|(_, f)| *f == Fault::Missing);
        traces.spans_missing += missing().count() as u64;
        let lacks = if trace.any {
            traces.incomplete += 1;
            let has = |fault| trace.faults.iter().any(|(_, f)| *f == fault);
            traces.orphan += u64::from(has(Fault::Orphan));
            traces.wrong_kind += u64::from(has(Fault::WrongKind));
            for (place, _) in missing() {
                *traces
                    .missing_spans
                    .entry(timeline.expected(exchange).spans[*place].name.clone())
                    .or_default() += 1;
            }
            describe(timeline.expected(exchange).spans, &trace.faults)
        } else {
            traces.missing += 1;
            "no span".to_owned()
        };
        if traces.examples.len() < EXAMPLES {
            traces.examples.push(format!(
                "trace {}: {lacks}",
                timeline.trace_id(exchange.seq)
            ));
        }
    }
    traces.coverage =
        (traces.expected > 0).then(|| traces.complete as f64 / traces.expected as f64);
    traces
}

fn describe(expected: &[ExpectedSpan], faults: &[(usize, Fault)]) -> String {
    let name = |place: usize| &expected[place].name;
    let sentences = faults.iter().map(|(place, fault)| match fault {
        Fault::Missing => format!("{} is missing", name(*place)),
        Fault::Orphan => format!("{} has another parent", name(*place)),
        Fault::WrongKind => format!("{} has another kind", name(*place)),
    });
    sentences.collect::<Vec<_>>().join(", ")
}
