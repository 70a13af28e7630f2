//! One run from three processes: real verifiers, one real service, traces dealt out as a load-balancing exporter does.

mod balancer;
mod reading;
mod refused;

use crate::testbed::{collector, free_address, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;
use verifier::record::{Exchange, Observation, Outcome, Recorded, RunFolder};

const VERIFIER: &str = env!("CARGO_BIN_EXE_verifier");
const SHARDS: u16 = 3;

/// The service in a process of its own, exporting to the balancer.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    fn start(folder: &Path, exports_to: SocketAddr) -> Service {
        let port_file = folder.join("port");
        let child = Command::new(VERIFIER)
            .args(["__serve", "--listen", "127.0.0.1:0", "--port-file"])
            .arg(&port_file)
            .env_clear()
            .env(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("http://{exports_to}"),
            )
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
            .stdin(Stdio::piped())
            .stdout(fs::File::create(folder.join("service.log")).unwrap())
            .spawn()
            .unwrap();
        wait_until(|| port_file.is_file(), || "the service is not ready".into());
        let url = format!("http://{}", fs::read_to_string(&port_file).unwrap().trim());
        Service { child, url }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where shard `index` receives traces: an address of its own for each, so that its index can stand in it.
fn receiver(index: u16, port: u16) -> SocketAddr {
    format!("127.0.1.{index}:{port}").parse().unwrap()
}

/// A port that is free on all receivers' addresses.
fn free_port() -> u16 {
    loop {
        let port = free_address().port();
        let bind = |index| std::net::TcpListener::bind(receiver(index, port));
        if (0..SHARDS).all(|index| bind(index).is_ok()) {
            return port;
        }
    }
}

fn shard(folder: &Path, index: u16, port: u16, url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(VERIFIER);
    command
        .args(["run", "--headless", "--url", url, "--shard"])
        .arg(format!("{index}/{SHARDS}"))
        .args(["--otlp-grpc", &receiver(index, port).to_string()])
        .args(["--otlp-http", &format!("127.0.1.{index}:0"), "--out"])
        .arg(folder.join(format!("shard-{index}")))
        .args(args)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}\n{err}")
}

fn verifier(args: &[&str]) -> Output {
    Command::new(VERIFIER).args(args).output().unwrap()
}

const PLAN: &str = "name = 'sharded'
    seed = 7
    thresholds = ['error_rate==0', 'coverage==1', 'max<30s']
    [traces]\ndrain = '3s'
    [[stage]]\nname = 'open'\nkind = 'rate'\nrate = 400\nduration = '2s'
    [[stage]]\nname = 'poisson'\nkind = 'rate'\nrate = 300\narrivals = 'poisson'\nduration = '1s'
    [[stage]]\nname = 'closed'\nkind = 'connections'\nconnections = 7\nduration = '1s'
    [[stage]]\nname = 'users'\nkind = 'users'\nusers = 8\nspawn_rate = 16\nduration = '1s'\nwait = { constant = '5ms' }
    [[stage]]\nname = 'few'\nkind = 'connections'\nconnections = 2\nduration = '500ms'\n";

/// Drives the plan with three verifiers against one service that exports there, and joins them; gives what each said.
fn drive(folder: &Path, port: u16, exports_to: SocketAddr, more: &[&str]) -> Vec<Output> {
    let plan = folder.join("plan.toml");
    fs::write(&plan, PLAN).unwrap();
    let service = Service::start(folder, exports_to);
    let peers = format!("127.0.1.{{}}:{port}");
    let args = [plan.to_str().unwrap(), "--shard-peers", &peers, "--workers"];
    let shards: Vec<Child> = (0..SHARDS)
        .map(|index| {
            let workers = if index == 1 { "2" } else { "1" };
            let args = [&args[..], &[workers], more].concat();
            shard(folder, index, port, &service.url, &args)
                .spawn()
                .unwrap()
        })
        .collect();
    let out = folder.join("joined");
    let joined = verifier(&[
        "merge",
        folder.to_str().unwrap(),
        "--wait",
        "2m",
        "--out",
        out.to_str().unwrap(),
    ]);
    let outputs = shards
        .into_iter()
        .map(|shard| shard.wait_with_output().unwrap());
    [joined].into_iter().chain(outputs).collect()
}

fn read(path: &Path) -> Recorded {
    RunFolder::open(path).unwrap().read().unwrap()
}

