//! The binary as a person or a container runs it.

use std::process::{Command, Output};
use std::{fs, path::Path};

/// The binary with an environment of its own.
fn iris(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iris-prediction-api"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Fails with this exit code, and says so on stderr.
pub fn refused(arguments: &[&str], variables: &[(&str, &str)], code: i32) -> String {
    let output = iris(arguments, variables);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    stderr
}

fn stdout(arguments: &[&str]) -> String {
    let output = iris(arguments, &[]);
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_says_what_there_is() {
    insta::assert_snapshot!("help", stdout(&["--help"]));
    insta::assert_snapshot!("help_train", stdout(&["train", "--help"]));
    insta::assert_snapshot!("help_healthcheck", stdout(&["healthcheck", "--help"]));
}

#[test]
fn a_bad_model_is_refused_before_a_port_is_bound() {
    let folder = tempfile::tempdir().unwrap();
    let (model, port_file) = (folder.path().join("model.json"), folder.path().join("port"));
    fs::write(&model, "{\"schema_version\":9}").unwrap();
    let (model, port) = (model.to_str().unwrap(), port_file.to_str().unwrap());
    let said = refused(
        &[
            "serve",
            "--model",
            model,
            "--listen",
            "127.0.0.1:0",
            "--port-file",
            port,
        ],
        &[],
        2,
    );
    assert!(
        said.contains(model) && said.contains("schema_version is 9, this service reads 1"),
        "{said}"
    );
    assert!(!Path::new(port).exists());
    let said = refused(&["--model", "/nonexistent.json"], &[], 2);
    assert!(
        said.contains("cannot read the model artifact /nonexistent.json"),
        "{said}"
    );
}

#[test]
fn configuration_that_can_not_be_obeyed_ends_with_two() {
    let bare = [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")];
    let said = refused(&["--listen", "127.0.0.1:0"], &bare, 2);
    assert!(
        said.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && said.contains("use http://"),
        "{said}"
    );
    refused(&["--listen", "nowhere"], &[], 2);
    refused(&["--max-batch", "0"], &[], 2);
    refused(&["--no-such-flag"], &[], 2);
    let said = refused(&["--log", "iris=loud"], &[], 2);
    assert!(said.contains("iris=loud"), "{said}");
    let said = refused(&["serve"], &[("IRIS_MAX_BATCH", "many")], 2);
    assert!(said.contains("--max-batch"), "{said}");
}

#[test]
fn a_port_that_is_taken_ends_with_one() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&["--listen", &address], &[], 1);
    assert!(said.contains(&address), "{said}");
}

#[test]
fn training_writes_the_artifact_that_is_built_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("iris.json");
    let said = stdout(&["train", "--output", path.to_str().unwrap()]);
    // Another processor may round a weight otherwise, and so hash it otherwise.
    let (_, judgement) = said.split_once(": ").unwrap();
    insta::assert_snapshot!(judgement.replace(path.to_str().unwrap(), "<path>"));
    let written = fs::read_to_string(path).unwrap();
    assert!(iris_prediction_api::model::Model::from_json(&written).is_ok());
    let said = refused(&["train", "--output", "/nonexistent/iris.json"], &[], 1);
    assert!(said.contains("/nonexistent/iris.json"), "{said}");
}

#[test]
fn a_health_check_of_nothing_fails() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    refused(
        &["healthcheck", "--url", &format!("http://{nobody}/readyz")],
        &[],
        1,
    );
    let said = refused(&["healthcheck", "--url", "readyz"], &[], 1);
    assert!(said.contains("http://"), "{said}");
}
