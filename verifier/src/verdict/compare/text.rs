//! The comparison as a table of at most 120 columns.

use super::{Change, Comparison, Estimate, Pair, Unit};
use crate::verdict::outcome::Judgement;
use crate::verdict::report::{duration, grouped};
use std::fmt::Write;

/// Columns of a figure's name, beside which the widest row still fits.
const NAME: usize = 30;

/// Both runs, each stage's figures with their intervals, the outcome and why.
pub fn to_text(comparison: &Comparison) -> String {
    let mut out = String::new();
    // Writing to a String does not fail; so all through this file.
    let _ = writeln!(
        out,
        "A  {}\nB  {}",
        cut(&comparison.a, 117),
        cut(&comparison.b, 117)
    );
    for stage in &comparison.stages {
        let _ = writeln!(
            out,
            "\n{:<NAME$}{:>30}{:>30}{:>10}",
            cut(&stage.name, NAME - 1),
            "A (99 % interval)",
            "B (99 % interval)",
            "change"
        );
        for pair in &stage.figures {
            row(&mut out, pair);
        }
    }
    let word = match comparison.outcome {
        Judgement::Pass => "NO REGRESSION",
        Judgement::Fail => "REGRESSION",
        Judgement::Unknown => "UNKNOWN",
    };
    let _ = writeln!(out, "\n{word} (noise up to {})", percent(comparison.noise));
    for reason in &comparison.reasons {
        let _ = writeln!(out, "  {reason}");
    }
    out
}

/// What comparing a run with its baseline came to, in one line.
pub fn to_line(comparison: &Comparison) -> String {
    let first = comparison.reasons.first().map_or("", String::as_str);
    let more = match comparison.reasons.len() {
        0 | 1 => String::new(),
        reasons => format!(" (and {} more)", reasons - 1),
    };
    let what = match comparison.outcome {
        Judgement::Pass => "no regression",
        Judgement::Fail => "REGRESSION",
        Judgement::Unknown => "can not be compared",
    };
    let baseline = comparison.a.split(", ").next().unwrap_or_default();
    format!("against {baseline}: {what}: {first}{more}")
}

fn row(out: &mut String, pair: &Pair) {
    let change = match pair.change {
        Change::Regression => "WORSE",
        Change::Improvement => "better",
        Change::WithinNoise => "",
        Change::NotSupported => "too few",
        Change::Missing => "MISSING",
    };
    let [a, b] = [&pair.a, &pair.b].map(|estimate| cell(estimate.as_ref(), pair.unit));
    let line = format!(
        "  {:<width$}{a:>30}{b:>30}{:>10}  {change}",
        cut(&pair.name, NAME - 3),
        relative(pair),
        width = NAME - 2
    );
    let _ = writeln!(out, "{}", line.trim_end());
}

fn cell(estimate: Option<&Estimate>, unit: Unit) -> String {
    let Some(estimate) = estimate else {
        return "n/a".to_owned();
    };
    let known = |end: Option<f64>| end.map_or_else(|| "?".to_owned(), |value| figure(value, unit));
    format!(
        "{} ({}..{})",
        figure(estimate.value, unit),
        bare(&known(estimate.low)),
        bare(&known(estimate.high))
    )
}

/// Inside the brackets, spaces would only push the columns apart.
fn bare(text: &str) -> String {
    text.replace(' ', "")
}

fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Milliseconds => duration(value),
        Unit::PerSecond => grouped(value as u64),
        Unit::Share => percent(value),
    }
}

/// A share in percent: as many digits as it takes to tell small ones apart.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        p if p < 0.01 => format!("{p:.1e} %"),
        p if p < 1.0 => format!("{p:.3} %"),
        p if p.fract() == 0.0 => format!("{p:.0} %"),
        p => format!("{p:.1} %"),
    }
}

fn relative(pair: &Pair) -> String {
    match pair.relative {
        Some(change) if change.abs() >= 10.0 => format!("x{:.0}", change + 1.0),
        Some(change) => format!("{:+.1} %", change * 100.0),
        None => String::new(),
    }
}

/// One figure that decides, in a sentence.
pub(super) fn sentence(stage: &str, pair: &Pair) -> String {
    let [a, b] = [&pair.a, &pair.b].map(|estimate| cell(estimate.as_ref(), pair.unit));
    match pair.change {
        Change::Missing => format!("{stage}: {} is missing: A has {a}, B has {b}", pair.name),
        _ => format!("{stage}: {} went from {a} to {b}", pair.name),
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}
