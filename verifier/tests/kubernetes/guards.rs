//! What keeps faults from what they must not touch: labels, owners, permissions, other runs. Refused before any load.

use crate::faults::{Place, told};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

fn fault(action: &str, cluster: &str) -> String {
    format!("[cluster]\n{cluster}\n[[fault]]\nname = 'it'\naction = '{action}'\nat = '500ms'\n")
}

/// It says so, with exit code 2, before it makes a run folder, and touches no pod.
fn assert_refused(place: &Place, plan: &str, more: &[&str], why: &[&str]) {
    let before = place.pods();
    let output = place.run("refused", &[&[plan], more].concat());
    let told = told(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    for why in why {
        assert!(told.contains(why), "{why}: {told}");
    }
    assert!(!place.out("refused").exists());
    assert_eq!(place.pods(), before);
}

#[test]
fn only_the_deployments_own_pods_are_touched() {
    let Some(place) = Place::new("iris-guards-label") else {
        return;
    };
    let other = place.plan(2, &fault("delete_pod", "label = 'app=other'"));
    let why =
        ["does not select its pods by cluster.label app=other, but by app=iris-prediction-api"];
    assert_refused(&place, &other, &[], &why);
    let nothing = place.plan(2, &fault("delete_pod", "deployment = 'nothing'"));
    assert_refused(
        &place,
        &nothing,
        &[],
        &["there is no Deployment \"nothing\""],
    );
    let collector = place.plan(2, &fault("restart_collector", ""));
    let tried = place.run("tried", &[&collector, "--dry-run"]);
    let why = "no pod in namespace iris-guards-label carries app=otel-collector";
    assert!(told(&tried).contains(why), "{}", told(&tried));
    assert_eq!(tried.status.code(), Some(2));

    place.namespace.kubectl(&[
        "run",
        "stray",
        "--image=iris-prediction-api:0.1.0",
        "--image-pull-policy=Never",
        "--labels=app=iris-prediction-api",
    ]);
    let plan = place.plan(2, &fault("delete_pod", ""));
    let why = ["pod iris-guards-label/stray carries app=iris-prediction-api and belongs to nobody"];
    assert_refused(&place, &plan, &[], &why);
}

#[test]
fn one_run_at_a_time() {
    let Some(place) = Place::new("iris-guards-lease") else {
        return;
    };
    let lease = |renewed: &str| {
        let object = format!(
            r#"{{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{{"name":"verifier-iris-prediction-api","namespace":"iris-guards-lease"}},
            "spec":{{"holderIdentity":"another@somewhere","leaseDurationSeconds":30,"renewTime":"{renewed}"}}}}"#
        );
        let mut kubectl = Command::new("kubectl");
        let child = kubectl
            .args(["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let mut child = child.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(object.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
    };
    let plan = place.plan(2, &fault("delete_pod", ""));
    lease("2125-01-01T00:00:00.000000Z");
    let why = [
        "another run has the lease",
        "run another@somewhere, until 2125-01-01T00:00:30Z",
    ];
    assert_refused(&place, &plan, &[], &why);
    let without = place.run("without", &[&plan, "--no-faults"]);
    assert_eq!(without.status.code(), Some(0), "{}", told(&without));
    lease("2025-01-01T00:00:00.000000Z");
    let taken = place.run("taken", &[&plan]);
    assert!(
        told(&taken).contains("did not give it back"),
        "{}",
        told(&taken)
    );
    assert_eq!(
        place.faults("taken").0[0].objects.len(),
        1,
        "{}",
        told(&taken)
    );
}

/// A kubeconfig with the rights of a ServiceAccount.
fn as_account(place: &Place, account: &str) -> String {
    let of_cluster = |path: &str| {
        let path = format!("jsonpath={{.clusters[0].cluster.{path}}}");
        place
            .namespace
            .kubectl(&["config", "view", "--raw", "--minify", "-o", &path])
    };
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: '{}', certificate-authority-data: '{}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         users: [{{name: u, user: {{token: '{}'}}}}]\n",
        of_cluster("server"),
        of_cluster("certificate-authority-data"),
        place
            .namespace
            .kubectl(&["create", "token", account])
            .trim(),
    );
    let path = place.out(&format!("{account}.kubeconfig"));
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_the_account_may_not_do_is_said_before() {
    let Some(place) = Place::new("iris-guards-rights") else {
        return;
    };
    let kubectl = |args: &[&str]| place.namespace.kubectl(args);
    kubectl(&["create", "serviceaccount", "looker"]);
    kubectl(&[
        "create",
        "role",
        "look",
        "--verb=get,list,watch",
        "--resource=pods,deployments.apps,replicasets.apps,horizontalpodautoscalers.autoscaling,services,endpointslices.discovery.k8s.io",
    ]);
    kubectl(&[
        "create",
        "rolebinding",
        "look",
        "--role=look",
        "--serviceaccount=iris-guards-rights:looker",
    ]);
    let config = as_account(&place, "looker");
    let plan = place.plan(2, &fault("delete_pod", ""));
    let why = [
        "may not do in namespace \"iris-guards-rights\"",
        "delete pods",
        "create leases.coordination.k8s.io",
        "the Role verifier-faults",
    ];
    assert_refused(&place, &plan, &["--kubeconfig", &config], &why);
    kubectl(&[
        "create",
        "role",
        "break",
        "--verb=get,create,update",
        "--resource=leases.coordination.k8s.io",
    ]);
    kubectl(&[
        "create",
        "rolebinding",
        "break",
        "--role=break",
        "--serviceaccount=iris-guards-rights:looker",
    ]);
    kubectl(&[
        "create",
        "role",
        "delete",
        "--verb=delete",
        "--resource=pods",
    ]);
    kubectl(&[
        "create",
        "rolebinding",
        "delete",
        "--role=delete",
        "--serviceaccount=iris-guards-rights:looker",
    ]);
    let config = ["--kubeconfig", config.as_str()];
    let tried = place.run(
        "tried",
        &[&[plan.as_str(), "--dry-run"], &config[..]].concat(),
    );
    assert_eq!(tried.status.code(), Some(0), "{}", told(&tried));
    let cordon = place.plan(2, &fault("cordon", ""));
    let why = ["patch nodes", "the ClusterRole iris-verifier-cordon"];
    assert_refused(&place, &cordon, &config, &why);
}
