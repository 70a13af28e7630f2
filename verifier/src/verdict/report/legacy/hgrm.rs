//! `.hgrm`: the percentile listing of HdrHistogram, which its plotters read.

use super::tally::Tally;
use anyhow::Result;
use std::fmt::Write;

/// Ticks per halving of the distance to 100 %, the default of HdrHistogram's own `outputPercentileDistribution`.
const TICKS: u32 = 5;
/// Nanoseconds of the unit of the values: a millisecond.
const UNIT_NS: f64 = 1e6;

/// Service times in milliseconds, in the format of `AbstractHistogram.outputPercentileDistribution` of the Java
/// library (`%12.3f %2.12f %10d %14.2f`, the last row without its last column; then mean, maximum, buckets).
/// Lines that begin with `#` are comments to its readers.
///
/// # Errors
/// Never: a String takes every line.
pub(super) fn text(tally: &Tally) -> Result<String> {
    let histogram = &tally.histogram;
    let mut out = String::new();
    writeln!(
        out,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to() as f64 / UNIT_NS;
        let share = step.quantile_iterated_to();
        write!(out, "{value:12.3} {share:2.12} {total:10}")?;
        if share < 1.0 {
            write!(out, " {:14.2}", 1.0 / (1.0 - share))?;
        }
        out.push('\n');
    }
    writeln!(
        out,
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]",
        histogram.mean() / UNIT_NS,
        histogram.stdev() / UNIT_NS
    )?;
    writeln!(
        out,
        "#[Max     = {:12.3}, Total count    = {:12}]",
        histogram.max() as f64 / UNIT_NS,
        histogram.len()
    )?;
    writeln!(
        out,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        histogram.buckets(),
        sub_buckets()
    )?;
    writeln!(
        out,
        "# service time in milliseconds, from the actual send, of every request that was sent"
    )?;
    Ok(out)
}

/// The least power of two that tells values apart to three digits: 2 * 10^3, rounded up.
fn sub_buckets() -> u64 {
    2_000_u64.next_power_of_two()
}
