//! The watches of a cluster against an API server that forgets, cuts, refuses and comes back: what the journal holds.

mod api_server;
mod broken;
mod last_words;
mod service;

use api_server::ApiServer;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use verifier::plan;
use verifier::record::cluster::{Pod, WatchState, Watched};
use verifier::record::{Clock, Entry, Observation, Recording, RunFolder, RunKey, read_journal};
use verifier::run::cluster::Cluster;
use verifier::run::kubernetes::Access;

const PODS: &str = "/api/v1/namespaces/iris/pods";
const NODES: &str = "/api/v1/nodes";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/iris/deployments";
const HPAS: &str = "/apis/autoscaling/v2/namespaces/iris/horizontalpodautoscalers";
const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/iris/endpointslices";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/iris/events";
const METRICS: &str = "/apis/metrics.k8s.io";

/// A run folder's journal, and what is needed to watch.
struct Watching {
    server: ApiServer,
    folder: tempfile::TempDir,
    run: RunFolder,
    recording: Recording,
}

impl Watching {
    async fn new() -> Watching {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(&folder.path().join("run")).unwrap();
        let key = RunKey::from_seed(7);
        let recording = Recording::start(&run, Clock::start(), key, &[]).unwrap();
        let watching = Watching {
            server: ApiServer::start().await,
            folder,
            run,
            recording,
        };
        watching.write_kubeconfig("first");
        watching.server.put(DEPLOYMENTS, deployment(2));
        watching.server.put(HPAS, hpa(2));
        watching.server.put(SLICES, slice(&["a"]));
        watching.server.refuse(
            METRICS,
            404,
            "the server could not find the requested resource",
        );
        watching
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn write_kubeconfig(&self, token: &str) {
        let server = format!("http://{}", self.server.address);
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{ "name": "c", "cluster": { "server": server } }],
            "users": [{ "name": "u", "user": { "token": token } }],
            "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "u" } }]
        });
        std::fs::write(self.kubeconfig(), config.to_string()).unwrap();
    }

    fn access(&self) -> Access {
        Access {
            kubeconfig: Some(self.kubeconfig()),
            context: None,
        }
    }

    async fn start(&self) -> Cluster {
        self.try_start().await.unwrap()
    }

    async fn try_start(&self) -> anyhow::Result<Cluster> {
        let plan = plan::Cluster::default();
        Cluster::start(&plan, &self.access(), self.recording.recorder()).await
    }

    fn journal(&self) -> Vec<Entry> {
        read_journal(&self.run.journal()).unwrap()
    }

    /// What the journal holds of one kind.
    fn of<T>(&self, of: impl Fn(Observation) -> Option<T>) -> Vec<T> {
        let journal = self.journal().into_iter();
        journal.filter_map(|entry| of(entry.observation)).collect()
    }

    fn pods(&self) -> Vec<Pod> {
        self.of(|o| match o {
            Observation::Pod(pod) => Some(*pod),
            _ => None,
        })
    }

    fn states(&self, of: Watched) -> Vec<WatchState> {
        self.of(|o| match o {
            Observation::WatchState(state) if state.of == of => Some(state),
            _ => None,
        })
    }

    /// Waits until it holds, for a minute.
    async fn until(&self, holds: impl Fn(&Watching) -> bool) {
        for _ in 0..6_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited in vain: {:#?}", self.journal());
    }
}

fn labelled(name: &str) -> Value {
    json!({ "name": name, "uid": name, "namespace": "iris", "labels": { "app": "iris-prediction-api" } })
}

fn deployment(replicas: u32) -> Value {
    json!({ "metadata": labelled("iris-prediction-api"), "spec": { "replicas": replicas, "selector": {}, "template": {} } })
}

fn hpa(desired: u32) -> Value {
    json!({
        "metadata": labelled("iris-prediction-api-hpa"),
        "spec": { "minReplicas": 2, "maxReplicas": 10, "scaleTargetRef": { "kind": "Deployment", "name": "d" } },
        "status": { "desiredReplicas": desired }
    })
}

fn slice(pods: &[&str]) -> Value {
    let endpoint = |pod: &&str| json!({ "addresses": ["10.0.0.1"], "targetRef": { "kind": "Pod", "uid": pod } });
    let endpoints: Vec<Value> = pods.iter().map(endpoint).collect();
    let mut metadata = labelled("slice-1");
    metadata["labels"]["kubernetes.io/service-name"] = "iris-prediction-api-service".into();
    json!({ "metadata": metadata, "addressType": "IPv4", "endpoints": endpoints })
}

