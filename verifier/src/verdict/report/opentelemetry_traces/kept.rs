//! `traces.jsonl`, `trace_list.txt` and `error_traces.jsonl`: the traces that are kept, one line each.

use super::exemplars::{self, Exemplars, OF_EACH};
use super::{Out, create, line, one_line};
use crate::record::span::STATUS_ERROR;
use crate::record::{Asked, Exchange, KeepTraces, Outcome, Span, TraceLink};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::Verdict;
use crate::verdict::report::duration;
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Traces of each stage that `error_traces.jsonl` holds, the first ones.
const MOST_ERRORS: u64 = 1_000;

/// What was kept, and what was left out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Kept {
    /// As asked for.
    keep_traces: KeepTraces,
    /// Requests of the run that have an exchange or a span to write.
    traces: u64,
    /// Lines of `trace_list.txt`, and of `traces.jsonl` but for those that have no span.
    listed: u64,
    /// Of those, not written for want of any span: never sent.
    without_spans: u64,
    /// Received spans in `traces.jsonl`.
    spans: u64,
    /// Received spans beyond a trace's most, left out of the two files.
    spans_left_out: u64,
    /// Traces with an error span or a failed exchange.
    error_traces: u64,
    /// Of those, in `error_traces.jsonl`.
    error_traces_written: u64,
    /// Of those, beyond a stage's most.
    error_traces_left_out: u64,
    /// Times that a class came up of which no exemplar was chosen, for its stage had too many classes.
    unclassed: u64,
}

struct Writer<'t> {
    timeline: &'t Timeline<'t>,
    /// Names of the client's own spans, by task.
    clients: Vec<String>,
    link: Option<&'t TraceLink>,
    traces: Out,
    list: Out,
    errors: Out,
    kept: Kept,
}

/// Writes the three files, stage by stage.
///
/// # Errors
/// When one can not be written.
pub(super) fn write(
    folder: &Path,
    timeline: &Timeline<'_>,
    verdict: &Verdict,
    asked: &Asked,
) -> Result<Kept> {
    let keep_traces = asked.keep_traces.unwrap_or_default();
    let kept = Kept {
        keep_traces,
        ..Kept::default()
    };
    let mut writer = Writer {
        timeline,
        clients: timeline.plan.client_span_names(),
        link: asked.trace_link.as_ref(),
        traces: create(&folder.join("traces.jsonl"))?,
        list: create(&folder.join("trace_list.txt"))?,
        errors: create(&folder.join("error_traces.jsonl"))?,
        kept,
    };
    let written = writer.all(verdict);
    written.with_context(|| format!("cannot write the traces into {}", folder.display()))?;
    Ok(writer.kept)
}

