//! Three flowers whose species is known: a model that misses one is not fit to serve.

use super::{ArtifactError, CLASS_NAMES, Features, Model};

/// First flower of each species in Fisher's table (rows 1, 51 and 101), and its class id.
const KNOWN_FLOWERS: [(Features, usize); 3] = [
    ([5.1, 3.5, 1.4, 0.2], 0),
    ([7.0, 3.2, 4.7, 1.4], 1),
    ([6.3, 3.3, 6.0, 2.5], 2),
];

impl Model {
    /// Predicts the known flowers; cheap enough for every readiness probe.
    ///
    /// # Errors
    /// Names the flower that was taken for another.
    pub fn recognises_known_flowers(&self) -> Result<(), ArtifactError> {
        for (features, class_id) in KNOWN_FLOWERS {
            let prediction = self.predict(&features);
            if prediction.class_id != class_id {
                return Err(ArtifactError::KnownFlower {
                    features,
                    expected: CLASS_NAMES[class_id],
                    got: prediction.class(),
                });
            }
        }
        Ok(())
    }
}
