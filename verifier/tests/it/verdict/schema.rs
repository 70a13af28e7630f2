//! The published schema of `verdict.json`.

use super::builder::Run;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::fs;
use std::sync::LazyLock;
use verifier::verdict::{schema, to_json};

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/verdict-1.schema.json");

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::validator_for(&serde_json::from_str(&schema().unwrap()).unwrap()).unwrap()
});

pub(super) fn assert_valid(verdict: &str) {
    let verdict = serde_json::from_str(verdict).unwrap();
    let errors: Vec<String> = VALIDATOR
        .iter_errors(&verdict)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// `UPDATE_SCHEMA=1 cargo test -p verifier --test it schema` writes it anew.
#[test]
fn the_published_schema_is_the_one_that_verdicts_follow() {
    let schema = schema().unwrap();
    if std::env::var_os("UPDATE_SCHEMA").is_some_and(|value| value == "1") {
        fs::write(PUBLISHED, &schema).unwrap();
    }
    let published = fs::read_to_string(PUBLISHED).unwrap();
    assert!(
        published == schema,
        "{PUBLISHED} is stale: UPDATE_SCHEMA=1 writes it anew"
    );
}

#[test]
fn a_damaged_verdict_does_not_validate() {
    let whole: Value = serde_json::from_str(&to_json(&Run::of(20).judge()).unwrap()).unwrap();
    assert!(VALIDATOR.is_valid(&whole));
    for (place, value) in [
        ("/schema", json!("verdict/2")),
        ("/outcome", json!("maybe")),
        ("/reasons", json!("all is well")),
        ("/run/whole", Value::Null),
        ("/checks/0/outcome", json!("PASS")),
        ("/checks/1/evidence/0", json!(1)),
        ("/stages/0/kind", json!("wave")),
        ("/stages/0/exchanges/planned", json!(-1)),
        ("/stages/0/exchanges/ok", json!(0.5)),
        ("/stages/0/latency_ms/n", Value::Null),
        ("/stages/0/latency_ms/p50", json!("1.5 ms")),
        ("/stages/0/traces/coverage", json!(1.5)),
        ("/stages/0/spans_ms/model_inference", Value::Null),
    ] {
        let mut damaged = whole.clone();
        *damaged.pointer_mut(place).unwrap() = value;
        assert!(!VALIDATOR.is_valid(&damaged), "{place}");
    }
}

/// An unknown figure is `null`; one that is not there at all is an error.
#[test]
fn every_field_is_required() {
    let whole: Value = serde_json::from_str(&to_json(&Run::of(20).judge()).unwrap()).unwrap();
    for place in [
        "",
        "/run",
        "/checks/0",
        "/stages/0",
        "/stages/0/exchanges",
        "/stages/0/latency_ms",
        "/stages/0/traces",
        "/stages/0/spans_ms/model_inference",
        "/stages/0/error_spans",
        "/stages/0/generator",
        "/receiver",
        "/clocks/0",
    ] {
        let fields = whole.pointer(place).unwrap().as_object().unwrap();
        for field in fields.keys() {
            let mut damaged = whole.clone();
            let object = damaged.pointer_mut(place).unwrap().as_object_mut().unwrap();
            object.remove(field);
            assert!(!VALIDATOR.is_valid(&damaged), "{place}/{field}");
        }
    }
}

/// What older versions wrote lacks what was added since: it can be shown all the same.
#[test]
fn a_verdict_of_before_is_read() {
    let written = Run::of(20).write();
    written.judge();
    let mut verdict: Value = serde_json::from_str(&written.text("verdict.json")).unwrap();
    verdict.as_object_mut().unwrap().remove("warnings");
    let stage = verdict["stages"][0].as_object_mut().unwrap();
    for field in ["requested_per_second", "tasks", "replicas"] {
        assert!(stage.remove(field).is_some(), "{field}");
    }
    for field in ["workers", "turn_ms"] {
        let generator = stage["generator"].as_object_mut().unwrap();
        assert!(generator.remove(field).is_some(), "{field}");
    }
    let path = written.folder.path().join("verdict.json");
    fs::write(path, verdict.to_string()).unwrap();
    let read = verifier::verdict::read_verdict(&written.folder).unwrap();
    assert!(read.stages[0].tasks.is_empty() && read.warnings.is_empty());
}
