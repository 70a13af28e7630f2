//! Takes Fisher's iris table, gives a judged artifact: cross-validated first, then fitted to all.

mod data;
mod folds;

use linfa::Dataset;
use linfa::prelude::{Fit as _, Predict as _};
use linfa_logistic::{MultiFittedLogisticRegression, MultiLogisticRegression};
use ndarray::{Array1, Array2, Axis};
use sha2::{Digest as _, Sha256};

use super::artifact::{Metrics, Provenance, Range, SCHEMA_VERSION, Scaling};
use super::{Artifact, CLASS_COUNT, CLASS_NAMES, FEATURE_NAMES};
use data::Flowers;

/// A model below this cross-validated accuracy is not written.
pub const REQUIRED_ACCURACY: f64 = 0.96;

const RELEASE: &str = "1.0.0";
const ALPHA: f64 = 0.1;
const GRADIENT_TOLERANCE: f64 = 1e-8;
const MAX_ITERATIONS: u64 = 1_000;
const FOLDS: usize = 5;
/// One shuffle of 150 flowers moves the accuracy by a percent; ten shuffles agree with each other.
const REPEATS: usize = 10;
const SHUFFLE_SEED: u64 = 1936; // The year of Fisher's paper.

/// Counts: row is the true class, column the predicted one.
type Confusion = [[u32; CLASS_COUNT]; CLASS_COUNT];

/// Why no artifact came out.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The data set is not the one whose errors we correct.
    #[error(
        "row {row} of the iris data is {found:?}, expected {expected:?}; the data set has changed, review training/data.rs"
    )]
    Data {
        /// Row, from zero.
        row: usize,
        /// What is there.
        found: [f64; 4],
        /// What was expected.
        expected: [f64; 4],
    },
    /// The solver gave up.
    #[error("the logistic regression did not fit: {0}")]
    Fit(#[from] linfa_logistic::error::Error),
    /// The model is not good enough.
    #[error(
        "cross-validated accuracy is {accuracy:.4}, required are {REQUIRED_ACCURACY}; nothing was written"
    )]
    Accuracy {
        /// What was reached.
        accuracy: f64,
    },
}

/// Trains on the corrected iris data; the same every time.
///
/// # Errors
/// The data is not the expected, the solver fails, or the accuracy is below [`REQUIRED_ACCURACY`].
pub fn train() -> Result<Artifact, TrainingError> {
    let flowers = data::flowers()?;
    let (accuracies, confusion) = cross_validate(&flowers)?;
    let right: u32 = (0..CLASS_COUNT).map(|class| confusion[class][class]).sum();
    let accuracy = f64::from(right) / (flowers.len() * REPEATS) as f64;
    if accuracy < REQUIRED_ACCURACY {
        return Err(TrainingError::Accuracy { accuracy });
    }
    let fitted = Fitted::to(&flowers)?;
    let metrics = Metrics {
        cv_accuracy: accuracy,
        cv_accuracy_per_repeat: accuracies,
        cv_confusion_matrix: confusion.iter().map(|row| row.to_vec()).collect(),
        train_accuracy: share_of_right(&fitted.classes(&flowers), &flowers.classes),
    };
    Ok(artifact(&flowers, &fitted, metrics))
}

/// Accuracy per repeat, and the confusion matrix over all of them.
fn cross_validate(flowers: &Flowers) -> Result<(Vec<f64>, Confusion), TrainingError> {
    let mut confusion = [[0; CLASS_COUNT]; CLASS_COUNT];
    let mut accuracies = Vec::with_capacity(REPEATS);
    for repeat in 0..REPEATS {
        let fold_of = folds::stratified(&flowers.classes, FOLDS, SHUFFLE_SEED + repeat as u64);
        let mut guesses = flowers.classes.clone();
        for fold in 0..FOLDS {
            let (held_out, rest): (Vec<usize>, Vec<usize>) =
                (0..flowers.len()).partition(|row| fold_of[*row] == fold);
            // Scaling belongs to the fit: a fold's mean must not leak into its own training.
            let fitted = Fitted::to(&flowers.select(&rest))?;
            let predicted = fitted.classes(&flowers.select(&held_out));
            held_out
                .iter()
                .zip(predicted)
                .for_each(|(row, guess)| guesses[*row] = guess);
        }
        accuracies.push(share_of_right(&guesses, &flowers.classes));
        for (truth, guess) in flowers.classes.iter().zip(&guesses) {
            confusion[*truth][*guess] += 1;
        }
    }
    Ok((accuracies, confusion))
}

