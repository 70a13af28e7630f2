//! Holds the committed artifact to what training gives, and the serving kernel to linfa's.

use super::*;
use crate::model::{BUILT_IN, Model};
use proptest::prelude::*;

#[test]
fn the_committed_artifact_is_what_training_gives() {
    let trained = train().unwrap();
    let committed = Artifact::from_json(BUILT_IN).unwrap();
    let flat = |a: &Artifact| {
        [
            a.weights.concat(),
            a.intercepts.clone(),
            a.scaling.mean.clone(),
            a.scaling.standard_deviation.clone(),
        ]
        .concat()
    };
    for (ours, theirs) in flat(&trained).iter().zip(flat(&committed)) {
        // Another processor may sum in another order; the solver stops at a gradient of 1e-8.
        assert!(
            (ours - theirs).abs() < 1e-5,
            "{ours} against {theirs}: run `iris-prediction-api train`"
        );
    }
    assert_eq!(trained.metrics, committed.metrics);
    assert_eq!(trained.training, committed.training);
    assert_eq!(trained.ranges, committed.ranges);
    assert_eq!(
        committed.model_version,
        format!("{RELEASE}+{}", content_hash(&committed))
    );
}

#[test]
fn training_is_deterministic_and_good_enough() {
    let once = train().unwrap();
    assert_eq!(once, train().unwrap());
    assert!(once.metrics.cv_accuracy >= REQUIRED_ACCURACY);
    let judged: u32 = once.metrics.cv_confusion_matrix.concat().iter().sum();
    assert_eq!(judged as usize, 150 * REPEATS);
}

#[test]
fn both_typos_are_corrected_and_nothing_else_is_touched() {
    let (raw, corrected) = (linfa_datasets::iris(), data::flowers().unwrap());
    let changed: Vec<usize> = (0..150)
        .filter(|row| raw.records.row(*row) != corrected.features.row(*row))
        .collect();
    assert_eq!(changed, [34, 37]);
    assert_eq!(corrected.features.row(34).to_vec(), [4.9, 3.1, 1.5, 0.2]);
    assert_eq!(corrected.features.row(37).to_vec(), [4.9, 3.6, 1.4, 0.1]);
}

#[test]
fn the_artifact_names_the_crates_that_made_it() {
    let lock = include_str!("../../../../Cargo.lock");
    let made_by = provenance(&data::flowers().unwrap());
    for (name, version) in [
        ("linfa", &made_by.linfa),
        ("linfa-logistic", &made_by.linfa_logistic),
    ] {
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")),
            "{name} {version}"
        );
    }
}

fn twins() -> (Fitted, Model) {
    let flowers = data::flowers().unwrap();
    let fitted = Fitted::to(&flowers).unwrap();
    let metrics = train().unwrap().metrics;
    let model = Model::from(&artifact(&flowers, &fitted, metrics));
    (fitted, model)
}

proptest! {
    /// A flower, and the whole width that the API answers.
    #[test]
    fn the_kernel_equals_linfa(
        flowers in prop::collection::vec(prop_oneof![[0.0..10.0, 0.0..10.0, 0.0..10.0, 0.0..10.0], [0.0..1e3, 0.0..1e3, 0.0..1e3, 0.0..1e3]], 256)
    ) {
        thread_local!(static TWINS: (Fitted, Model) = twins());
        TWINS.with(|(fitted, model)| {
            for flower in &flowers {
                let input = Array2::from_shape_vec((1, 4), flower.to_vec()).unwrap();
                let expected = fitted.regression.predict_probabilities(&fitted.standardise(&input));
                for (ours, theirs) in model.probabilities(flower).iter().zip(&expected) {
                    prop_assert!((ours - theirs).abs() <= 1e-12, "{flower:?}: {ours} against {theirs}");
                }
            }
            Ok(())
        })?;
    }
}
