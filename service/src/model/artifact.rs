//! A trained model as reviewed JSON: its shape, and every rule that a text must keep to be loaded.

use serde::{Deserialize, Serialize};

use super::{CLASS_COUNT, CLASS_NAMES, FEATURE_COUNT, FEATURE_NAMES, Features, Model};

/// The version of the shape below.
pub const SCHEMA_VERSION: u32 = 1;

/// A trained model and how it came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// Version of this shape; another is refused.
    pub schema_version: u32,
    /// Release and content hash, e.g. `1.0.0+1f0c2ab9`; each answer carries it.
    pub model_version: String,
    /// Names of the features, in order.
    pub features: Vec<String>,
    /// Names of the classes, in order of class ids.
    pub classes: Vec<String>,
    /// How features are standardised before they meet the weights.
    pub scaling: Scaling,
    /// One row per feature, one column per class.
    pub weights: Vec<Vec<f64>>,
    /// One per class.
    pub intercepts: Vec<f64>,
    /// Range of each feature in the training data, in cm.
    pub ranges: Vec<Range>,
    /// How good it was found to be.
    pub metrics: Metrics,
    /// How it was made.
    pub training: Provenance,
}

/// Standardisation: `(x - mean) / standard_deviation`, per feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Means in cm.
    pub mean: Vec<f64>,
    /// Standard deviations in cm (of the population), each above zero.
    pub standard_deviation: Vec<f64>,
}

/// Smallest and largest value seen in training, in cm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// Measured quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Share of right answers over all folds and repeats of the cross-validation.
    pub cv_accuracy: f64,
    /// The same, per repeat of the cross-validation.
    pub cv_accuracy_per_repeat: Vec<f64>,
    /// Cross-validated counts: row is the true class, column the predicted one.
    pub cv_confusion_matrix: Vec<Vec<u32>>,
    /// Share of right answers on the training data itself.
    pub train_accuracy: f64,
}

/// How the model was made; enough to make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The algorithm in words.
    pub algorithm: String,
    /// Where the data came from, and what was corrected in it.
    pub data: String,
    /// SHA-256 of the corrected data, one `a,b,c,d,class` line per flower.
    pub data_sha256: String,
    /// Flowers.
    pub rows: usize,
    /// L2 penalty.
    pub alpha: f64,
    /// Where the solver stops.
    pub gradient_tolerance: f64,
    /// Bound on the solver's iterations.
    pub max_iterations: u64,
    /// Folds of the stratified cross-validation.
    pub folds: usize,
    /// How often the cross-validation is done, each time with another shuffle.
    pub repeats: usize,
    /// Seed of the first shuffle; each repeat adds one.
    pub shuffle_seed: u64,
    /// Version of crate `linfa`.
    pub linfa: String,
    /// Version of crate `linfa-logistic`.
    pub linfa_logistic: String,
}

/// Why an artifact is not served.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ArtifactError {
    /// The text is not JSON of this shape.
    #[error("not a model artifact: {0}; write one with `iris-prediction-api train --output PATH`")]
    Shape(String),
    /// Written for another version of the service.
    #[error(
        "schema_version is {0}, this service reads {SCHEMA_VERSION}; \
         train the model again with this version of the service"
    )]
    Schema(u32),
    /// A field breaks its rule.
    #[error("{field} {problem}; correct it or train the model again")]
    Field {
        /// Path of the field, e.g. `weights[2]`.
        field: String,
        /// What is wrong with it, as the rest of a sentence.
        problem: String,
    },
    /// The numbers are valid and the model is bad.
    #[error("a known {expected} {features:?} is predicted as {got}; train the model again")]
    KnownFlower {
        /// Its measurements.
        features: Features,
        /// What it is.
        expected: &'static str,
        /// What the model said.
        got: &'static str,
    },
}

