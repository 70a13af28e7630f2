//! The testbed's Kubernetes, by the kubectl of whoever runs the test: `eval "$(testbed/kubernetes/env)"`. `None`, said
//! aloud, where there is none; with `IRIS_CLUSTER_REQUIRED=1` that fails the test.

use super::testbed::free_address;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A namespace with the service in it; taken away with this.
pub struct Namespace {
    pub name: String,
    /// Where its pods send their spans: an address of the node.
    pub otlp: SocketAddr,
}

impl Namespace {
    pub fn with_the_service(name: &str) -> Option<Namespace> {
        let node = match node_address() {
            Ok(node) => node,
            Err(why) => return skipped(&why),
        };
        let otlp = format!("{node}:{}", free_address().port()).parse().unwrap();
        let namespace = Namespace {
            name: name.to_owned(),
            otlp,
        };
        let objects = include_str!("service.yaml")
            .replace("$NAMESPACE", name)
            .replace("$OTLP", &format!("http://{otlp}"));
        apply(&objects);
        namespace.kubectl(&[
            "rollout",
            "status",
            "deployment/iris-prediction-api",
            "--timeout=120s",
        ]);
        Some(namespace)
    }

    /// What kubectl prints, in this namespace.
    pub fn kubectl(&self, args: &[&str]) -> String {
        kubectl(&[&["--namespace", &self.name], args].concat()).unwrap()
    }

    /// Names of the Deployment's pods that are not being deleted.
    pub fn pods(&self) -> Vec<String> {
        let template = "{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{end}}{{end}}";
        let pods = self.kubectl(&["get", "pods", "-o", &format!("go-template={template}")]);
        pods.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
    }
}

fn skipped(why: &str) -> Option<Namespace> {
    let required = std::env::var_os("IRIS_CLUSTER_REQUIRED").is_some_and(|value| value == "1");
    assert!(
        !required,
        "IRIS_CLUSTER_REQUIRED=1, but there is no cluster: {why}"
    );
    // Past the capture of passing tests' output: nobody shall take a skipped test for one that passed.
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    let _ = writeln!(
        std::io::stderr(),
        "{name}: skipped: needs testbed/kubernetes/up and KUBECONFIG ({why})"
    );
    None
}

/// Only a cluster that was named is touched.
fn node_address() -> Result<String, String> {
    if std::env::var_os("KUBECONFIG").is_none() {
        return Err("KUBECONFIG is not set".to_owned());
    }
    let path = r#"jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}"#;
    let address = kubectl(&["get", "nodes", "-o", path, "--request-timeout=5s"])?;
    match address.parse::<std::net::IpAddr>() {
        Ok(address) if std::net::TcpListener::bind((address, 0)).is_ok() => Ok(address.to_string()),
        _ => Err(format!("the node {address} is not this machine")),
    }
}

fn kubectl(args: &[&str]) -> Result<String, String> {
    let output = Command::new("kubectl").args(args).output();
    let output = output.map_err(|error| format!("kubectl: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn apply(objects: &str) {
    let mut kubectl = Command::new("kubectl")
        .args(["apply", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = kubectl.stdin.take().unwrap();
    stdin.write_all(objects.as_bytes()).unwrap();
    drop(stdin);
    assert!(kubectl.wait().unwrap().success());
}

/// A verifier that runs.
pub struct Running {
    child: Child,
    pub out: PathBuf,
}

/// Starts `verifier run` on the namespace's service, with its receiver where the pods send to.
pub fn verifier(namespace: &Namespace, out: &Path, args: &[&str]) -> Running {
    let port = namespace.otlp.port();
    let http = free_address();
    let child = Command::new(env!("CARGO_BIN_EXE_verifier"))
        .args([
            "run",
            "--headless",
            "--json",
            "--seed",
            "7",
            "--namespace",
            &namespace.name,
        ])
        .args(["--otlp-grpc", &format!("0.0.0.0:{port}")])
        .args(["--otlp-http", &http.to_string()])
        .args(args)
        .arg("--out")
        .arg(out)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(out.with_extension("stderr")).unwrap())
        .spawn()
        .unwrap();
    Running {
        child,
        out: out.to_owned(),
    }
}

impl Running {
    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.out.with_extension("stderr")).unwrap_or_default()
    }

    /// Waits for its end; its verdict.
    pub fn verdict(self) -> serde_json::Value {
        let output = self.child.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let said = std::fs::read_to_string(self.out.with_extension("stderr"));
            panic!("{error}: {}", said.unwrap_or_default())
        })
    }
}
