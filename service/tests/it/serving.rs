//! The binary while it serves: started in each of the ways that people start it, asked, stopped.

use super::{SETOSA, sink::Sink};
use iris_prediction_api::telemetry::{Exporter, Protocol};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running service; killed if a test fails.
pub struct Service {
    child: Child,
    pub address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Service {
    start_logging(Stdio::null(), folder, arguments, variables)
}

pub fn start_logging(
    log: Stdio,
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Service {
    let port_file = folder.join("port");
    let mut command = Command::new(env!("CARGO_BIN_EXE_iris-prediction-api"));
    command
        .args(arguments)
        .args(["--port-file", port_file.to_str().unwrap()])
        .env_clear()
        .envs(variables.iter().copied());
    let mut child = command.stdout(log).spawn().unwrap();
    loop {
        if let Ok(address) = std::fs::read_to_string(&port_file) {
            assert!(address.ends_with('\n'), "half an address: {address:?}");
            return Service {
                child,
                address: address.trim().to_owned(),
            };
        }
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it ended before it was ready"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One request on a connection of its own.
fn ask(address: &str, request: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers = "host: iris\r\ncontent-type: application/json\r\nconnection: close";
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub fn predict(address: &str) -> String {
    ask(address, "POST /predict", SETOSA)
}

fn get(address: &str, path: &str) -> String {
    ask(address, &format!("GET {path}"), "")
}

/// SIGTERM, and a clean end.
pub fn terminate(service: &mut Service) {
    let id = service.child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &id]).status();
    assert!(kill.unwrap().success());
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

/// Arguments and environment.
type Way = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
);

#[test]
fn it_serves_however_it_is_started_and_ends_cleanly() {
    let ways: [Way; 4] = [
        (&["--listen", "127.0.0.1:0"], &[]),
        (&["serve", "--listen", "127.0.0.1:0"], &[]),
        (
            &["serve"],
            &[("IRIS_LISTEN", "127.0.0.1:0"), ("IRIS_MAX_BATCH", "5")],
        ),
        (
            &[],
            &[
                ("IRIS_LISTEN", "127.0.0.1:0"),
                ("IRIS_TRACE_PROBES", "true"),
            ],
        ),
    ];
    for (arguments, variables) in ways {
        let folder = tempfile::tempdir().unwrap();
        let variables = [variables, &[("IRIS_DRAIN_DELAY", "0s")]].concat();
        let mut service = start(folder.path(), arguments, &variables);
        let answer = predict(&service.address);
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"setosa\""),
            "{answer}"
        );
        assert_eq!(healthcheck(&service.address), Some(0));
        terminate(&mut service);
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert_eq!(left, ["port"], "temporary files are left behind");
    }
}

/// Exit code of a health check that finds the service by its environment, as in a container.
fn healthcheck(address: &str) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iris-prediction-api"));
    let command = command.arg("healthcheck").env_clear();
    command.env("IRIS_LISTEN", address).status().unwrap().code()
}

#[test]
fn the_whole_service_loses_no_span_and_its_books_say_so() {
    let (sink, folder) = (Sink::start([]), tempfile::tempdir().unwrap());
    let endpoint = match sink.config(Protocol::HttpProtobuf).exporter {
        Exporter::Otlp(otlp) => otlp.endpoint,
        Exporter::None { reason } => panic!("{reason}"),
    };
    let variables = [
        ("IRIS_LISTEN", "127.0.0.1:0"),
        ("IRIS_DRAIN_DELAY", "0s"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str()),
        ("OTEL_SERVICE_NAME", "iris-under-test"),
        ("POD_NAME", "iris-0"),
    ];
    let mut service = start(folder.path(), &["serve"], &variables);
    for _ in 0..20 {
        predict(&service.address);
    }
    let metrics = get(&service.address, "/metrics");
    for sample in [
        // Three for each request, and the process's own start-up.
        "otel_sdk_span_started_total 61\n",
        "iris_predictions_total{class=\"setosa\"} 20\n",
        "http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/predict\",http_response_status_code=\"200\"} 20\n",
    ] {
        assert!(metrics.contains(sample), "no {sample} in {metrics}");
    }
    terminate(&mut service);
    assert_eq!(sink.distinct(), 62);
    let received = format!("{:?}", sink.resource_spans());
    for own in ["startup", "shutdown"] {
        assert!(
            received.contains(&format!("name: {own:?}")),
            "no span {own}"
        );
    }
    let resource = sink.resource_spans()[0].resource.clone().unwrap();
    for (key, value) in [
        ("service.name", "iris-under-test"),
        ("k8s.pod.name", "iris-0"),
    ] {
        let attribute = resource
            .attributes
            .iter()
            .find(|attribute| attribute.key == key)
            .unwrap();
        assert!(format!("{attribute:?}").contains(value), "{attribute:?}");
    }
}