/// A pod of the Deployment.
fn pod(name: &str, ready: bool) -> Value {
    let ready = if ready { "True" } else { "False" };
    json!({
        "metadata": labelled(name),
        "spec": { "containers": [{ "name": "iris-prediction-api", "ports": [{ "name": "http", "containerPort": 8080 }] }] },
        "status": {
            "phase": "Running", "podIP": "127.0.0.1", "conditions": [{ "type": "Ready", "status": ready }],
            "containerStatuses": [{
                "name": "iris-prediction-api", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                "state": { "running": { "startedAt": "2026-11-29T01:02:03Z" } }
            }]
        }
    })
}

#[tokio::test]
async fn what_stands_at_the_start_is_in_the_journal_before_the_load() {
    let watching = Watching::new().await;
    watching.server.put(PODS, pod("a", true));
    let mut collector = pod("otel-collector-0", true);
    collector["metadata"]["labels"]["app"] = "otel-collector".into();
    watching.server.put(PODS, collector);
    let cluster = watching.start().await;
    let journal = watching.journal();
    let kinds: Vec<String> = journal
        .iter()
        .map(|entry| {
            serde_json::to_value(entry).unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .filter(|kind| kind != "dictionary")
        .collect();
    assert_eq!(kinds[0], "cluster_watched");
    for kind in ["hpa", "deployment", "pod", "endpoints", "watch_state"] {
        assert!(kinds.iter().any(|of| of == kind), "{kind}: {kinds:?}");
    }
    let pods = watching.pods();
    assert_eq!(pods.len(), 2);
    assert!(
        pods.iter()
            .any(|pod| pod.name == "otel-collector-0" && pod.collector)
    );
    assert_eq!(watching.states(Watched::Pods), [seen(Watched::Pods)]);
    // There is no metrics-server: said once, and nothing waits for it.
    let metrics = watching.states(Watched::PodMetrics);
    assert!(
        metrics[0].refused
            && metrics[0]
                .error
                .as_ref()
                .unwrap()
                .contains("metrics-server")
    );
    let live = watching.recording.recorder();
    assert_eq!(live.live().replicas(), (Some(2), Some(1)));
    let addresses = cluster.addresses().borrow().clone();
    assert_eq!(addresses["a"], "127.0.0.1:8080".parse().unwrap());
    assert_eq!(addresses.len(), 1);
}

fn seen(of: Watched) -> WatchState {
    WatchState {
        of,
        error: None,
        refused: false,
    }
}

#[tokio::test]
async fn only_what_changed_is_journalled() {
    let watching = Watching::new().await;
    watching.server.put(PODS, pod("a", false));
    let _cluster = watching.start().await;
    let mut other = pod("a", false);
    other["metadata"]["annotations"] = json!({ "nobody": "keeps this" });
    watching.server.put(PODS, other);
    watching.server.bookmark(PODS);
    watching.server.put(PODS, pod("a", true));
    watching.server.put(HPAS, hpa(5));
    watching.until(|w| w.pods().len() == 2).await;
    watching.server.delete(PODS, "a");
    watching.until(|w| w.pods().len() == 3).await;
    let pods = watching.pods();
    let states: Vec<_> = { pods.iter() }
        .map(|pod| (pod.ready, pod.deleted))
        .collect();
    assert_eq!(states, [(false, false), (true, false), (true, true)]);
    let recorder = watching.recording.recorder();
    watching
        .until(|_| recorder.live().replicas() == (Some(5), Some(0)))
        .await;
}

#[tokio::test]
async fn an_event_is_told_again_when_it_counts_on_and_one_from_before_the_run_is_not() {
    let watching = Watching::new().await;
    let event = |name: &str, count: u32, at: &str| {
        json!({
            "metadata": { "name": name, "uid": name }, "eventTime": null, "reason": "BackOff", "type": "Warning",
            "deprecatedCount": count, "deprecatedLastTimestamp": at, "regarding": { "kind": "Pod", "name": "a" }
        })
    };
    watching
        .server
        .put(EVENTS, event("old", 1, "2020-01-01T00:00:00Z"));
    watching
        .server
        .put(EVENTS, event("older", 1, "2019-01-01T00:00:00Z"));
    let _cluster = watching.start().await;
    let events = |w: &Watching| {
        w.of(|o| match o {
            Observation::Event(event) => Some((event.uid, event.count)),
            _ => None,
        })
    };
    assert_eq!(events(&watching), []);
    watching
        .server
        .put(EVENTS, event("old", 2, "2100-01-01T00:00:00Z"));
    watching
        .server
        .put(EVENTS, event("new", 1, "2100-01-01T00:00:00Z"));
    watching.server.delete(EVENTS, "older");
    watching
        .server
        .put(EVENTS, event("new", 2, "2100-01-01T00:00:01Z"));
    watching.until(|w| events(w).len() == 3).await;
    let told = [("old", 2), ("new", 1), ("new", 2)].map(|(uid, n)| (uid.to_owned(), n));
    assert_eq!(events(&watching), told);
}
