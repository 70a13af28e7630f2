//! Why the slow requests are slow: each part's mean among the slowest hundredth beside the median's.

use crate::record::{Exchange, Outcome};
use crate::verdict::align::{Timeline, Trace};
use crate::verdict::outcome::{Tail, TailPart};

/// Fewer complete exchanges than this have no slowest hundredth worth a mean.
const FEWEST: usize = 1000;

/// The parts of one exchange's latency, nanoseconds; they add up to it. Wide, since a sender may claim any time.
fn parts(
    timeline: &Timeline<'_>,
    below_root: &[&str],
    exchange: &Exchange,
    trace: &Trace<'_>,
) -> Option<Vec<i128>> {
    let root = trace.root()?;
    let signed = |from: u64, to: u64| i128::from(to) - i128::from(from);
    let connected = if exchange.connected_ns > exchange.intended_ns {
        exchange.connected_ns
    } else {
        exchange.intended_ns
    };
    let mut parts = vec![
        signed(connected, exchange.sent_ns),
        signed(exchange.intended_ns, connected),
        signed(exchange.sent_ns, exchange.done_ns) - i128::from(root.duration_ns()),
    ];
    let expected = timeline.expected(exchange).spans;
    let mut children = vec![0; below_root.len()];
    for (place, span) in trace
        .children()
        .filter(|(_, span)| span.parent_span_id == root.span_id)
    {
        let named = |name: &&str| *name == expected[place].name;
        if let Some(child) = below_root.iter().position(named) {
            children[child] = i128::from(span.duration_ns());
        }
    }
    let other = i128::from(root.duration_ns()) - children.iter().sum::<i128>();
    parts.extend(children);
    parts.push(other);
    Some(parts)
}

/// Expected spans below the root of any task, each once.
fn below_root<'a>(timeline: &Timeline<'a>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for spans in timeline.plan.spans_by_task() {
        for span in spans.iter().skip(1) {
            if !names.contains(&span.name.as_str()) {
                names.push(&span.name);
            }
        }
    }
    names
}

fn names(below_root: &[&str]) -> Vec<String> {
    let before = ["generator_lag", "connect", "network_and_queue"].iter();
    let after = ["other_server_time"].iter();
    let names = before.chain(below_root).chain(after);
    names.map(|&name| name.to_owned()).collect()
}

/// `None` where too few complete traces support it.
pub(super) fn attribute(timeline: &Timeline<'_>, stage: usize) -> Option<Tail> {
    let mut by_latency = Vec::new();
    for (row, (exchange, spans)) in timeline.stage(stage).enumerate() {
        if exchange.outcome == Outcome::Ok && timeline.trace(exchange, spans).complete() {
            by_latency.push((exchange.latency_ns(), row));
        }
    }
    if by_latency.len() < FEWEST {
        return None;
    }
    by_latency.sort_unstable();
    let n = by_latency.len();
    let mut band = vec![0_u8; timeline.stage(stage).count()];
    by_latency[n * 45 / 100..n * 55 / 100]
        .iter()
        .for_each(|(_, row)| band[*row] = 1);
    by_latency[n * 99 / 100..]
        .iter()
        .for_each(|(_, row)| band[*row] = 2);
    drop(by_latency);

    let below_root = below_root(timeline);
    let names = names(&below_root);
    let mut sums = [vec![0_i128; names.len()], vec![0_i128; names.len()]];
    let mut counts = [0_u64; 2];
    for (row, (exchange, spans)) in timeline
        .stage(stage)
        .enumerate()
        .filter(|(row, _)| band[*row] > 0)
    {
        let which = usize::from(band[row]) - 1;
        let trace = timeline.trace(exchange, spans);
        let parts = parts(timeline, &below_root, exchange, &trace)?;
        counts[which] += 1;
        sums[which]
            .iter_mut()
            .zip(parts)
            .for_each(|(sum, part)| *sum += part);
    }
    let mean = |which: usize, sum: i128| sum as f64 / counts[which] as f64 / 1e6;
    let parts = names.into_iter().enumerate().map(|(i, name)| TailPart {
        name,
        p50_band_ms: mean(0, sums[0][i]),
        p99_band_ms: mean(1, sums[1][i]),
    });
    Some(Tail {
        p50_band_n: counts[0],
        p99_band_n: counts[1],
        p50_band_ms: mean(0, sums[0].iter().sum()),
        p99_band_ms: mean(1, sums[1].iter().sum()),
        parts: parts.collect(),
    })
}
