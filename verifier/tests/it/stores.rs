//! `verifier run` with its traces read back from Tempo and from Cloud Trace: the real binary, the real service, and a store
//! that speaks both.

mod cloud_trace;
mod store;

use crate::run::faulty::faulty_service;
use crate::testbed::wait_until;
use cloud_trace::Units;
use http::StatusCode;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use store::Store;
use tempfile::TempDir;

const VERIFIER: &str = env!("CARGO_BIN_EXE_verifier");

/// A busy machine's generator is not judged here.
const PLAN: &str = r#"
name = "stores"
thresholds = ["coverage==1"]
generator = { max_lag_p99 = "60s", max_cpu = 1.0 }
traces = { drain = "2s" }
[[stage]]
name = "x"
kind = "rate"
rate = 1
duration = "1s"
"#;

/// A store, the service that exports to it, and where runs are kept.
struct Way {
    folder: TempDir,
    store: Arc<Store>,
    store_url: String,
    service: Child,
}

impl Drop for Way {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

impl Way {
    fn new(store: Store) -> Way {
        let store = Arc::new(store);
        let store_url = store.serve();
        let folder = TempDir::new().unwrap();
        let port_file = folder.path().join("port");
        let service = Command::new(VERIFIER)
            .args(["__serve", "--drain-delay", "0s", "--listen", "127.0.0.1:0"])
            .arg("--port-file")
            .arg(&port_file)
            .env_clear()
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", &store_url)
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let serves = || port_file.exists();
        wait_until(serves, || "the service does not start".into());
        Way {
            folder,
            store,
            store_url,
            service,
        }
    }

    fn tempo(&self) -> String {
        format!("tempo={}", self.store_url)
    }

    fn cloud_trace(&self) -> String {
        format!("cloud-trace=p@{}", self.store_url)
    }

    /// The service's address.
    fn url(&self) -> String {
        let address = fs::read_to_string(self.folder.path().join("port")).unwrap();
        format!("http://{}", address.trim())
    }

    fn verifier(&self, plan: &str, url: &str, sources: &[&str], load: &[&str]) -> Command {
        let file = self.folder.path().join("plan.toml");
        fs::write(&file, plan).unwrap();
        let mut command = Command::new(VERIFIER);
        command.args(["run", "--headless", "--url", url]).arg(file);
        for source in sources {
            command.args(["--traces", source]);
        }
        command.args(load).arg("--out").arg(self.out());
        command
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn run_at(&self, url: &str, plan: &str, sources: &[&str], load: &[&str]) -> Value {
        let output = self.verifier(plan, url, sources, load).output().unwrap();
        let verdict = fs::read(self.out().join("verdict.json"));
        let verdict = verdict.unwrap_or_else(|_| panic!("{output:?}"));
        serde_json::from_slice(&verdict).unwrap()
    }

    fn run(&self, sources: &[&str], load: &[&str]) -> Value {
        self.run_at(&self.url(), PLAN, sources, load)
    }

    /// What is said of a source that can not be read; no run is begun.
    fn refused(&self, source: &str) -> String {
        let mut command = self.verifier(PLAN, &self.url(), &[source], &[]);
        // Whoever runs the tests may be logged in.
        command.env("GOOGLE_APPLICATION_CREDENTIALS", "/nobody");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(!self.out().exists());
        String::from_utf8(output.stderr).unwrap()
    }
}

fn check<'v>(verdict: &'v Value, name: &str) -> &'v Value {
    let mut checks = verdict["checks"].as_array().unwrap().iter();
    let found = checks.find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {:#}", verdict["checks"]))
}

fn source<'v>(verdict: &'v Value, name: &str) -> &'v Value {
    let mut sources = verdict["sources"].as_array().unwrap().iter();
    sources.find(|source| source["name"] == name).unwrap()
}

#[test]
fn tempo_and_cloud_trace_have_every_trace_and_agree() {
    let way = Way::new(Store::default());
    let sources = [way.tempo(), way.cloud_trace()];
    let load = ["-R", "450", "-d", "1s"];
    let verdict = way.run(&[&sources[0], &sources[1]], &load);
    assert_eq!(verdict["outcome"], "pass", "{verdict:#}");
    assert_eq!(check(&verdict, "sources_agree")["outcome"], "pass");
    for name in ["tempo", "cloud-trace"] {
        let source = source(&verdict, name);
        assert_eq!(source["complete"], 450, "{source:#}");
        assert_eq!(source["duplicate"], 0, "{source:#}");
    }
    // Five pages and the check before the load; what comes late is asked for again.
    let units = &way.store.units;
    assert!(units.refused() == 0 && units.taken() > 5 * 25);
}

