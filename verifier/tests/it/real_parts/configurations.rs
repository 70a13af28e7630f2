//! The collector's configurations: valid in every combination that the README names, and true to the rules of the house.

use crate::testbed::{config, validate};
use std::fs;
use yaml_rust2::{Yaml, YamlLoader};

const ALL: [&str; 9] = [
    "base",
    "local",
    "jaeger-only",
    "verifier",
    "verifier-http",
    "verifiers",
    "durable",
    "gke",
    "compose",
];

fn parsed(name: &str) -> Yaml {
    let text = fs::read_to_string(config(name)).unwrap();
    YamlLoader::load_from_str(&text).unwrap().remove(0)
}

fn entries(of: &Yaml) -> impl Iterator<Item = (&str, &Yaml)> {
    let map = of.as_hash().into_iter().flatten();
    map.map(|(name, value)| (name.as_str().unwrap(), value))
}

#[test]
fn the_real_collector_takes_every_combination() {
    let combinations: [&[&str]; 12] = [
        &["local"],
        &["local", "verifier"],
        &["local", "durable"],
        &["local", "verifier", "durable"],
        &["local", "compose"],
        &["local", "jaeger-only", "durable"],
        &["local", "jaeger-only", "durable", "verifier-http"],
        &["local", "jaeger-only", "durable", "verifiers"],
        &["gke"],
        &["gke", "verifier"],
        &["durable", "gke", "verifier"],
        &["verifier-http", "durable", "gke"],
    ];
    for combination in combinations {
        let Some(outcome) = validate(combination) else {
            return;
        };
        assert_eq!(outcome, Ok(()), "{combination:?}");
    }
    // That it would complain: base alone says nowhere where spans go.
    let complaint = validate(&[]).unwrap().unwrap_err();
    assert!(complaint.contains("exporter"), "{complaint}");
}

#[test]
fn no_pipeline_samples_or_acknowledges_early() {
    let mut pipelines = 0;
    for name in ALL {
        let config = parsed(name);
        for (processor, _) in entries(&config["processors"]) {
            assert_eq!(processor, "memory_limiter", "{name}.yaml");
        }
        for (pipeline, parts) in entries(&config["service"]["pipelines"]) {
            pipelines += 1;
            assert!(pipeline.starts_with("traces"), "{name}.yaml: {pipeline}");
            // local.yaml and gke.yaml only add exporters to what base.yaml has.
            if parts["receivers"].is_badvalue() {
                assert!(parts["processors"].is_badvalue(), "{name}.yaml: {pipeline}");
                continue;
            }
            let processors = parts["processors"].as_vec().unwrap();
            let names: Vec<_> = processors
                .iter()
                .map(|name| name.as_str().unwrap())
                .collect();
            assert_eq!(names, ["memory_limiter"], "{name}.yaml: {pipeline}");
        }
    }
    assert_eq!(pipelines, 9, "one each but durable, and compose has two");
}

#[test]
fn every_queue_blocks_and_no_retry_gives_up() {
    let mut queues = 0;
    // durable.yaml only moves the queues of the others onto the disk; compose.yaml's verifier may not be there.
    for name in ["local", "verifier", "verifier-http", "verifiers", "gke"] {
        let config = parsed(name);
        for (exporter, settings) in entries(&config["exporters"]) {
            if exporter == "file" {
                continue; // it writes before the sender is answered
            }
            queues += 1;
            let at = format!("{name}.yaml: {exporter}");
            let queue = &settings["sending_queue"];
            assert_eq!(queue["block_on_overflow"].as_bool(), Some(true), "{at}");
            assert_eq!(queue["sizer"].as_str(), Some("items"), "{at}");
            let (min, max) = (&queue["batch"]["min_size"], &queue["batch"]["max_size"]);
            assert!(min.as_i64().unwrap() <= max.as_i64().unwrap(), "{at}");
            let deadline = settings["retry_on_failure"]["max_elapsed_time"].as_str();
            assert_eq!(deadline, Some("0s"), "{at}");
        }
    }
    assert_eq!(queues, 5);
    for (exporter, settings) in entries(&parsed("durable")["exporters"]) {
        let storage = settings["sending_queue"]["storage"].as_str();
        assert_eq!(storage, Some("file_storage"), "{exporter}");
    }
}
