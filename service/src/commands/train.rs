//! `train`: trains the model, prints the judgement, writes the artifact.

use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use crate::commands::serve;
use crate::config::{ServeArgs, TelemetryEnvironment, TrainArgs, environment};
use crate::logs;
use crate::model::{Artifact, training};
use crate::telemetry::{Exporter, Telemetry};

/// Trains, and returns what to print.
///
/// # Errors
/// The accuracy is not reached, or the artifact can not be written.
pub fn run(args: &TrainArgs) -> anyhow::Result<String> {
    let artifact = traced(training::train)?;
    let mut report = judgement(&artifact);
    if let Some(path) = &args.output {
        let json = serde_json::to_string_pretty(&artifact)? + "\n";
        fs::write(path, json)
            .with_context(|| format!("cannot write the artifact to {}", path.display()))?;
        writeln!(report, "\nwritten to {}", path.display())?;
    }
    Ok(report)
}

/// Trains inside a span of its own, if the environment names somewhere to export it to.
fn traced<T, E>(train: impl FnOnce() -> Result<T, E>) -> anyhow::Result<T>
where
    anyhow::Error: From<E>,
{
    let args = ServeArgs::from_environment()?;
    let environment = TelemetryEnvironment::read(&args, &environment)?;
    if matches!(environment.config.exporter, Exporter::None { .. }) {
        return Ok(train()?);
    }
    let spans = logs::init(serve::log_options(&args, environment.log_level))?;
    let telemetry = Telemetry::start(&environment.config)?;
    spans.go_to(telemetry.tracer_provider())?;
    let trained = tracing::info_span!("training").in_scope(train);
    telemetry.shutdown(environment.config.flush_timeout);
    Ok(trained?)
}

fn judgement(artifact: &Artifact) -> String {
    let (metrics, training) = (&artifact.metrics, &artifact.training);
    let per_repeat = metrics.cv_accuracy_per_repeat.iter();
    let (least, most) = per_repeat.fold((1.0_f64, 0.0_f64), |(least, most), accuracy| {
        (least.min(*accuracy), most.max(*accuracy))
    });
    let mut lines = vec![
        format!("model {}: {}", artifact.model_version, training.algorithm),
        format!(
            "trained on {} flowers, sha256 {}",
            training.rows, training.data_sha256
        ),
        format!(
            "stratified {}-fold cross-validation, {} shuffles: accuracy {:.4} (from {least:.4} to {most:.4}, required {:.2})",
            training.folds,
            training.repeats,
            metrics.cv_accuracy,
            training::REQUIRED_ACCURACY
        ),
        format!(
            "accuracy on the training data: {:.4}",
            metrics.train_accuracy
        ),
        String::new(),
        "confusion matrix of the cross-validation (rows: truth, columns: prediction)".to_owned(),
        row("", artifact.classes.iter()),
    ];
    for (class, counts) in artifact.classes.iter().zip(&metrics.cv_confusion_matrix) {
        lines.push(row(class, counts.iter()));
    }
    lines.join("\n") + "\n"
}

fn row<T: std::fmt::Display>(name: &str, cells: impl Iterator<Item = T>) -> String {
    cells.fold(format!("{name:<12}"), |row, cell| {
        row + &format!("{:>12}", cell.to_string())
    })
}