#[test]
fn each_store_tells_which_exchanges_failed() {
    let way = Way::new(Store::default());
    let url = faulty_service(way.store_url.trim_start_matches("http://").to_owned());
    let plan = format!(
        "{PLAN}[[traces.spans]]\nname = 'POST /predict'\nkind = 'server'\non = 'answered'\n"
    );
    let plan = plan.replace("traces = { drain = \"2s\" }", "");
    for source in [way.tempo(), way.cloud_trace()] {
        let verdict = way.run_at(&url, &plan, &[&source], &["-R", "200", "-d", "1s"]);
        let stage = &verdict["stages"][0];
        assert_eq!(stage["traces"]["coverage"], 1.0, "{verdict:#}");
        let matrix = &stage["error_spans"]["matrix"];
        assert_eq!(matrix["5xx"]["error"]["count"], 2, "{matrix:#}");
        assert_eq!(matrix["2xx"]["no_error"]["count"], 198, "{matrix:#}");
        assert_eq!(stage["error_spans"]["spans"][0]["detail"], "injected");
        fs::remove_dir_all(way.out()).unwrap();
    }
}

#[test]
fn a_trace_that_a_store_lost_is_named_with_the_store() {
    for name in ["tempo", "cloud-trace"] {
        let way = Way::new(Store {
            loses: Some(7),
            ..Store::default()
        });
        let asked = [way.tempo(), way.cloud_trace()];
        let asked = asked
            .iter()
            .find(|source| source.starts_with(name))
            .unwrap();
        let verdict = way.run(&[asked], &["-R", "50", "-d", "1s"]);
        assert_eq!(verdict["outcome"], "fail", "{verdict:#}");
        let source = source(&verdict, name);
        assert_eq!(source["complete"], 49, "{source:#}");
        assert_eq!(source["spans_missing"], 3, "{source:#}");
        assert!(source["place"].as_str().unwrap().ends_with(&way.store_url));
        let examples = verdict["stages"][0]["traces"]["examples"].to_string();
        let lost = way.store.lost();
        assert!(lost.len() == 1 && examples.contains(&lost[0]), "{examples}");
    }
}

#[test]
fn a_store_that_fails_on_and_on_is_given_up_and_that_is_no_verdict() {
    let way = Way::new(Store {
        broken: true,
        ..Store::default()
    });
    let verdict = way.run(&[&way.tempo()], &["-R", "50", "-d", "1s"]);
    assert_eq!(verdict["outcome"], "unknown", "{verdict:#}");
    let receiver = &source(&verdict, "tempo")["receiver"];
    assert_eq!(receiver["failed_reads"], 11, "{receiver:#}");
    let why = receiver["incomplete"].to_string();
    assert!(why.contains("10 reads in a row failed"), "{why}");
    assert!(why.contains("no ingester"), "{why}");
}

#[test]
fn what_googles_quota_leaves_unread_is_no_verdict() {
    let way = Way::new(Store::default());
    // Twelve pages of a hundred are what a minute gives, and the check before the load took its unit of them.
    let verdict = way.run(&[&way.cloud_trace()], &["-R", "700", "-d", "2s"]);
    assert_eq!(verdict["outcome"], "unknown", "{verdict:#}");
    let coverage = &check(&verdict, "coverage==1");
    let evidence = coverage["evidence"].to_string();
    assert_eq!(coverage["outcome"], "unknown", "{coverage:#}");
    assert!(
        evidence.contains("of 1400 traces read within Google's read quota"),
        "{evidence}"
    );
    let complete = source(&verdict, "cloud-trace")["complete"]
        .as_u64()
        .unwrap();
    assert!(complete > 0 && complete <= 1_200, "{complete}");
    assert_eq!(way.store.units.refused(), 0);
}

#[test]
fn a_quota_that_others_use_up_is_waited_for_and_counted() {
    let way = Way::new(Store {
        units: Units::new(51),
        ..Store::default()
    });
    let verdict = way.run(&[&way.cloud_trace()], &["-R", "300", "-d", "1s"]);
    assert_eq!(verdict["outcome"], "unknown", "{verdict:#}");
    let source = source(&verdict, "cloud-trace");
    let failed = source["receiver"]["failed_reads"].as_u64().unwrap();
    assert_eq!(failed, u64::from(way.store.units.refused()), "{source:#}");
    assert!(failed > 0, "{source:#}");
    assert!(
        source
            .to_string()
            .contains("RESOURCE_EXHAUSTED by the test"),
        "{source:#}"
    );
}

#[test]
fn who_may_not_read_is_told_what_is_needed() {
    let refuses = |status| {
        let why = r#"{"error": {"code": 403, "message": "The caller does not have permission"}}"#;
        Way::new(Store {
            refuses: Some((status, why)),
            ..Store::default()
        })
    };
    let way = refuses(StatusCode::FORBIDDEN);
    let said = way.refused(&way.cloud_trace());
    for part in [
        "The caller does not have permission",
        "roles/cloudtrace.user",
        "gcloud auth",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(way.refused(&way.tempo()).contains("403"));
    let way = refuses(StatusCode::UNAUTHORIZED);
    assert!(
        way.refused(&way.cloud_trace())
            .contains("gcloud auth application-default login")
    );
    let said = way.refused("cloud-trace=p");
    assert!(
        said.contains("no credentials of Google's cloud: log in with `gcloud auth"),
        "{said}"
    );
    assert!(
        way.refused("tempo=http://127.0.0.1:9")
            .contains("cannot reach Tempo")
    );
}
