//! Faults on the testbed's Kubernetes: what is hit, by its UID; what the API says to it; how it is left behind.

use crate::cluster::Namespace;
use crate::testbed::{free_address, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;
use verifier::record::cluster::FaultDone;
use verifier::record::{Observation, read_journal};

/// A namespace with the service in it, and a folder for plans and runs.
pub struct Place {
    pub namespace: Namespace,
    folder: TempDir,
}

impl Place {
    pub fn new(name: &str) -> Option<Place> {
        Some(Place {
            namespace: Namespace::with_the_service(name)?,
            folder: TempDir::new().unwrap(),
        })
    }

    /// Writes a plan: a little load in one stage, and what is given.
    pub fn plan(&self, seconds: u32, more: &str) -> String {
        let path = self.folder.path().join("plan.toml");
        let text = format!(
            "name = 'faults'\nthresholds = ['error_rate==0']\n[traces]\nspans = []\n\
             [[stage]]\nname = 'one'\nkind = 'rate'\nrate = 20\nduration = '{seconds}s'\n\
             reuse = 'rotate'\nconnection_lifetime = '1s'\n{more}"
        );
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub fn out(&self, run: &str) -> PathBuf {
        self.folder.path().join(run)
    }

    pub fn command(&self, run: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_verifier"));
        command
            .args(["run", "--headless", "--seed", "3"])
            .args(["--namespace", &self.namespace.name])
            .args(["--otlp-grpc", &self.namespace.otlp.to_string()])
            .args(["--otlp-http", &free_address().to_string()])
            .args(args)
            .arg("--out")
            .arg(self.out(run));
        command
    }

    pub fn run(&self, run: &str, args: &[&str]) -> Output {
        self.command(run, args).output().unwrap()
    }

    /// Done and undone, in order.
    pub fn faults(&self, run: &str) -> (Vec<FaultDone>, Vec<FaultDone>) {
        let journal = read_journal(&self.out(run).join("journal.jsonl")).unwrap();
        let (mut done, mut undone) = (Vec::new(), Vec::new());
        for entry in journal {
            match entry.observation {
                Observation::FaultDone(fault) => done.push(fault),
                Observation::FaultUndone(fault) => undone.push(fault),
                _ => {}
            }
        }
        (done, undone)
    }

    /// `name uid` of every pod that is not being deleted, sorted.
    pub fn pods(&self) -> Vec<(String, String)> {
        let template = "{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} {{.metadata.uid}}\n{{end}}{{end}}";
        let template = format!("go-template={template}");
        let pods = self.namespace.kubectl(&[
            "get",
            "pods",
            "-l",
            "app=iris-prediction-api",
            "-o",
            &template,
        ]);
        let pods = pods.lines().filter_map(|line| line.split_once(' '));
        let mut pods: Vec<_> = pods
            .map(|(name, uid)| (name.to_owned(), uid.to_owned()))
            .collect();
        pods.sort();
        pods
    }

    pub fn replicas(&self) -> i32 {
        let path = "jsonpath={.spec.replicas}";
        let replicas =
            self.namespace
                .kubectl(&["get", "deployment/iris-prediction-api", "-o", path]);
        replicas.parse().unwrap()
    }

    pub fn rolled_out(&self) {
        let name = "deployment/iris-prediction-api";
        self.namespace
            .kubectl(&["rollout", "status", name, "--timeout=120s"]);
    }
}

pub fn told(output: &Output) -> String {
    format!(
        "{:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

const DELETE: &str = "[cluster]\n[[fault]]\nname = 'it'\naction = 'delete_pod'\nat = '1s'\n";

#[test]
fn a_pod_is_deleted_in_its_own_time_and_one_by_force() {
    let Some(place) = Place::new("iris-faults-delete") else {
        return;
    };
    for (action, word) in [
        ("delete_pod", "deleting"),
        ("force_delete_pod", "deleting by force"),
    ] {
        place.rolled_out();
        let before = place.pods();
        let plan = place.plan(5, &DELETE.replace("delete_pod", action));
        let output = place.run(action, &[&plan]);
        let told = told(&output);
        let (done, undone) = place.faults(action);
        assert_eq!(done.len(), 1, "{told}");
        assert_eq!(done[0].errors, Vec::<String>::new());
        let hit = &done[0].objects[0];
        let victim = (hit.name.clone(), hit.uid.clone());
        assert!(before.contains(&victim), "{victim:?} of {before:?}");
        let said = format!(
            "fault it: {word}{} pod iris-faults-delete/{} (uid {})",
            if action == "delete_pod" {
                ""
            } else {
                " (grace period 0)"
            },
            hit.name,
            hit.uid
        );
        assert!(told.contains(&said), "{said}\n{told}");
        assert!(undone.is_empty());
        place.rolled_out();
        let after = place.pods();
        assert!(!after.contains(&victim));
        let kept = before.iter().filter(|pod| after.contains(pod)).count();
        assert_eq!((kept, after.len()), (1, 2), "one hit, one in its place");
        // It drains before it ends, and new connections go elsewhere.
        if action == "delete_pod" {
            assert_eq!(output.status.code(), Some(0), "{told}");
        }
    }
    let holder = [
        "get",
        "lease/verifier-iris-prediction-api",
        "-o",
        "jsonpath={.spec.holderIdentity}",
    ];
    assert_eq!(place.namespace.kubectl(&holder), "", "given back");
}

#[test]
fn all_pods_at_once_and_a_rolling_update() {
    let Some(place) = Place::new("iris-faults-all") else {
        return;
    };
    let before = place.pods();
    let plan = place.plan(6, &DELETE.replace("delete_pod", "delete_all_pods"));
    place.run("all", &[&plan]);
    let (done, _) = place.faults("all");
    let mut hit: Vec<_> = { done[0].objects.iter() }
        .map(|hit| (hit.name.clone(), hit.uid.clone()))
        .collect();
    hit.sort();
    assert_eq!(hit, before);
    place.rolled_out();
    let before = place.pods();
    let plan = place.plan(4, &DELETE.replace("delete_pod", "rollout_restart"));
    let output = place.run("update", &[&plan]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let (done, undone) = place.faults("update");
    assert!(
        done[0].objects[0]
            .what
            .contains("rolling update of 2 replicas"),
        "{done:?}"
    );
    assert!(undone.is_empty());
    place.rolled_out();
    let after = place.pods();
    assert!(
        !before.iter().any(|pod| after.contains(pod)),
        "{before:?} {after:?}"
    );
}

#[test]
fn an_eviction_is_the_budgets_to_allow() {
    let Some(place) = Place::new("iris-faults-evict") else {
        return;
    };
    place.namespace.kubectl(&[
        "create",
        "pdb",
        "budget",
        "--selector=app=iris-prediction-api",
        "--min-available=2",
    ]);
    let healthy = [
        "get",
        "pdb/budget",
        "-o",
        "jsonpath={.status.currentHealthy}",
    ];
    wait_until(
        || place.namespace.kubectl(&healthy) == "2",
        || "no budget".to_owned(),
    );
    let before = place.pods();
    let plan = place.plan(3, &DELETE.replace("delete_pod", "evict_pod"));
    let tried = place.run("tried", &[&plan, "--dry-run"]);
    assert_eq!(tried.status.code(), Some(2));
    assert!(
        told(&tried).contains("a PodDisruptionBudget refused its eviction"),
        "{}",
        told(&tried)
    );
    place.run("refused", &[&plan]);
    let (done, _) = place.faults("refused");
    assert!(done[0].objects.is_empty());
    assert!(
        done[0].errors[0].contains("a PodDisruptionBudget refused"),
        "{done:?}"
    );
    assert_eq!(place.pods(), before);
    place.namespace.kubectl(&[
        "patch",
        "pdb/budget",
        "-p",
        r#"{"spec":{"minAvailable":1}}"#,
    ]);
    let allowed = [
        "get",
        "pdb/budget",
        "-o",
        "jsonpath={.status.disruptionsAllowed}",
    ];
    wait_until(
        || place.namespace.kubectl(&allowed) == "1",
        || "still".to_owned(),
    );
    let tried = place.run("tried", &[&plan, "--dry-run"]);
    assert_eq!(tried.status.code(), Some(0), "{}", told(&tried));
    assert!(
        told(&tried).contains("would be evicted, number"),
        "{}",
        told(&tried)
    );
    assert_eq!(place.pods(), before, "nothing is touched");
    place.run("evicted", &[&plan]);
    let (done, _) = place.faults("evicted");
    assert_eq!(done[0].errors, Vec::<String>::new());
    assert!(
        !place
            .pods()
            .iter()
            .any(|(_, uid)| *uid == done[0].objects[0].uid)
    );
}

const SCALE: &str =
    "[cluster]\n[[fault]]\nname = 'it'\naction = 'scale'\nreplicas = 3\nat = '500ms'\n";

/// Starts a run and waits until its fault is done.
fn begun(place: &Place, run: &str, plan: &str) -> std::process::Child {
    let log = fs::File::create(place.out(run).with_extension("log")).unwrap();
    let mut command = place.command(run, &[plan]);
    let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let journal = place.out(run).join("journal.jsonl");
    let said = || fs::read_to_string(place.out(run).with_extension("log")).unwrap_or_default();
    wait_until(
        || fs::read_to_string(&journal).is_ok_and(|j| j.contains("\"fault_done\"")),
        said,
    );
    child
}

#[test]
fn the_scale_is_left_as_it_was_found() {
    let Some(place) = Place::new("iris-faults-scale") else {
        return;
    };
    place.namespace.kubectl(&["delete", "hpa", "--all"]);
    let plan = place.plan(3, &format!("{SCALE}lasts = '1s'\n"));
    let output = place.run("lasts", &[&plan]);
    let (done, undone) = place.faults("lasts");
    assert_eq!(
        done[0].objects[0].what,
        "replicas 2 -> 3",
        "{}",
        told(&output)
    );
    assert_eq!(undone[0].objects[0].what, "replicas 3 -> 2");
    assert_eq!(place.replicas(), 2);

    let plan = place.plan(60, SCALE);
    let mut child = begun(&place, "interrupted", &plan);
    assert_eq!(place.replicas(), 3);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(place.replicas(), 2);

    let mut child = begun(&place, "somebody", &plan);
    place
        .namespace
        .kubectl(&["scale", "deployment/iris-prediction-api", "--replicas=1"]);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    assert_eq!(place.replicas(), 1, "somebody else's");
    let (_, undone) = place.faults("somebody");
    assert!(
        undone[0].errors[0].contains("somebody else has"),
        "{undone:?}"
    );
}

/// It switches its HPA off at 0, and is not left there.
#[test]
fn an_hpa_gets_its_deployment_back() {
    let Some(place) = Place::new("iris-faults-hpa") else {
        return;
    };
    let plan = place.plan(3, &SCALE.replace("replicas = 3", "replicas = 0"));
    let output = place.run("zero", &[&plan]);
    let (done, undone) = place.faults("zero");
    let what = &done[0].objects[0].what;
    assert!(
        what.starts_with("replicas 2 -> 0, against the HPA"),
        "{what} {}",
        told(&output)
    );
    assert_eq!(undone[0].objects[0].what, "replicas 0 -> 2");
    assert_eq!(place.replicas(), 2);
    place.rolled_out();
    let plan = place.plan(3, SCALE);
    place.run("within", &[&plan]);
    let (_, undone) = place.faults("within");
    let what = &undone[0].objects[0].what;
    assert!(
        what.contains("left to the HPA iris-prediction-api-hpa (2 to 3)"),
        "{what}"
    );
}
