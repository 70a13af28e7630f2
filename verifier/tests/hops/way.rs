//! The whole way on free ports: service, collector, Jaeger; `run` drives it and gives the verdict.

use crate::testbed::{
    Collector, Jaeger, collector, free_address, jaeger_with, post_with, wait_until,
};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

const VERIFIER: &str = env!("CARGO_BIN_EXE_verifier");

/// A busy machine's generator is not judged here.
const PLAN: &str = r#"
name = "hops"
thresholds = ["coverage==1"]
generator = { max_lag_p99 = "60s", max_cpu = 1.0 }
traces = { drain = "DRAIN" }
[[stage]]
name = "x"
kind = "rate"
rate = 1
duration = "1s"
"#;

/// Dropped, everything is killed.
pub struct Way {
    folder: TempDir,
    service: Child,
    address: String,
    verifier_otlp: SocketAddr,
    /// How long a run waits for traces.
    pub drain: &'static str,
    pub collector: Collector,
    pub jaeger: Jaeger,
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
        // A stopped process does not die of anything else.
        self.jaeger.signal(Signal::CONT);
    }
}

impl Way {
    /// `None` where the real parts are not installed.
    pub fn new(max_traces: u32, configs: &[&str]) -> Option<Way> {
        Way::with(max_traces, configs, &[])
    }

    /// With these variables for the collector and Jaeger.
    pub fn with(max_traces: u32, configs: &[&str], environment: &[(&str, &str)]) -> Option<Way> {
        Way::serving(max_traces, configs, environment, &[])
    }

    /// With these flags for the service.
    pub fn serving(
        max_traces: u32,
        configs: &[&str],
        environment: &[(&str, &str)],
        flags: &[&str],
    ) -> Option<Way> {
        let jaeger = jaeger_with(max_traces, environment)?;
        let verifier_otlp = free_address();
        let mut all = vec![
            ("JAEGER_OTLP", jaeger.otlp().to_string()),
            ("VERIFIER_OTLP", verifier_otlp.to_string()),
        ];
        all.extend(
            environment
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let collector = collector(configs, &all)?;
        let folder = tempfile::tempdir().unwrap();
        let port_file = folder.path().join("service.port");
        let service = Command::new(VERIFIER)
            .args(["__serve", "--drain-delay", "0s", "--listen", "127.0.0.1:0"])
            .arg("--port-file")
            .arg(&port_file)
            .args(flags)
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{}", collector.grpc()),
            )
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until(
            || port_file.exists(),
            || "the service does not start".into(),
        );
        let address = fs::read_to_string(&port_file).unwrap().trim().to_owned();
        Some(Way {
            folder,
            service,
            address,
            verifier_otlp,
            drain: "60s",
            collector,
            jaeger,
        })
    }

    pub fn file(&self) -> String {
        format!("collector-file={}", self.collector.traces_file().display())
    }

    pub fn jaeger_grpc(&self) -> String {
        format!("jaeger=grpc://{}", self.jaeger.query_grpc())
    }

    fn verifier(&self, sources: &[&str], load: &[&str]) -> (Command, PathBuf) {
        let out = self.next_folder();
        let plan = self.folder.path().join("plan.toml");
        fs::write(&plan, PLAN.replace("DRAIN", self.drain)).unwrap();
        let mut command = Command::new(VERIFIER);
        command.args(["run", "--headless"]).arg(plan);
        command.args(["--url", &format!("http://{}", self.address)]);
        for source in sources {
            command.args(["--traces", source]);
        }
        command.args([
            "--collector",
            &format!("http://{}/metrics", self.collector.metrics()),
        ]);
        command.args([
            "--otlp-grpc",
            &self.verifier_otlp.to_string(),
            "--otlp-http",
            "127.0.0.1:0",
        ]);
        command.args(load).arg("--out").arg(&out);
        command.stdout(Stdio::null()).stdin(Stdio::null());
        (command, out)
    }

