//! Fisher's iris table: as the `linfa-datasets` crate carries it, with its two typos corrected.

use ndarray::{Array1, Array2, Axis};
use sha2::{Digest as _, Sha256};

use super::TrainingError;
use crate::model::Features;

pub(super) const DESCRIPTION: &str = "Fisher's iris data (1936), from linfa-datasets 0.8.1 (the UCI file), \
     rows 34 and 37 (from 0) corrected to the published table as scikit-learn did in 0.20";

/// Row (from zero), what the UCI file says, what Fisher's table says.
///
/// R. A. Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7
/// (1936), table I; UCI's own description of the file names both errors.
const CORRECTIONS: [(usize, Features, Features); 2] = [
    (34, [4.9, 3.1, 1.5, 0.1], [4.9, 3.1, 1.5, 0.2]),
    (37, [4.9, 3.1, 1.5, 0.1], [4.9, 3.6, 1.4, 0.1]),
];

/// Flowers and their species.
pub(super) struct Flowers {
    /// One row per flower, in cm.
    pub(super) features: Array2<f64>,
    /// Class ids.
    pub(super) classes: Array1<usize>,
}

/// The corrected table.
pub(super) fn flowers() -> Result<Flowers, TrainingError> {
    let table = linfa_datasets::iris();
    let mut flowers = Flowers {
        features: table.records,
        classes: table.targets,
    };
    for (row, wrong, right) in CORRECTIONS {
        let found = std::array::from_fn(|i| flowers.features[[row, i]]);
        if found != wrong {
            return Err(TrainingError::Data {
                row,
                found,
                expected: wrong,
            });
        }
        for (i, value) in right.into_iter().enumerate() {
            flowers.features[[row, i]] = value;
        }
    }
    Ok(flowers)
}

impl Flowers {
    pub(super) fn len(&self) -> usize {
        self.classes.len()
    }

    pub(super) fn select(&self, rows: &[usize]) -> Flowers {
        Flowers {
            features: self.features.select(Axis(0), rows),
            classes: self.classes.select(Axis(0), rows),
        }
    }

    /// SHA-256 over one line per flower: four measurements and the class id, joined by commas.
    pub(super) fn sha256(&self) -> String {
        let mut digest = Sha256::new();
        for (row, class) in self.features.rows().into_iter().zip(&self.classes) {
            digest.update(format!(
                "{},{},{},{},{class}\n",
                row[0], row[1], row[2], row[3]
            ));
        }
        hex(&digest.finalize())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
