//! Two runs side by side: each figure with its interval, and which of them got worse by more than noise.

mod baseline;
mod figures;
mod interval;
mod sides;
mod text;

pub use baseline::{Baseline, to_html};
pub use figures::{Better, Unit};
pub use interval::{BATCHES, CONFIDENCE, Estimate};
pub use sides::Side;
pub use text::{to_line, to_text};

use super::outcome::Judgement;
use figures::Figure;
use serde::{Deserialize, Serialize};

/// Name and version of what `verifier compare --json` prints.
pub const SCHEMA: &str = "compare/1";

/// A change up to this share is noise, where nobody says otherwise.
pub const NOISE: f64 = 0.05;

/// What a figure, beside its other, comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Worse by more than noise, and the intervals lie apart.
    Regression,
    /// Better by more than noise, and the intervals lie apart.
    Improvement,
    /// Neither.
    WithinNoise,
    /// Both runs have samples, and both too few for this percentile.
    NotSupported,
    /// One run has it and the other has not, or neither has any sample.
    Missing,
}

/// One figure of both runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// What it is.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// Which way it is better.
    pub better: Better,
    /// Of the first run.
    pub a: Option<Estimate>,
    /// Of the second.
    pub b: Option<Estimate>,
    /// `b / a - 1`; `null` where `a` is zero or one is missing.
    pub relative: Option<f64>,
    /// What it comes to.
    pub change: Change,
}

/// One stage of both runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StagePair {
    /// Name, the same in both.
    pub name: String,
    /// Its figures.
    pub figures: Vec<Pair>,
}

/// What comparing comes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// `compare/1`.
    pub schema: String,
    /// `pass`: no regression; `fail`: one at least; `unknown`: the runs can not be compared, or something is missing.
    pub outcome: Judgement,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// A change up to this share is noise.
    pub noise: f64,
    /// Confidence of each interval.
    pub confidence: f64,
    /// The first run: its name, plan, begin and verdict.
    pub a: String,
    /// The second.
    pub b: String,
    /// The stages that both have, in the first one's order.
    pub stages: Vec<StagePair>,
}

/// Holds the second run against the first. `noise` is a share: 0.05 for 5 %. A figure regressed when it is worse by
/// more than that and its interval lies wholly on the worse side of the other's.
pub fn compare(a: &Side, b: &Side, noise: f64) -> Comparison {
    let mut unfit = a.unfit("A");
    unfit.extend(b.unfit("B"));
    unfit.extend(a.differences(b));
    let stages: Vec<StagePair> = a.pairs(b, |a, b| pair(a, b, noise));
    let named = |change: Change| -> Vec<String> {
        let all = stages
            .iter()
            .flat_map(|s| s.figures.iter().map(move |p| (s, p)));
        let of_change = all.filter(|(_, pair)| pair.change == change);
        of_change
            .map(|(stage, pair)| text::sentence(&stage.name, pair))
            .collect()
    };
    let (worse, missing) = (named(Change::Regression), named(Change::Missing));
    let outcome = if !unfit.is_empty() || stages.is_empty() {
        Judgement::Unknown
    } else if !worse.is_empty() {
        Judgement::Fail
    } else if !missing.is_empty() {
        Judgement::Unknown
    } else {
        Judgement::Pass
    };
    let mut reasons = unfit;
    reasons.extend(worse);
    reasons.extend(missing);
    if reasons.is_empty() {
        reasons.push(format!(
            "no figure is worse by more than {} and beyond its interval",
            text::percent(noise)
        ));
    }
    Comparison {
        schema: SCHEMA.to_owned(),
        outcome,
        reasons,
        noise,
        confidence: CONFIDENCE,
        a: a.title(),
        b: b.title(),
        stages,
    }
}

fn pair(a: &Figure, b: &Figure, noise: f64) -> Pair {
    let relative = match (&a.estimate, &b.estimate) {
        (Some(a), Some(b)) if a.value != 0.0 => Some(b.value / a.value - 1.0),
        _ => None,
    };
    Pair {
        name: a.name.clone(),
        unit: a.unit,
        better: a.better,
        a: a.estimate,
        b: b.estimate,
        relative,
        change: change(a, b, noise),
    }
}

fn change(a: &Figure, b: &Figure, noise: f64) -> Change {
    let (before, after) = match (&a.estimate, &b.estimate) {
        (Some(before), Some(after)) => (before, after),
        (None, None) if a.any && b.any => return Change::NotSupported,
        _ => return Change::Missing,
    };
    // Seen from the worse side: which run's interval lies above the other's, and by how much its figure does.
    let beyond =
        |high: &Estimate, low: &Estimate| high.above(low) && high.value > low.value * (1.0 + noise);
    let beneath =
        |low: &Estimate, high: &Estimate| high.above(low) && low.value < high.value * (1.0 - noise);
    let (worse, better) = match a.better {
        Better::Lower => (beyond(after, before), beneath(after, before)),
        Better::Higher => (beneath(after, before), beyond(after, before)),
    };
    match (worse, better) {
        (true, _) => Change::Regression,
        (_, true) => Change::Improvement,
        _ => Change::WithinNoise,
    }
}
