//! `verifier run`, end to end: the real binary, the real service, real sockets; faults where the far end has them.

mod faults;
pub(crate) mod faulty;
mod http2;
mod keys;
mod killed;
mod panel;
mod pty;
mod search;
mod stdout;

use faulty::faulty_service;
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const VERIFIER: &str = env!("CARGO_BIN_EXE_verifier");

fn verifier(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(VERIFIER);
    command
        .args(args)
        .args(["--out", run_folder(folder).to_str().unwrap()])
        .current_dir(folder.path());
    command
}

fn run_folder(folder: &TempDir) -> PathBuf {
    folder.path().join("run")
}

fn run(folder: &TempDir, args: &[&str]) -> Output {
    verifier(folder, &[&["run", "--headless"], args].concat())
        .output()
        .unwrap()
}

/// Runs against a target somewhere else; nobody need know where its traces are taken.
fn run_at(folder: &TempDir, url: &str, args: &[&str]) -> Output {
    let target = [
        "--url",
        url,
        "--otlp-grpc",
        "127.0.0.1:0",
        "--otlp-http",
        "127.0.0.1:0",
    ];
    run(folder, &[args, &target].concat())
}

/// Writes a plan into the folder, and gives its path.
fn plan(folder: &TempDir, toml: &str) -> String {
    let path = folder.path().join("plan.toml");
    fs::write(&path, toml).unwrap();
    path.to_str().unwrap().to_owned()
}

fn text(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn verdict(folder: &TempDir) -> Value {
    serde_json::from_slice(&fs::read(run_folder(folder).join("verdict.json")).unwrap()).unwrap()
}

/// Every stage's outcome counts add up to what was planned.
fn assert_books_balance(verdict: &Value) {
    for stage in verdict["stages"].as_array().unwrap() {
        let exchanges = &stage["exchanges"];
        let sum: u64 = [
            "ok",
            "http_error",
            "timeout",
            "connect_error",
            "reset",
            "unsent",
        ]
        .iter()
        .map(|outcome| exchanges[outcome].as_u64().unwrap())
        .sum();
        assert_eq!(exchanges["planned"].as_u64().unwrap(), sum, "{stage}");
    }
}

fn assert_complete(verdict: &Value) {
    assert_books_balance(verdict);
    for stage in verdict["stages"].as_array().unwrap() {
        assert!(stage["exchanges"]["sent"].as_u64().unwrap() > 0, "{stage}");
        assert_eq!(stage["exchanges"]["unsent"], 0, "{stage}");
        assert_eq!(stage["traces"]["coverage"], 1.0, "{stage}");
    }
}

fn checks<'a>(verdict: &'a Value, outcome: &str) -> Vec<&'a Value> {
    verdict["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["outcome"] == outcome)
        .collect()
}

