//! Names and order of what goes in and what comes out, and which inputs the model has never seen.

/// Measurements of a flower.
pub const FEATURE_COUNT: usize = 4;

/// Species.
pub const CLASS_COUNT: usize = 3;

/// Names of the measurements, in the order of [`Features`].
pub const FEATURE_NAMES: [&str; FEATURE_COUNT] =
    ["sepal_length", "sepal_width", "petal_length", "petal_width"];

/// Names of the species, in the order of class ids.
pub const CLASS_NAMES: [&str; CLASS_COUNT] = ["setosa", "versicolor", "virginica"];

/// One flower's measurements in cm, ordered as [`FEATURE_NAMES`].
pub type Features = [f64; FEATURE_COUNT];

/// The set of features that lie outside the range of the training data; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutOfRange(u8);

impl OutOfRange {
    pub(super) fn of(features: &Features, ranges: &[(f64, f64); FEATURE_COUNT]) -> OutOfRange {
        let mut bits = 0;
        for (i, (feature, (least, most))) in features.iter().zip(ranges).enumerate() {
            bits |= u8::from(feature < least || feature > most) << i;
        }
        OutOfRange(bits)
    }

    /// No feature is outside.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Features outside in either set.
    #[must_use]
    pub fn union(self, other: OutOfRange) -> OutOfRange {
        OutOfRange(self.0 | other.0)
    }

    /// Names of the features outside, joined by commas.
    pub fn names(self) -> String {
        let outside = FEATURE_NAMES
            .iter()
            .enumerate()
            .filter(|(i, _)| self.0 >> i & 1 == 1);
        outside.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    }
}