impl Artifact {
    /// Reads and judges an artifact's text.
    ///
    /// # Errors
    /// The first rule that is broken, and where.
    pub fn from_json(text: &str) -> Result<Artifact, ArtifactError> {
        #[derive(Deserialize)]
        struct Head {
            schema_version: u32,
        }
        // The version first: another schema would only fail on some field that it lacks.
        let shape = |error: serde_json::Error| ArtifactError::Shape(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(shape)?;
        if head.schema_version != SCHEMA_VERSION {
            return Err(ArtifactError::Schema(head.schema_version));
        }
        let artifact: Artifact = serde_json::from_str(text).map_err(shape)?;
        artifact.validate()?;
        Ok(artifact)
    }

    fn validate(&self) -> Result<(), ArtifactError> {
        let version = &self.model_version;
        if version.is_empty()
            || version.len() > 100
            || !version.bytes().all(|b| b.is_ascii_graphic())
        {
            return wrong(
                "model_version",
                "must be 1 to 100 printable ASCII characters without spaces",
            );
        }
        names("features", &self.features, &FEATURE_NAMES)?;
        names("classes", &self.classes, &CLASS_NAMES)?;
        numbers("scaling.mean", &self.scaling.mean, FEATURE_COUNT)?;
        numbers(
            "scaling.standard_deviation",
            &self.scaling.standard_deviation,
            FEATURE_COUNT,
        )?;
        if let Some(i) = self
            .scaling
            .standard_deviation
            .iter()
            .position(|deviation| *deviation <= 0.0)
        {
            return wrong(
                &format!("scaling.standard_deviation[{i}]"),
                "must be above zero",
            );
        }
        length("weights", self.weights.len(), FEATURE_COUNT)?;
        for (i, row) in self.weights.iter().enumerate() {
            numbers(&format!("weights[{i}]"), row, CLASS_COUNT)?;
        }
        numbers("intercepts", &self.intercepts, CLASS_COUNT)?;
        length("ranges", self.ranges.len(), FEATURE_COUNT)?;
        for (i, range) in self.ranges.iter().enumerate() {
            numbers(&format!("ranges[{i}]"), &[range.min, range.max], 2)?;
            if range.min > range.max {
                return wrong(&format!("ranges[{i}]"), "has its min above its max");
            }
        }
        if !(0.0..=1.0).contains(&self.metrics.cv_accuracy) {
            return wrong("metrics.cv_accuracy", "must lie between 0 and 1");
        }
        Ok(())
    }
}

fn wrong<T>(field: &str, problem: &str) -> Result<T, ArtifactError> {
    Err(ArtifactError::Field {
        field: field.to_owned(),
        problem: problem.to_owned(),
    })
}

fn length(field: &str, got: usize, expected: usize) -> Result<(), ArtifactError> {
    if got == expected {
        return Ok(());
    }
    wrong(field, &format!("has {got} entries, must have {expected}"))
}

fn numbers(field: &str, values: &[f64], expected: usize) -> Result<(), ArtifactError> {
    length(field, values.len(), expected)?;
    match values.iter().position(|value| !value.is_finite()) {
        Some(i) => wrong(&format!("{field}[{i}]"), "is not a finite number"),
        None => Ok(()),
    }
}

fn names(field: &str, got: &[String], expected: &[&str]) -> Result<(), ArtifactError> {
    if got == expected {
        return Ok(());
    }
    wrong(
        field,
        &format!("is {got:?}, must be {expected:?} in this order"),
    )
}

impl From<&Artifact> for Model {
    /// Takes over the numbers; sizes were judged by [`Artifact::from_json`].
    fn from(artifact: &Artifact) -> Model {
        Model {
            mean: std::array::from_fn(|i| artifact.scaling.mean[i]),
            standard_deviation: std::array::from_fn(|i| artifact.scaling.standard_deviation[i]),
            weights: std::array::from_fn(|i| std::array::from_fn(|j| artifact.weights[i][j])),
            intercepts: std::array::from_fn(|j| artifact.intercepts[j]),
            ranges: std::array::from_fn(|i| (artifact.ranges[i].min, artifact.ranges[i].max)),
            version: artifact.model_version.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The error that the built-in artifact gives once `change` is made to it.
    fn broken(change: impl FnOnce(&mut Value)) -> String {
        let mut artifact: Value = serde_json::from_str(super::super::BUILT_IN).unwrap();
        change(&mut artifact);
        Model::from_json(&artifact.to_string())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_broken_rule_is_named_with_its_place() {
        let cases = [
            broken(|a| a["schema_version"] = json!(2)),
            broken(|a| a["model_version"] = json!("")),
            broken(|a| a["features"][0] = json!("sepal length")),
            broken(|a| a["classes"] = json!(["setosa", "virginica", "versicolor"])),
            broken(|a| a["weights"][2] = json!([1.0, 2.0])),
            broken(|a| a["intercepts"] = json!([1.0])),
            broken(|a| a["scaling"]["standard_deviation"][3] = json!(0.0)),
            broken(|a| a["ranges"][1] = json!({"min": 4.0, "max": 2.0})),
            broken(|a| a["weights"].as_array_mut().unwrap().reverse()),
            broken(|a| a["intercepts"][0] = Value::Null),
            broken(|a| drop(a.as_object_mut().unwrap().remove("ranges"))),
        ];
        insta::assert_snapshot!(cases.join("\n"));
    }

    #[test]
    fn text_that_is_no_artifact_is_refused() {
        for text in ["", "{", "[]", "not json", "{\"schema_version\":1}"] {
            assert!(
                matches!(Model::from_json(text), Err(ArtifactError::Shape(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn a_number_beyond_f64_is_refused() {
        let text = super::super::BUILT_IN.replacen("\"min\": 4.3", "\"min\": 1e999", 1);
        assert_ne!(text, super::super::BUILT_IN);
        assert!(matches!(
            Model::from_json(&text),
            Err(ArtifactError::Shape(_))
        ));
    }
}
