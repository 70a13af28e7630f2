//! `verdict.json` and its JSON Schema.

use crate::record::RunFolder;
use crate::verdict::outcome::{SCHEMA, Verdict};
use anyhow::{Context, Result, ensure};
use schemars::generate::SchemaSettings;

/// The verdict as JSON, pretty-printed, with a newline at its end.
///
/// # Errors
/// Never for a verdict that was judged.
pub fn to_json(verdict: &Verdict) -> Result<String> {
    Ok(serde_json::to_string_pretty(verdict)? + "\n")
}

/// Reads the verdict that was written into the folder.
///
/// # Errors
/// When there is none, or one of another schema.
pub fn read_verdict(folder: &RunFolder) -> Result<Verdict> {
    let path = folder.path().join("verdict.json");
    let advice = || {
        format!(
            "cannot read {}: `verifier judge {}` makes it",
            path.display(),
            folder.path().display()
        )
    };
    let verdict: Verdict =
        serde_json::from_slice(&std::fs::read(&path).with_context(advice)?).with_context(advice)?;
    ensure!(
        verdict.schema == SCHEMA,
        "{} is of schema {:?}, not {SCHEMA}",
        path.display(),
        verdict.schema
    );
    Ok(verdict)
}

/// The JSON Schema of `verdict/1`, as published in `verifier/schema/verdict-1.schema.json`. It is of
/// what is written, so that every field is required: an unknown figure is `null`, never absent.
///
/// # Errors
/// Never.
pub fn schema() -> Result<String> {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let schema = generator.into_root_schema_for::<Verdict>();
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
