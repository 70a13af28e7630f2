//! The programs whose word is held against the server's: the verifier's release build, and wrk.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use verifier::record::{Exchange, Outcome, RunFolder};

/// What a run of one stage says: its verdict and its rows, all of them answered well.
pub struct Seen {
    stage: Value,
    pub rows: Vec<Exchange>,
}

impl Seen {
    pub fn latency_ms(&self, percentile: &str) -> f64 {
        self.stage["latency_ms"][percentile].as_f64().unwrap()
    }

    pub fn requests_per_second(&self) -> f64 {
        self.stage["requests_per_second"].as_f64().unwrap()
    }
}

/// Runs one stage at a server that has no traces.
pub fn verifier(url: &str, stage: &str) -> Seen {
    let debug = Path::new(env!("CARGO_BIN_EXE_verifier"));
    let program = debug
        .parent()
        .unwrap()
        .with_file_name("release")
        .join("verifier");
    assert!(
        program.exists(),
        "{} is missing; run `just truth`",
        program.display()
    );
    let folder = TempDir::new().unwrap();
    let (plan, out) = (folder.path().join("truth.toml"), folder.path().join("run"));
    let text = format!("name = 'truth'\n[traces]\nspans = []\n[[stage]]\nname = 'one'\n{stage}\n");
    fs::write(&plan, text).unwrap();
    let output = Command::new(program)
        .args([
            "run",
            "--headless",
            "--json",
            "--workers",
            "1",
            "--url",
            url,
        ])
        .args([
            "--otlp-grpc",
            "127.0.0.1:0",
            "--otlp-http",
            "127.0.0.1:0",
            "--out",
        ])
        .args([&out, &plan])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let verdict: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    let rows = RunFolder::open(&out).unwrap().read().unwrap().exchanges;
    assert!(rows.iter().all(|row| row.outcome == Outcome::Ok), "{told}");
    Seen {
        stage: verdict["stages"][0].clone(),
        rows,
    }
}

/// What wrk prints; `None`, and a word about it, when it is not installed. With `IRIS_TESTBED_REQUIRED=1` that fails the test.
pub fn wrk(url: &str, connections: usize, seconds: u32) -> Option<String> {
    let output = Command::new("wrk")
        .args([
            "-t1",
            "--latency",
            &format!("-c{connections}"),
            &format!("-d{seconds}s"),
            url,
        ])
        .output();
    match output {
        Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
        Err(error) => {
            let required = std::env::var_os("IRIS_TESTBED_REQUIRED").is_some_and(|it| it == "1");
            assert!(
                !required,
                "IRIS_TESTBED_REQUIRED=1, but wrk is left out: {error}"
            );
            println!("wrk is left out: {error}");
            None
        }
    }
}

pub fn wrk_rate(text: &str) -> f64 {
    let rate = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    rate.unwrap_or_else(|| panic!("{text}"))
        .trim()
        .parse()
        .unwrap()
}

pub fn wrk_p99_ms(text: &str) -> f64 {
    let value = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("99%"));
    let value = value.unwrap_or_else(|| panic!("{text}")).trim();
    for (unit, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)] {
        if let Some(number) = value.strip_suffix(unit) {
            return number.parse::<f64>().unwrap() * factor;
        }
    }
    panic!("{value}");
}
