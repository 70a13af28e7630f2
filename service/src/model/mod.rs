//! Takes four measurements in cm, gives the probability of each class. Pure: no HTTP, no I/O.

mod artifact;
mod features;
mod known;
pub mod training;

pub use artifact::{Artifact, ArtifactError};
pub use features::{CLASS_COUNT, CLASS_NAMES, FEATURE_COUNT, FEATURE_NAMES, Features, OutOfRange};

/// The artifact that is built in: made by `iris-prediction-api train`, reviewed, committed.
const BUILT_IN: &str = include_str!("iris.json");

/// A multinomial logistic regression, ready to predict: fixed sizes, no allocation.
#[derive(Clone, Debug)]
pub struct Model {
    mean: Features,
    standard_deviation: Features,
    weights: [[f64; CLASS_COUNT]; FEATURE_COUNT],
    intercepts: [f64; CLASS_COUNT],
    ranges: [(f64, f64); FEATURE_COUNT],
    version: String,
}

/// What the model says about one flower.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Index of the most probable class in [`CLASS_NAMES`].
    pub class_id: usize,
    /// Probability of each class; they sum to one.
    pub probabilities: [f64; CLASS_COUNT],
}

impl Prediction {
    /// Name of the most probable class.
    pub fn class(&self) -> &'static str {
        CLASS_NAMES[self.class_id]
    }

    /// Probability of the most probable class.
    pub fn confidence(&self) -> f64 {
        self.probabilities[self.class_id]
    }
}

impl Model {
    /// The model that is built in.
    ///
    /// # Errors
    /// None in a released binary: a test loads it.
    pub fn built_in() -> Result<Model, ArtifactError> {
        Model::from_json(BUILT_IN)
    }

    /// Reads and judges an artifact's text.
    ///
    /// # Errors
    /// Says what is wrong, at which field, and what to do.
    pub fn from_json(text: &str) -> Result<Model, ArtifactError> {
        let model = Model::from(&Artifact::from_json(text)?);
        model.recognises_known_flowers()?;
        Ok(model)
    }

    /// Version of the artifact, e.g. `1.0.0+1f0c2ab9`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Probability of each class: softmax of `intercept + standardised features x weights`.
    ///
    /// The largest logit is subtracted first, so that no finite input overflows.
    #[inline]
    pub fn probabilities(&self, features: &Features) -> [f64; CLASS_COUNT] {
        let mut logits = self.intercepts;
        for (i, feature) in features.iter().enumerate() {
            let standardised = (feature - self.mean[i]) / self.standard_deviation[i];
            for (logit, weight) in logits.iter_mut().zip(&self.weights[i]) {
                *logit += standardised * weight;
            }
        }
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exponentials = logits.map(|logit| (logit - largest).exp());
        let sum: f64 = exponentials.iter().sum();
        exponentials.map(|exponential| exponential / sum)
    }

    /// The most probable class and the probability of each; of equals the first.
    #[inline]
    pub fn predict(&self, features: &Features) -> Prediction {
        let probabilities = self.probabilities(features);
        let mut class_id = 0;
        for candidate in 1..CLASS_COUNT {
            if probabilities[candidate] > probabilities[class_id] {
                class_id = candidate;
            }
        }
        Prediction {
            class_id,
            probabilities,
        }
    }

    /// Which features lie outside what the model has seen in training.
    #[inline]
    pub fn out_of_range(&self, features: &Features) -> OutOfRange {
        OutOfRange::of(features, &self.ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_loads_and_knows_its_version() {
        let model = Model::built_in().unwrap();
        assert!(model.version().starts_with("1.0.0+"), "{}", model.version());
    }

    #[test]
    fn probabilities_sum_to_one_even_far_away() {
        let model = Model::built_in().unwrap();
        for features in [
            [0.0; 4],
            [1e3; 4],
            [1e300, 0.0, 1e300, 0.0],
            [5.1, 3.5, 1.4, 0.2],
        ] {
            let probabilities = model.probabilities(&features);
            let sum: f64 = probabilities.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "{features:?}: {probabilities:?}");
        }
    }

    #[test]
    fn features_beyond_training_are_named() {
        let model = Model::built_in().unwrap();
        assert_eq!(model.out_of_range(&[5.1, 3.5, 1.4, 0.2]).names(), "");
        assert_eq!(
            model.out_of_range(&[50.0, 3.5, 0.1, 0.2]).names(),
            "sepal_length,petal_length"
        );
    }
}
