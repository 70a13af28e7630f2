//! The verifier on a real Kubernetes: what it sees of it, and of the pods that end while the load runs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod cluster;
mod faults;
mod guards;
#[path = "../testbed/mod.rs"]
mod testbed;

use cluster::{Namespace, verifier};
use std::collections::BTreeSet;
use verifier::record::cluster::{Pod, Watched};
use verifier::record::{Observation, read_journal};

fn observations(run: &std::path::Path) -> Vec<Observation> {
    let journal = read_journal(&run.join("journal.jsonl")).unwrap_or_default();
    journal.into_iter().map(|entry| entry.observation).collect()
}

#[test]
fn a_pod_that_is_deleted_under_load_is_seen_to_its_last_words() {
    let Some(namespace) = Namespace::with_the_service("iris-watch") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let running = verifier(&namespace, &out, &["-R", "200", "-d", "8s"]);
    let loading = |out: &std::path::Path| {
        let stages = observations(out).into_iter();
        stages
            .filter(|o| matches!(o, Observation::StageStarted { .. }))
            .count()
            > 0
    };
    testbed::wait_until(|| loading(&out), || running.said());
    let victim = namespace.pods().remove(0);
    namespace.kubectl(&["delete", "pod", &victim, "--wait=false"]);
    let said = running.said();
    let verdict = running.verdict();
    let observations = observations(&out);

    assert!(said.contains("watching namespace iris-watch"), "{said}");
    assert!(
        said.contains("its ClusterIP") && said.contains("2 of 2 replicas ready"),
        "{said}"
    );
    for of in [
        Watched::Hpa,
        Watched::Deployment,
        Watched::Pods,
        Watched::Endpoints,
        Watched::Events,
        Watched::Nodes,
    ] {
        let listed = |o: &Observation| matches!(o, Observation::WatchState(state) if state.of == of && state.error.is_none());
        assert!(observations.iter().any(listed), "{of:?}");
    }
    let pods: Vec<&Pod> = observations
        .iter()
        .filter_map(|o| match o {
            Observation::Pod(pod) => Some(&**pod),
            _ => None,
        })
        .collect();
    let names: BTreeSet<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(
        names.len(),
        3,
        "two, and one in place of the one that was deleted: {names:?}"
    );
    let of_victim: Vec<_> = pods.iter().filter(|pod| pod.name == victim).collect();
    assert!(
        of_victim
            .iter()
            .any(|pod| pod.deletion_unix_ns.is_some() && !pod.deleted)
    );
    assert!(of_victim.last().unwrap().deleted);

    let last = observations.iter().rev().find_map(|o| match o {
        Observation::ServiceBooks(books) if books.pod == victim => Some(books),
        _ => None,
    });
    let last = last.unwrap();
    assert!(
        last.last && last.started > 0 && last.queued == 0,
        "{last:?}"
    );
    assert_eq!(verdict["outcome"], "pass", "{verdict:#}\n{said}");
    assert_eq!(verdict["services"].as_array().unwrap().len(), 3);
}
