//! What metrics-server says of the Deployment's pods, asked every few seconds: what is new of it, as lines of the journal.

use super::board::Board;
use super::failure::Failure;
use super::pause::Pause;
use super::reading::{duration_ns, milli, unix_ns};
use crate::record::Observation;
use crate::record::cluster::{self as seen, PodUsage, Watched};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, ObjectMeta, Time};
use kube::Client;
use kube::api::ListParams;
use kube::core::Request;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const EVERY: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const GROUP: &str = "/apis/metrics.k8s.io";
/// Its versions, in the order in which they are asked for.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// Of one pod, as either version gives it.
#[derive(Clone, Debug, Deserialize)]
struct OfPod {
    metadata: ObjectMeta,
    timestamp: Option<Time>,
    #[serde(default)]
    window: String,
    #[serde(default)]
    containers: Vec<OfContainer>,
}

#[derive(Clone, Debug, Deserialize)]
struct OfContainer {
    #[serde(default)]
    usage: BTreeMap<String, Quantity>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    items: Vec<OfPod>,
}

/// Asks until the task is ended from outside.
pub(super) async fn watch(board: Arc<Board>) {
    let mut known = BTreeMap::new();
    let mut version = None;
    let mut pause = Pause::default();
    loop {
        match ask(&board, &mut version).await {
            Ok(pods) => {
                board.sees(Watched::PodMetrics);
                let pods = new(pods, &mut known);
                if !pods.is_empty() {
                    let pods = seen::PodMetrics { pods };
                    board.recorder.observe(Observation::PodMetrics(pods));
                }
                pause = Pause::default();
                sleep(EVERY).await;
            }
            Err(failure) => {
                version = None;
                board.failed(Watched::PodMetrics, &failure);
                sleep(pause.after(&failure)).await;
            }
        }
    }
}

async fn ask(board: &Board, version: &mut Option<String>) -> Result<Vec<OfPod>, Failure> {
    let client = { board.client().await }.map_err(|e| Failure::Broken(format!("{e:#}")))?;
    let version = match version {
        Some(version) => version,
        None => version.insert(timeout(ANSWER_WITHIN, discover(&client)).await??),
    };
    let path = format!("{GROUP}/{version}/namespaces/{}/pods", board.plan.namespace);
    let params = ListParams::default().labels(&board.plan.label);
    let request = Request::new(path).list(&params);
    let request = request.map_err(|error| Failure::Broken(error.to_string()))?;
    let answer = timeout(ANSWER_WITHIN, client.request::<Answer>(request)).await??;
    Ok(answer.items)
}

/// The version that the server has.
async fn discover(client: &Client) -> Result<String, Failure> {
    let none =
        || Failure::Absent("the cluster has no metrics.k8s.io: no metrics-server?".to_owned());
    let request = http::Request::get(GROUP).body(Vec::new());
    let request = request.map_err(|error| Failure::Broken(error.to_string()))?;
    let group = client.request::<APIGroup>(request).await;
    let group = group.map_err(|error| match Failure::from(error) {
        Failure::Absent(_) => none(),
        failure => failure,
    })?;
    let has = |version: &&&str| {
        group
            .versions
            .iter()
            .any(|known| known.version == **version)
    };
    let version = VERSIONS.iter().find(has).ok_or_else(none)?;
    Ok((*version).to_owned())
}

/// Those whose window is another than last time.
fn new(pods: Vec<OfPod>, known: &mut BTreeMap<String, Option<u64>>) -> Vec<PodUsage> {
    let usages = pods.iter().map(usage);
    let new = usages.filter(|usage| {
        known.insert(usage.pod.clone(), usage.at_unix_ns) != Some(usage.at_unix_ns)
    });
    new.collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates"
)]
fn usage(pod: &OfPod) -> PodUsage {
    let sum = |name: &str| -> f64 {
        let quantities = pod.containers.iter().filter_map(|c| c.usage.get(name));
        quantities.filter_map(milli).sum()
    };
    PodUsage {
        pod: pod.metadata.name.clone().unwrap_or_default(),
        cpu_milli: sum("cpu"),
        memory_bytes: (sum("memory") / 1e3) as u64,
        at_unix_ns: unix_ns(pod.timestamp.as_ref()),
        window_ns: duration_ns(&pod.window),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_told_again() {
        let answer = |second: u32| -> Vec<OfPod> {
            let answer = serde_json::json!({ "kind": "PodMetricsList", "items": [{
                "metadata": { "name": "iris-1", "labels": { "app": "iris-prediction-api" } },
                "timestamp": format!("2026-11-29T01:02:{second:02}Z"), "window": "15.5s",
                "containers": [
                    { "name": "iris-prediction-api", "usage": { "cpu": "251123456n", "memory": "20Mi" } },
                    { "name": "proxy", "usage": { "cpu": "1m", "memory": "1Ki" } }
                ]
            }] });
            serde_json::from_value::<Answer>(answer).unwrap().items
        };
        let mut known = BTreeMap::new();
        let told = new(answer(3), &mut known);
        let expected = PodUsage {
            pod: "iris-1".to_owned(),
            cpu_milli: told[0].cpu_milli,
            memory_bytes: (20 << 20) + 1024,
            at_unix_ns: Some(1_795_914_123_000_000_000),
            window_ns: 15_500_000_000,
        };
        assert_eq!(told, [expected]);
        assert!((told[0].cpu_milli - 252.123_456).abs() < 1e-6);
        assert_eq!(new(answer(3), &mut known), []);
        assert_eq!(new(answer(18), &mut known).len(), 1);
    }
}