fn verdict(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path.join("verdict.json")).unwrap()).unwrap()
}

/// When the stage's load began in the run, by its own clock.
fn wanted(run: &Recorded, stage: u16) -> impl Iterator<Item = &Exchange> {
    run.exchanges.iter().filter(move |e| e.stage == stage)
}

#[test]
fn three_verifiers_are_one_run() {
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let balancer = balancer::start((0..SHARDS).map(|index| receiver(index, port)).collect());
    let outputs = drive(folder.path(), port, balancer, &[]);
    assert_one_run(folder.path(), &outputs);
}

/// The same through the real collector, with the configuration that the cluster's has.
#[test]
fn three_verifiers_behind_the_real_collector_are_one_run() {
    let port = free_port();
    let receivers: Vec<String> = (0..SHARDS).map(|i| receiver(i, port).to_string()).collect();
    let receivers = format!("[{}]", receivers.join(", "));
    // Nobody is at Jaeger's address: what is meant for it may wait.
    let environment = [("VERIFIERS", receivers), ("QUEUE_SPANS", "2000000".into())];
    let Some(collector) = collector(&["local", "verifiers"], &environment) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let books = format!("http://{}/metrics", collector.metrics());
    let args = ["--collector", &books];
    let outputs = drive(folder.path(), port, collector.http(), &args);
    assert_one_run(folder.path(), &outputs);
    let verdict = verdict(&folder.path().join("joined"));
    // Each shard read them; they count once.
    let spans = verdict["receiver"]["spans"].as_u64().unwrap();
    let collector = &verdict["collector"];
    assert_counted_once(&collector["accepted"], spans as usize);
    let exporter = &collector["exporters"]["load_balancing/verifiers"];
    assert_counted_once(&exporter["sent"], spans as usize);
}

/// A counter that each shard read; the service's span of its own start may be among it.
fn assert_counted_once(counter: &Value, spans: usize) {
    let counted = counter.as_u64().unwrap() as usize;
    assert!(
        (spans..=spans + 1).contains(&counted),
        "{counted} of {spans}"
    );
}

fn assert_one_run(folder: &Path, outputs: &[Output]) {
    for output in outputs {
        assert_eq!(output.status.code(), Some(0), "{}", text(output));
    }
    assert!(text(&outputs[3]).contains("few has 2 connections, none for this shard"));
    let path = |index: u16| folder.join(format!("shard-{index}"));
    let shards: Vec<Recorded> = (0..SHARDS).map(|index| read(&path(index))).collect();
    let joined = folder.join("joined");
    let verdict = verdict(&joined);
    assert_eq!(verdict["outcome"], "pass", "{}", text(&outputs[0]));
    books_add_up(&shards, &read(&joined), &verdict);
    percentiles_are_of_all_rows(&shards, &verdict);
    the_schedule_is_the_plans(&shards);
    each_alone_is_a_part(&path(1));
    began_together(&verdict, &read(&joined));
}

fn books_add_up(shards: &[Recorded], joined: &Recorded, verdict: &Value) {
    let rows = |of: &dyn Fn(&Exchange) -> bool| -> usize {
        let all = shards.iter().flat_map(|shard| &shard.exchanges);
        all.filter(|exchange| of(exchange)).count()
    };
    for (index, stage) in (0_u16..).zip(verdict["stages"].as_array().unwrap()) {
        assert_eq!(
            stage["exchanges"]["planned"],
            rows(&|e| e.stage == index),
            "{stage}"
        );
        for outcome in Outcome::ALL {
            let of = rows(&|e| e.stage == index && e.outcome == outcome);
            assert_eq!(stage["exchanges"][outcome.name()], of, "{stage}");
        }
        assert_eq!(stage["traces"]["coverage"], 1.0, "{stage}");
        assert_eq!(stage["traces"]["duplicate"], 0, "{stage}");
    }
    let spans: usize = shards.iter().map(|shard| shard.spans.len()).sum();
    assert_eq!(verdict["receiver"]["spans"], spans);
    // Another shard's spans are no foreign ones; the service's span of its own start is.
    assert_eq!(verdict["receiver"]["foreign_spans"], 1);
    assert_eq!(joined.spans.len(), spans);
    let numbers: std::collections::BTreeSet<u64> = joined.exchanges.iter().map(|e| e.seq).collect();
    assert_eq!(
        numbers.len(),
        joined.exchanges.len(),
        "a number was given twice"
    );
    // The service's books, which each shard read, count once.
    assert_eq!(
        verdict["services"].as_array().unwrap().len(),
        1,
        "{}",
        verdict["services"]
    );
    assert_counted_once(&verdict["services"][0]["acknowledged"], spans);
    // Each shard received spans of the others' requests, too: else nothing was tested.
    for (index, shard) in (0_u64..).zip(shards) {
        assert!(shard.spans.iter().any(|span| span.seq % 3 != index));
    }
}

