//! What only the reports draw: percentile spectra, throughput over time, waterfalls of single traces.

use crate::record::span::STATUS_ERROR;
use crate::record::{Exchange, Outcome, Span, Table};
use crate::verdict::align::{Fault, Timeline};
use crate::verdict::judge::percentile_ns;
use std::collections::BTreeMap;

/// Traces shown of each kind.
const SHOWN: usize = 3;

/// Everything drawn.
pub struct Pictures {
    /// One per stage, in order.
    pub spectra: Vec<Spectrum>,
    /// One per second in which an exchange ended, in order.
    pub seconds: Vec<Second>,
    /// Begin of each stage that began: its name, and seconds on the run's clock.
    pub stage_starts: Vec<(String, f64)>,
    /// Single traces worth a look.
    pub waterfalls: Vec<Waterfall>,
}

/// Latency over percentiles.
pub struct Spectrum {
    /// Stage.
    pub stage: String,
    /// `(percentile as a share of 1, milliseconds)`, rising; only what the samples support.
    pub points: Vec<(f64, f64)>,
}

/// One second of the run.
#[derive(Clone, Copy)]
pub struct Second {
    /// On the run's clock.
    pub at: u64,
    /// Answers.
    pub answered: u64,
    /// Exchanges that ended otherwise than ok.
    pub failed: u64,
    /// Median of the response times of those that were sent, milliseconds, nearest rank.
    pub p50_ms: f64,
    /// 99th percentile of the same: of a second's few, a picture and no claim.
    pub p99_ms: f64,
}

/// One exchange and its spans on one axis, which begins at the exchange's intended start.
pub struct Waterfall {
    /// Why it is shown.
    pub why: &'static str,
    /// Stage, outcome, faults.
    pub title: String,
    /// Trace id in hex.
    pub trace_id: String,
    /// Length of the axis, nanoseconds.
    pub length_ns: u64,
    /// The exchange first.
    pub bars: Vec<Bar>,
}

/// One bar of a waterfall.
pub struct Bar {
    /// Span name, or what the client did.
    pub name: String,
    /// From the axis' begin, nanoseconds; the sender's clock corrected by its offset.
    pub start_ns: i64,
    /// Nanoseconds.
    pub duration_ns: u64,
    /// Status, sender and the like.
    pub note: String,
    /// The client's own.
    pub client: bool,
    /// Ended with an error.
    pub error: bool,
}

impl Pictures {
    /// Computes them.
    pub fn draw(timeline: &Timeline<'_>) -> Pictures {
        let stages = 0..timeline.plan.stages.len();
        Pictures {
            spectra: stages
                .clone()
                .map(|stage| spectrum(timeline, stage))
                .collect(),
            seconds: seconds(timeline),
            stage_starts: stages
                .filter_map(|s| {
                    Some((
                        timeline.plan.stages[s].name.clone(),
                        timeline.stage_start_ns(s)? as f64 / 1e9,
                    ))
                })
                .collect(),
            waterfalls: waterfalls(timeline),
        }
    }
}

fn spectrum(timeline: &Timeline<'_>, stage: usize) -> Spectrum {
    let sent = timeline
        .stage(stage)
        .map(|(e, _)| e)
        .filter(|e| e.outcome.sent());
    let mut ns: Vec<u64> = sent.map(Exchange::latency_ns).collect();
    ns.sort_unstable();
    // Ten points per factor of two of 1 - p, down to 1e-5.
    let shares = (0..=160).map(|step| 1.0 - 2_f64.powf(-f64::from(step) / 10.0));
    let points = shares
        .filter(|p| *p > 0.05)
        .filter_map(|p| Some((p, percentile_ns(&ns, p)? as f64 / 1e6)));
    Spectrum {
        stage: timeline.plan.stages[stage].name.clone(),
        points: points.collect(),
    }
}

fn seconds(timeline: &Timeline<'_>) -> Vec<Second> {
    let mut by_second: BTreeMap<u64, Vec<&Exchange>> = BTreeMap::new();
    for (exchange, _) in timeline.all() {
        let at = exchange.done_ns / 1_000_000_000;
        by_second.entry(at).or_default().push(exchange);
    }
    let seconds = by_second.into_iter().map(|(at, exchanges)| {
        let count = |of: fn(Outcome) -> bool| {
            exchanges
                .iter()
                .filter(|exchange| of(exchange.outcome))
                .count() as u64
        };
        let sent = exchanges.iter().filter(|exchange| exchange.outcome.sent());
        let mut ns: Vec<u64> = sent.map(|exchange| exchange.latency_ns()).collect();
        ns.sort_unstable();
        let rank = |per_cent: usize| {
            let rank = (ns.len() * per_cent).div_ceil(100).saturating_sub(1);
            ns.get(rank).map_or(0.0, |ns| *ns as f64 / 1e6)
        };
        Second {
            at,
            answered: count(Outcome::answered),
            failed: count(|outcome| outcome != Outcome::Ok),
            p50_ms: rank(50),
            p99_ms: rank(99),
        }
    });
    seconds.collect()
}