impl Writer<'_> {
    fn all(&mut self, verdict: &Verdict) -> Result<()> {
        self.head()?;
        for (index, stage) in verdict.stages.iter().enumerate() {
            let timeline = self.timeline;
            match self.kept.keep_traces {
                KeepTraces::None => {}
                KeepTraces::All => {
                    for (exchange, spans) in timeline.stage(index) {
                        let why = exemplars::failure(exchange).unwrap_or_default();
                        self.keep(&stage.name, exchange, spans, &why)?;
                    }
                }
                KeepTraces::Exemplars => {
                    let exemplars = Exemplars::of(timeline, index, stage);
                    self.kept.unclassed += exemplars.unclassed;
                    for ((exchange, spans), classes) in exemplars.chosen.into_values() {
                        self.keep(&stage.name, exchange, spans, &classes.join(", "))?;
                    }
                }
            }
            self.errors(index)?;
        }
        for out in [&mut self.traces, &mut self.list, &mut self.errors] {
            out.flush()?;
        }
        Ok(())
    }

    /// What the files are, and what they can not be.
    fn head(&mut self) -> Result<()> {
        let kept = match self.kept.keep_traces {
            KeepTraces::All => "every trace".to_owned(),
            KeepTraces::Exemplars => format!(
                "up to {OF_EACH} of each class of each stage (slowest, median, each kind of failure, fault, error span)"
            ),
            KeepTraces::None => "none".to_owned(),
        };
        writeln!(
            self.list,
            "# Kept traces (--keep-traces all|exemplars|none): {kept}.
# traces.jsonl has them as OTLP/JSON, one trace a line, which any OTLP/HTTP receiver takes again (POST /v1/traces).
# A line holds what the run's record holds: the client's span from its exchange (service.name verifier), and of each
# received span its ids, times, name, kind, status, http.response.status_code, its error.type or else its status
# message (both as error.type), and its sender (pod, instance or service; as service.instance.id). Other attributes,
# events and links were not recorded. error_traces.jsonl: the same of failed exchanges and traces with an error span.
# In order of stage and request. start: seconds on the run's clock.
#"
        )?;
        let link = if self.link.is_some() { "  link" } else { "" };
        writeln!(
            self.list,
            "{:>12}  {:>9}  {:<32}  {:<16}  {:>9}  {:>9}  {:>5}  stage: why it is kept{link}",
            "start", "seq", "trace id", "outcome", "latency", "root", "spans"
        )?;
        Ok(())
    }

    fn keep(&mut self, stage: &str, exchange: &Exchange, spans: &[Span], why: &str) -> Result<()> {
        let name = client_name(&self.clients, exchange);
        let written = line::write(&mut self.traces, self.timeline, name, exchange, spans)?;
        self.kept.listed += 1;
        self.kept.spans += written as u64;
        self.kept.spans_left_out += (spans.len() - written) as u64;
        let unsent = exchange.outcome == Outcome::Unsent && spans.is_empty();
        self.kept.without_spans += u64::from(unsent);
        let trace = self.timeline.trace(exchange, spans);
        let root = trace.root().map(|root| root.duration_ns() as f64 / 1e6);
        let trace_id = self.timeline.trace_id(exchange.seq);
        let outcome = match exchange.status {
            0 => exchange.outcome.name().to_owned(),
            status => format!("{} {status}", exchange.outcome.name()),
        };
        let text = format!("{stage}: {why}");
        write!(
            self.list,
            "{:>12.6}  {:>9}  {trace_id}  {outcome:<16}  {:>9}  {:>9}  {:>5}  {}",
            exchange.intended_ns as f64 / 1e9,
            exchange.seq,
            duration(exchange.latency_ns() as f64 / 1e6),
            root.map_or_else(|| "-".to_owned(), duration),
            spans.len(),
            one_line(text.trim_end_matches(": ")),
        )?;
        if let Some(link) = self.link {
            write!(self.list, "  {}", link.to(&trace_id))?;
        }
        writeln!(self.list)?;
        Ok(())
    }

    /// The stage's traces with an error.
    fn errors(&mut self, index: usize) -> Result<()> {
        let mut of_stage = 0;
        for (exchange, spans) in self.timeline.stage(index) {
            let sent = exchange.outcome != Outcome::Unsent;
            self.kept.traces += u64::from(sent || !spans.is_empty());
            let error_span = spans.iter().any(|span| span.status == STATUS_ERROR);
            if !error_span && (exchange.outcome == Outcome::Ok || !sent) {
                continue;
            }
            self.kept.error_traces += 1;
            of_stage += 1;
            if of_stage > MOST_ERRORS {
                self.kept.error_traces_left_out += 1;
                continue;
            }
            let name = client_name(&self.clients, exchange);
            line::write(&mut self.errors, self.timeline, name, exchange, spans)?;
            self.kept.error_traces_written += 1;
        }
        Ok(())
    }
}

fn client_name<'a>(names: &'a [String], exchange: &Exchange) -> &'a str {
    // A row whose task is not in the plan is damaged; it is held to the first.
    let name = names.get(usize::from(exchange.task)).or(names.first());
    name.map_or("", String::as_str)
}