fn share_of_right(predicted: &Array1<usize>, truth: &Array1<usize>) -> f64 {
    let right = predicted
        .iter()
        .zip(truth)
        .filter(|(guess, truth)| guess == truth)
        .count();
    right as f64 / truth.len() as f64
}

/// A fitted regression with the standardisation that it was fitted under.
struct Fitted {
    mean: Array1<f64>,
    standard_deviation: Array1<f64>,
    regression: MultiFittedLogisticRegression<f64, usize>,
}

impl Fitted {
    fn to(flowers: &Flowers) -> Result<Fitted, TrainingError> {
        let mean = flowers.features.sum_axis(Axis(0)) / flowers.len() as f64;
        let standard_deviation = flowers.features.std_axis(Axis(0), 0.0);
        let standardised = (&flowers.features - &mean) / &standard_deviation;
        let regression = MultiLogisticRegression::default()
            .alpha(ALPHA)
            .gradient_tolerance(GRADIENT_TOLERANCE)
            .max_iterations(MAX_ITERATIONS)
            .fit(&Dataset::new(standardised, flowers.classes.clone()))?;
        Ok(Fitted {
            mean,
            standard_deviation,
            regression,
        })
    }

    fn standardise(&self, features: &Array2<f64>) -> Array2<f64> {
        (features - &self.mean) / &self.standard_deviation
    }

    fn classes(&self, flowers: &Flowers) -> Array1<usize> {
        self.regression
            .predict(&self.standardise(&flowers.features))
    }
}

fn artifact(flowers: &Flowers, fitted: &Fitted, metrics: Metrics) -> Artifact {
    let column = |i: usize| flowers.features.column(i).to_vec();
    let range = |i: usize| Range {
        min: column(i).into_iter().fold(f64::INFINITY, f64::min),
        max: column(i).into_iter().fold(f64::NEG_INFINITY, f64::max),
    };
    let mut artifact = Artifact {
        schema_version: SCHEMA_VERSION,
        model_version: RELEASE.to_owned(),
        features: FEATURE_NAMES.map(str::to_owned).to_vec(),
        classes: CLASS_NAMES.map(str::to_owned).to_vec(),
        scaling: Scaling {
            mean: fitted.mean.to_vec(),
            standard_deviation: fitted.standard_deviation.to_vec(),
        },
        weights: fitted
            .regression
            .params()
            .rows()
            .into_iter()
            .map(|row| row.to_vec())
            .collect(),
        intercepts: fitted.regression.intercept().to_vec(),
        ranges: (0..FEATURE_NAMES.len()).map(range).collect(),
        metrics,
        training: provenance(flowers),
    };
    artifact.model_version = format!("{RELEASE}+{}", content_hash(&artifact));
    artifact
}

fn provenance(flowers: &Flowers) -> Provenance {
    Provenance {
        algorithm: "multinomial logistic regression, L-BFGS, L2 penalty, standardised features"
            .to_owned(),
        data: data::DESCRIPTION.to_owned(),
        data_sha256: flowers.sha256(),
        rows: flowers.len(),
        alpha: ALPHA,
        gradient_tolerance: GRADIENT_TOLERANCE,
        max_iterations: MAX_ITERATIONS,
        folds: FOLDS,
        repeats: REPEATS,
        shuffle_seed: SHUFFLE_SEED,
        linfa: "0.8.1".to_owned(),
        linfa_logistic: "0.8.1".to_owned(),
    }
}

/// First eight hex digits of the SHA-256 of what decides an answer.
fn content_hash(artifact: &Artifact) -> String {
    let decides = format!(
        "{:?}",
        (
            &artifact.classes,
            &artifact.features,
            &artifact.scaling,
            &artifact.weights,
            &artifact.intercepts
        )
    );
    data::hex(&Sha256::digest(decides))[..8].to_owned()
}

#[cfg(test)]
mod tests;