/// Nearest rank over the rows of all shards, by hand.
fn percentiles_are_of_all_rows(shards: &[Recorded], verdict: &Value) {
    for (index, stage) in (0_u16..).zip(verdict["stages"].as_array().unwrap()) {
        let all = shards.iter().flat_map(|shard| wanted(shard, index));
        let mut latencies: Vec<u64> = all.map(|e| e.done_ns - e.intended_ns).collect();
        latencies.sort_unstable();
        for (name, per_mille) in [("p50", 500), ("p90", 900), ("p99", 990)] {
            let rank = (latencies.len() * per_mille).div_ceil(1000);
            let figure = &stage["latency_ms"][name];
            if let Some(figure) = figure.as_f64() {
                assert_eq!(
                    figure,
                    latencies[rank - 1] as f64 / 1e6,
                    "{name} of {stage}"
                );
            } else {
                assert!(latencies.len() < 700, "{name} of {stage}");
            }
        }
        assert!(stage["latency_ms"]["p50"].is_f64(), "{stage}");
        let longest = *latencies.last().unwrap() as f64 / 1e6;
        assert_eq!(stage["latency_ms"]["max"], longest);
    }
}

/// The even open loop's requests are those of one verifier: number n is wanted n / rate after the stage's start.
fn the_schedule_is_the_plans(shards: &[Recorded]) {
    let mut all: Vec<u64> = shards
        .iter()
        .flat_map(|s| wanted(s, 0).map(|e| e.seq))
        .collect();
    all.sort_unstable();
    assert_eq!(
        all.len(),
        800,
        "the rate times the duration, of all shards together"
    );
    for shard in shards {
        let mut wanted: Vec<(u64, u64)> =
            wanted(shard, 0).map(|e| (e.seq, e.intended_ns)).collect();
        wanted.sort_unstable_by_key(|(_, at)| *at);
        let shard = wanted[0].0 % 3;
        let starts: BTreeMap<u64, u64> = (0..)
            .zip(&wanted)
            .map(|(turn, (_, at_ns))| (at_ns - (shard + 3 * turn) * 2_500_000, turn))
            .collect();
        assert_eq!(starts.len(), 1, "of shard {shard}: {starts:?}");
    }
    let connections = |stage: u16, of: &Recorded| {
        let held = of.journal.iter().filter_map(|e| match &e.observation {
            Observation::Worker {
                stage: s,
                connections,
                ..
            } if *s == stage => Some(*connections),
            _ => None,
        });
        held.sum::<u32>()
    };
    let held = |stage| -> Vec<u32> { shards.iter().map(|s| connections(stage, s)).collect() };
    assert_eq!(held(2), [3, 2, 2]);
    assert_eq!(held(3), [3, 3, 2]);
    assert_eq!(held(4), [1, 1, 0]);
}

fn each_alone_is_a_part(shard: &Path) {
    let alone = verdict(shard);
    assert_eq!(alone["outcome"], "unknown");
    assert!(
        alone["reasons"][0]
            .as_str()
            .unwrap()
            .contains("this is shard 1/3"),
        "{alone}"
    );
    let judged = verifier(&["judge", shard.to_str().unwrap()]);
    assert_eq!(judged.status.code(), Some(3), "{}", text(&judged));
}

fn began_together(verdict: &Value, joined: &Recorded) {
    let warnings = verdict["warnings"].to_string();
    assert!(!warnings.contains("after the first"), "{warnings}");
    let ready = joined
        .journal
        .iter()
        .filter(|e| matches!(e.observation, Observation::ShardsReady { .. }));
    assert_eq!(ready.count(), usize::from(SHARDS));
    assert_eq!(
        verdict["shards"].as_array().unwrap().len(),
        usize::from(SHARDS)
    );
}