fn waterfalls(timeline: &Timeline<'_>) -> Vec<Waterfall> {
    let mut slowest: Vec<(u64, &Exchange, &[Span])> = Vec::new();
    let (mut failed, mut broken) = (Vec::new(), Vec::new());
    for (exchange, spans) in timeline.all() {
        if exchange.outcome == Outcome::Ok {
            let latency = exchange.latency_ns();
            if slowest.len() < SHOWN || slowest.last().is_some_and(|(least, ..)| latency > *least) {
                slowest.push((latency, exchange, spans));
                slowest.sort_by_key(|(latency, exchange, _)| {
                    (std::cmp::Reverse(*latency), exchange.seq)
                });
                slowest.truncate(SHOWN);
            }
        } else if failed.len() < SHOWN && exchange.outcome.sent() {
            failed.push((exchange, spans));
        }
        if broken.len() < SHOWN {
            let trace = timeline.trace(exchange, spans);
            if trace.due && trace.any && !trace.complete() {
                broken.push((exchange, spans));
            }
        }
    }
    let slowest = slowest
        .into_iter()
        .map(|(_, exchange, spans)| ("slowest", exchange, spans));
    let failed = failed
        .into_iter()
        .map(|(exchange, spans)| ("failed", exchange, spans));
    let broken = broken
        .into_iter()
        .map(|(exchange, spans)| ("incomplete", exchange, spans));
    slowest
        .chain(failed)
        .chain(broken)
        .map(|(why, exchange, spans)| waterfall(timeline, why, exchange, spans))
        .collect()
}

fn waterfall(
    timeline: &Timeline<'_>,
    why: &'static str,
    exchange: &Exchange,
    spans: &[Span],
) -> Waterfall {
    let zero = exchange.intended_ns.cast_signed();
    let mut bars = Vec::new();
    let mut client = |name: &str, from: u64, to: u64| {
        if from != 0 && to > from {
            let start_ns = from.cast_signed() - zero;
            bars.push(Bar {
                name: name.to_owned(),
                start_ns,
                duration_ns: to - from,
                note: String::new(),
                client: true,
                error: false,
            });
        }
    };
    client("exchange", exchange.intended_ns.max(1), exchange.done_ns);
    client(
        "waiting for a connection",
        exchange.intended_ns.max(1),
        exchange.connected_ns,
    );
    client(
        "until the first byte",
        exchange.sent_ns,
        exchange.first_byte_ns,
    );
    let mut by_start: Vec<&Span> = spans.iter().take(64).collect();
    by_start.sort_by_key(|span| {
        (
            span.start_unix_ns,
            std::cmp::Reverse(span.end_unix_ns),
            span.span_id,
        )
    });
    for span in by_start {
        let offset = timeline.clocks.offset_ns(span.source, exchange.seq);
        let origin = timeline.recorded.origin_unix_ns.cast_signed();
        let detail = timeline.text(Table::Detail, span.detail);
        let status = if span.http_status > 0 {
            format!(" {}", span.http_status)
        } else {
            String::new()
        };
        bars.push(Bar {
            name: timeline.text(Table::SpanName, span.name).to_owned(),
            start_ns: span
                .start_unix_ns
                .cast_signed()
                .wrapping_sub(origin)
                .wrapping_sub(offset)
                .wrapping_sub(zero),
            duration_ns: span.duration_ns(),
            note: format!(
                "{}{status} {detail}",
                timeline.text(Table::Source, span.source)
            ),
            client: false,
            error: span.status == STATUS_ERROR,
        });
    }
    let trace = timeline.trace(exchange, spans);
    let lacks = trace
        .faults
        .iter()
        .filter(|(_, fault)| *fault == Fault::Missing);
    let lacks: Vec<&str> = lacks
        .map(|(place, _)| timeline.expected(exchange).spans[*place].name.as_str())
        .collect();
    let stage = timeline
        .plan
        .stages
        .get(usize::from(exchange.stage))
        .map_or("", |s| s.name.as_str());
    let status = if exchange.status > 0 {
        format!(" {}", exchange.status)
    } else {
        String::new()
    };
    let lacks = if lacks.is_empty() {
        String::new()
    } else {
        format!(", without {}", lacks.join(", "))
    };
    Waterfall {
        why,
        title: format!("{stage}: {}{status}{lacks}", exchange.outcome.name()),
        trace_id: timeline.trace_id(exchange.seq),
        length_ns: exchange.latency_ns().max(1),
        bars,
    }
}
