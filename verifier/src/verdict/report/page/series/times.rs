//! Percentiles of response and service times in each row of the axis, exact (nearest rank), of what was sent.

use super::axis::Axis;
use crate::record::Exchange;
use crate::verdict::align::Timeline;

/// Milliseconds; `None` in a row in which nothing that was sent has ended.
#[derive(Default)]
pub(super) struct Percentiles {
    pub(super) p50: Vec<Option<f64>>,
    pub(super) p95: Vec<Option<f64>>,
    pub(super) p99: Vec<Option<f64>>,
}

/// Those of the latency, and those of the service time. Beside the rows there is one number an exchange in memory.
pub(super) fn columns(timeline: &Timeline<'_>, axis: &Axis) -> [Percentiles; 2] {
    let exchanges = &timeline.recorded.exchanges;
    let sent = || exchanges.iter().filter(|exchange| exchange.outcome.sent());
    // Where each row's samples begin, once all are counted.
    let mut begins = vec![0_usize; axis.rows() + 1];
    for exchange in sent() {
        begins[axis.row_ns(exchange.done_ns) + 1] += 1;
    }
    for row in 1..begins.len() {
        begins[row] += begins[row - 1];
    }
    let mut ns = vec![0_u64; begins[axis.rows()]];
    [Exchange::latency_ns, Exchange::service_time_ns].map(|figure| {
        let mut next = begins.clone();
        for exchange in sent() {
            let place = &mut next[axis.row_ns(exchange.done_ns)];
            ns[*place] = figure(exchange);
            *place += 1;
        }
        let mut percentiles = Percentiles::default();
        for row in begins.windows(2) {
            let samples = &mut ns[row[0]..row[1]];
            samples.sort_unstable();
            percentiles.p50.push(rank(samples, 50));
            percentiles.p95.push(rank(samples, 95));
            percentiles.p99.push(rank(samples, 99));
        }
        percentiles
    })
}

/// Of a second's few, a picture and no claim.
fn rank(sorted_ns: &[u64], per_cent: usize) -> Option<f64> {
    let rank = (sorted_ns.len() * per_cent).div_ceil(100);
    let ns = sorted_ns.get(rank.checked_sub(1)?)?;
    Some(*ns as f64 / 1e6)
}