/// The service in a process of its own, as somebody would start it by hand.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    fn start(folder: &TempDir, environment: &[(&str, &str)]) -> Service {
        let port_file = folder.path().join("port");
        let child = Command::new(VERIFIER)
            .args([
                "__serve",
                "--listen",
                "127.0.0.1:0",
                "--port-file",
                port_file.to_str().unwrap(),
            ])
            .env_clear() // what the tester's shell exports must not matter
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(fs::File::create(folder.path().join("service.log")).unwrap())
            .spawn()
            .unwrap();
        wait_until("the service is ready", || port_file.is_file());
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

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 30 s in vain: {what}");
        std::thread::yield_now();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn the_embedded_service_passes_with_every_trace() {
    let folder = TempDir::new().unwrap();
    let output = run(&folder, &["-c", "2,8", "-d", "1s", "--replicas", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let first = verdict(&folder);
    assert_complete(&first);
    assert_eq!(first["stages"].as_array().unwrap().len(), 2);
    let report = fs::read_to_string(run_folder(&folder).join("report.html")).unwrap();
    for outside in ["src=\"", "href=\"http", "url("] {
        assert!(
            !report.contains(outside),
            "{outside}: something from elsewhere"
        );
    }

    let bytes = fs::read(run_folder(&folder).join("verdict.json")).unwrap();
    let judged = Command::new(VERIFIER)
        .args(["judge", run_folder(&folder).to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(judged.status.code(), Some(0), "{}", text(&judged));
    assert_eq!(
        fs::read(run_folder(&folder).join("verdict.json")).unwrap(),
        bytes,
        "judged again, the verdict differs"
    );
    let shown = Command::new(VERIFIER)
        .args(["show", run_folder(&folder).to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(shown.stdout, judged.stdout);
}

#[test]
fn users_and_rate_stages_are_complete_too() {
    let folder = TempDir::new().unwrap();
    let plan = plan(&folder,
        "name = 'mixed'
         thresholds = ['error_rate==0', 'coverage==1']
         [[stage]]\nname = 'users'\nkind = 'users'\nusers = 20\nspawn_rate = 40\nduration = '1s'\nwait = { between = ['10ms', '50ms'] }
         [[stage]]\nname = 'rate'\nkind = 'rate'\nrate = 200\nduration = '1s'\n",
);
    let output = run(&folder, &[&plan]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let verdict = verdict(&folder);
    assert_complete(&verdict);
    assert_eq!(verdict["stages"][1]["exchanges"]["planned"], 200);
}

#[test]
fn a_service_of_another_process_exports_to_the_verifier_by_grpc_and_by_http() {
    for protocol in ["grpc", "http/protobuf"] {
        let folder = TempDir::new().unwrap();
        let (grpc, http) = (
            format!("127.0.0.1:{}", free_port()),
            format!("127.0.0.1:{}", free_port()),
        );
        let endpoint = format!("http://{}", if protocol == "grpc" { &grpc } else { &http });
        let service = Service::start(
            &folder,
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ],
        );
        let output = run(
            &folder,
            &[
                "--url",
                &service.url,
                "--otlp-grpc",
                &grpc,
                "--otlp-http",
                &http,
                "-c",
                "4",
                "-d",
                "1s",
            ],
        );
        assert_eq!(
            output.status.code(),
            Some(0),
            "{protocol}: {}",
            text(&output)
        );
        assert_complete(&verdict(&folder));
    }
}

#[test]
fn a_span_that_does_not_come_is_named_with_examples() {
    let folder = TempDir::new().unwrap();
    let plan = plan(
        &folder,
        "name = 'renamed'
         [traces]\ndrain = '1s'
         [[traces.spans]]\nname = 'POST /predict'\nkind = 'server'\non = 'answered'
         [[traces.spans]]\nname = 'data_preparation'\nparent = 'POST /predict'
         [[traces.spans]]\nname = 'model_inference_v2'\nparent = 'POST /predict'
         [[stage]]\nname = 'one'\nkind = 'connections'\nconnections = 2\nduration = '300ms'\n",
    );
    let output = run(&folder, &[&plan]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let verdict = verdict(&folder);
    assert_eq!(verdict["stages"][0]["traces"]["coverage"], 0.0);
    let failed = serde_json::to_string(&checks(&verdict, "fail")).unwrap();
    assert!(failed.contains("model_inference_v2"), "{failed}");
    let example = failed.as_bytes().windows(32).any(|w| {
        w.iter()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
    });
    assert!(example, "no trace id among the evidence: {failed}");
}

#[test]
fn a_service_that_exports_nowhere_fails_and_its_spans_are_unknown() {
    let folder = TempDir::new().unwrap();
    let service = Service::start(&folder, &[("OTEL_TRACES_EXPORTER", "none")]);
    let plan = plan(
        &folder,
        "name = 'dark'\n[traces]\ndrain = '500ms'\n[[stage]]\nname = 'one'\nkind = 'connections'\nconnections = 2\nduration = '300ms'\n",
    );
    let output = run_at(&folder, &service.url, &[&plan]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let verdict = verdict(&folder);
    let answered = verdict["stages"][0]["exchanges"]["ok"].as_u64().unwrap();
    let reasons = verdict["reasons"].to_string();
    assert!(
        reasons.contains(&format!("no trace of {answered} exchanges arrived")),
        "{reasons}"
    );
    assert!(
        verdict["stages"][0]["spans_ms"]["model_inference"]["p50"].is_null(),
        "{verdict}"
    );
}

#[test]
fn nothing_listening_is_unknown_within_seconds() {
    let folder = TempDir::new().unwrap();
    let begun = Instant::now();
    let output = run_at(&folder, &format!("http://127.0.0.1:{}", free_port()), &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "took {:?}",
        begun.elapsed()
    );
    assert_books_balance(&verdict(&folder));
}

#[test]
fn a_target_that_hangs_gives_timeout_rows_and_the_run_ends() {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming().take(10_000) {
            held.push(stream);
        }
    });
    let plan = plan(
        &folder,
        "name = 'hang'\n[request]\ntimeout = '400ms'\n[traces]\ndrain = '300ms'\n[[stage]]\nname = 'one'\nkind = 'connections'\nconnections = 4\nduration = '1s'\n",
    );
    let output = run_at(&folder, &url, &[&plan]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let verdict = verdict(&folder);
    assert_books_balance(&verdict);
    let exchanges = &verdict["stages"][0]["exchanges"];
    assert!(exchanges["timeout"].as_u64().unwrap() >= 4, "{exchanges}");
    assert_eq!(exchanges["ok"], 0);
}

#[test]
fn one_percent_of_500s_shows_in_the_matrix_and_among_the_error_spans() {
    let folder = TempDir::new().unwrap();
    let otlp = format!("127.0.0.1:{}", free_port());
    let url = faulty_service(otlp.clone());
    let plan = plan(
        &folder,
        "name = 'faulty'
         thresholds = ['error_rate<=2%', 'coverage==1']
         [traces]\nspans = [{ name = 'POST /predict', kind = 'server', on = 'answered' }]
         [[stage]]\nname = 'one'\nkind = 'rate'\nrate = 500\nconnections = 4\nduration = '2s'\n",
    );
    let output = run(
        &folder,
        &[
            &plan,
            "--url",
            &url,
            "--otlp-grpc",
            "127.0.0.1:0",
            "--otlp-http",
            &otlp,
        ],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let verdict = verdict(&folder);
    let stage = &verdict["stages"][0];
    assert_eq!(
        stage["exchanges"]["http_error"], 10,
        "{}",
        stage["exchanges"]
    );
    assert_eq!(stage["traces"]["coverage"], 1.0, "{}", stage["traces"]);
    let errors = stage["error_spans"].to_string();
    assert!(
        errors.contains("5xx") && errors.contains("injected"),
        "{errors}"
    );
}

fn rows_on_disk(folder: &Path) -> u64 {
    fs::metadata(folder.join("exchanges.rows")).map_or(0, |m| m.len() / 64)
}

#[test]
fn killed_half_way_the_folder_is_judged_as_far_as_it_goes() {
    let folder = TempDir::new().unwrap();
    let mut child = verifier(&folder, &["run", "--headless", "-c", "4", "-d", "60s"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("rows are on disk", || {
        rows_on_disk(&run_folder(&folder)) > 100
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let judged = Command::new(VERIFIER)
        .args(["judge", run_folder(&folder).to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(judged.status.code(), Some(3), "{}", text(&judged));
    let verdict = verdict(&folder);
    assert_eq!(verdict["outcome"], "unknown");
    assert_books_balance(&verdict);
    assert!(verdict["stages"][0]["exchanges"]["ok"].as_u64().unwrap() > 100);
}

#[test]
fn interrupted_the_report_is_still_written() {
    let folder = TempDir::new().unwrap();
    let child = verifier(&folder, &["run", "--headless", "-c", "4", "-d", "60s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("rows are on disk", || {
        rows_on_disk(&run_folder(&folder)) > 100
    });
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    let verdict = verdict(&folder);
    assert_eq!(verdict["outcome"], "unknown");
    assert!(
        verdict["reasons"].to_string().contains("SIGINT"),
        "{}",
        verdict["reasons"]
    );
    assert_books_balance(&verdict);
    assert_eq!(verdict["stages"][0]["traces"]["coverage"], 1.0);
    assert!(run_folder(&folder).join("report.html").is_file());
}

#[test]
fn what_can_not_work_is_refused_before_any_load() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "in the way").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let below = file.join("run");
    for (args, why) in [
        (vec!["run", "--out", below.to_str().unwrap()], "run folder"),
        (
            vec!["run", "--out", folder.path().to_str().unwrap()],
            "not empty",
        ),
        (vec!["run", "--otlp-grpc", &taken], "--otlp-grpc"),
        (vec!["run", "no-such-plan"], "quick"),
        (vec!["run", "no/such/plan.toml"], "no/such/plan.toml"),
        (vec!["run", "-c", "0"], "connections"),
        (vec!["run", "--threshold", "p99<250"], "unit"),
        (
            vec!["run", "--url", "https://localhost", "--ca-file", "no.pem"],
            "no.pem",
        ),
        (vec!["run", "--url", "ftp://localhost"], "ftp://localhost"),
        (vec!["run", "--url", "not a url"], "not a url"),
        (vec!["judge", "/nonexistent"], "run folder"),
        (vec!["show", folder.path().to_str().unwrap()], "run folder"),
    ] {
        let output = Command::new(VERIFIER)
            .args(&args)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output));
        assert!(text(&output).contains(why), "{args:?}: {}", text(&output));
    }
    let _: SocketAddr = taken.parse().unwrap();
}

#[test]
fn the_named_plans_are_listed_printed_and_run_in_less_time() {
    let plan = |args: &[&str]| {
        let output = Command::new(VERIFIER).args(args).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let list = plan(&["plan"]);
    let names = "quick wrk-light wrk-medium wrk-high wrk-stress wrk locust-150 locust-300 locust-500 locust stress-1000";
    for name in names.split(' ') {
        assert!(
            list.lines()
                .any(|line| line.split(' ').next() == Some(name)),
            "no {name} in {list}"
        );
        assert!(plan(&["plan", name]).contains(&format!("name = \"{name}\"")));
    }
    let folder = TempDir::new().unwrap();
    let output = run(&folder, &["locust-150", "--scale-time", "0.01"]);
    let verdict = verdict(&folder);
    assert_complete(&verdict);
    let stage = &verdict["stages"][0];
    assert_eq!(stage["duration_seconds"], 1.2, "{}", text(&output));
    assert!(
        stage["generator"]["opened"].as_u64().unwrap() > 100,
        "not all users were spawned: {stage}"
    );
}

#[test]
fn tasks_rotation_and_ramps_at_the_real_service() {
    let folder = TempDir::new().unwrap();
    let plan = plan(
        &folder,
        "name = 'mixed'
         thresholds = ['error_rate==0', 'coverage==1']
         [[stage]]\nname = 'ramp'\nkind = 'rate'\nrate = 50\nrate_to = 350\narrivals = 'poisson'\nduration = '1s'\nconnections = 20
         [[stage]]\nname = 'rotate'\nkind = 'connections'\nconnections = 4\nreuse = 'rotate'\nconnection_lifetime = '100ms'\nduration = '1s'
         [[stage]]\nname = 'fresh'\nkind = 'users'\nusers_from = 10\nusers = 2\nspawn_rate = 20\nwait = { constant = '20ms' }\nreuse = 'fresh'\nduration = '1s'
         [[task]]\nname = 'predict'\nweight = 3\nmethod = 'POST'\npath = '/predict'\nheaders = { content-type = 'application/json' }
         bodies = ['{\"sepal_length\":5.1,\"sepal_width\":3.5,\"petal_length\":1.4,\"petal_width\":0.2}']
         [[task]]\nname = 'live'\npath = '/livez'\nspans = []\n",
    );
    let output = run(&folder, &[&plan, "--replicas", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let verdict = verdict(&folder);
    assert_complete(&verdict);
    for stage in verdict["stages"].as_array().unwrap() {
        let tasks = stage["tasks"].as_array().unwrap();
        assert_eq!(tasks[0]["traces_expected"], tasks[0]["exchanges"]["ok"]);
        assert_eq!(tasks[1]["traces_expected"], 0);
        assert!(tasks[1]["exchanges"]["ok"].as_u64().unwrap() > 0, "{stage}");
    }
    let ramp = &verdict["stages"][0];
    assert_eq!(ramp["requested_per_second"], 200.0);
    let report = fs::read_to_string(run_folder(&folder).join("report.md")).unwrap();
    assert!(
        report.contains(" of 200 |") && report.contains("| live |"),
        "{report}"
    );
    // Rotated connections reach both replicas.
    assert_eq!(
        verdict["stages"][1]["replicas"].as_array().unwrap().len(),
        2
    );
}
