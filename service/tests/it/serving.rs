//! The binary while it serves: started in each of the ways that people start it, asked, stopped.

use super::SETOSA;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running service; killed if a test fails.
struct Service {
    child: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Service {
    let port_file = folder.join("port");
    let mut command = Command::new(env!("CARGO_BIN_EXE_iris-prediction-api"));
    command
        .args(arguments)
        .args(["--port-file", port_file.to_str().unwrap()])
        .env_clear()
        .envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
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

fn predict(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "POST /predict HTTP/1.1\r\nhost: iris\r\ncontent-type: application/json\r\nconnection: close\r\n";
    write!(
        stream,
        "{head}content-length: {}\r\n\r\n{SETOSA}",
        SETOSA.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
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
        let id = service.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(
            service.child.wait().unwrap().code(),
            Some(0),
            "{arguments:?}"
        );
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert_eq!(left, ["port"], "temporary files are left behind");
    }
}

fn healthcheck(address: &str) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iris-prediction-api"));
    command
        .args(["healthcheck", "--url", &format!("http://{address}/readyz")])
        .status()
        .unwrap()
        .code()
}
