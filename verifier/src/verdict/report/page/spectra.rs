//! Latency over percentiles, a curve a stage: as far as the number of samples supports it.

use crate::record::Exchange;
use crate::verdict::align::Timeline;
use crate::verdict::judge::percentile_ns;
use crate::verdict::page::Spectrum;

/// One per stage, in order.
pub(super) fn of(timeline: &Timeline<'_>) -> Vec<Spectrum> {
    let stages = 0..timeline.plan.stages.len();
    stages.map(|stage| spectrum(timeline, stage)).collect()
}

fn spectrum(timeline: &Timeline<'_>, stage: usize) -> Spectrum {
    let exchanges = timeline.exchanges(stage, None);
    let sent = exchanges.filter(|exchange| exchange.outcome.sent());
    let mut ns: Vec<u64> = sent.map(Exchange::latency_ns).collect();
    ns.sort_unstable();
    // Ten points per factor of two of 1 - p, down to 1e-5.
    let shares = (0..=160).map(|step| 1.0 - 2_f64.powf(-f64::from(step) / 10.0));
    let points = shares
        .filter(|p| *p > 0.05)
        .filter_map(|p| Some((p, percentile_ns(&ns, p)? as f64 / 1e6)));
    Spectrum {
        stage: timeline.plan.stages[stage].name.clone(),
        n: ns.len() as u64,
        points: points.collect(),
    }
}