    pub fn start(&self, sources: &[&str], load: &[&str]) -> Running {
        let (mut command, out) = self.verifier(sources, load);
        let child = command.spawn().unwrap();
        Running { child, out }
    }

    pub fn run(&self, sources: &[&str], load: &[&str]) -> Value {
        self.start(sources, load).verdict()
    }

    /// A watch of somebody else's load, from when it watches.
    pub fn watch(&self, sources: &[&str], length: &str) -> Running {
        let (out, mut command) = self.told("watch");
        command.args([
            "--headless",
            "--for",
            length,
            "--url",
            &format!("http://{}", self.address),
        ]);
        for source in sources {
            command.args(["--traces", source]);
        }
        command.args([
            "--collector",
            &format!("http://{}/metrics", self.collector.metrics()),
        ]);
        command.args(["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"]);
        let child = command.spawn().unwrap();
        let journal = out.join("journal.jsonl");
        let watches = || {
            let text = fs::read_to_string(&journal).unwrap_or_default();
            text.contains("stage_started")
        };
        wait_until(watches, || "it does not watch".into());
        Running { child, out }
    }

    /// What is made of a file alone.
    pub fn judge_file(&self, file: &Path) -> Value {
        let (out, mut command) = self.told("judge");
        let child = command.arg("--otlp").arg(file).spawn().unwrap();
        Running { child, out }.verdict()
    }

    fn told(&self, word: &str) -> (PathBuf, Command) {
        let out = self.next_folder();
        let mut command = Command::new(VERIFIER);
        command
            .arg(word)
            .arg("--out")
            .arg(&out)
            .current_dir(self.folder.path());
        command.stdout(Stdio::null()).stdin(Stdio::null());
        (out, command)
    }

    fn next_folder(&self) -> PathBuf {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("run-{number}"))
    }

    /// One prediction, asked for without a trace of our own, with these headers; the answer's status.
    pub fn predict(&self, headers: &str) -> u16 {
        let body = r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#;
        post_with(self.address.parse().unwrap(), "/predict", headers, body)
            .unwrap()
            .0
    }

    /// What the verifier says to a source that can not be read.
    pub fn refused(&self, source: &str) -> String {
        let (mut command, out) = self.verifier(&[source], &["-R", "1", "-d", "1s"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!out.exists());
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub fn until(&self, condition: impl Fn(&Way) -> bool) {
        wait_until(|| condition(self), || self.collector.log());
    }

    /// Waits until the collector has taken over so many spans.
    pub fn accepted(&self, spans: u64) {
        self.until(|way| {
            let accepted = way.collector.metric("otelcol_receiver_accepted_spans");
            accepted.is_some_and(|accepted| accepted as u64 >= spans)
        });
    }
}

/// A run under way.
pub struct Running {
    child: Child,
    out: PathBuf,
}

impl Running {
    pub fn verdict(mut self) -> Value {
        self.child.wait().unwrap();
        let verdict = fs::read_to_string(self.out.join("verdict.json")).unwrap();
        serde_json::from_str(&verdict).unwrap()
    }
}

/// Of one check, or of the run.
pub fn outcome<'v>(verdict: &'v Value, check: &str) -> &'v str {
    if check.is_empty() {
        return verdict["outcome"].as_str().unwrap();
    }
    let mut checks = verdict["checks"].as_array().unwrap().iter();
    let check = checks.find(|c| c["name"] == check).unwrap();
    check["outcome"].as_str().unwrap()
}

pub fn source<'v>(verdict: &'v Value, name: &str) -> &'v Value {
    let mut sources = verdict["sources"].as_array().unwrap().iter();
    sources.find(|source| source["name"] == name).unwrap()
}

/// Spans that were lost in such a place.
pub fn loss(source: &Value, place: &str) -> u64 {
    let places = source["losses"]["places"].as_array().unwrap().iter();
    let here = places.filter(|loss| loss["place"] == place);
    here.map(|loss| loss["spans"].as_u64().unwrap()).sum()
}

/// All reasons.
pub fn losses(source: &Value) -> String {
    source["losses"]["places"].to_string()
}
