//! Pods in trouble, as a kubelet and a scheduler leave them, and what is kept of each.

use super::*;
use serde_json::{Value, json};

/// A pod with this status, of a Deployment with two containers.
fn of(metadata: Value, status: Value) -> Seen {
    let mut object = json!({
        "metadata": {
            "name": "iris-prediction-api-5d4-x7", "uid": "p-1", "creationTimestamp": "2026-11-29T01:02:00Z",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "iris-prediction-api-5d4", "uid": "rs", "controller": true }]
        },
        "spec": { "nodeName": "node-1", "containers": [
            { "name": "proxy", "ports": [{ "containerPort": 15001 }] },
            { "name": "iris-prediction-api", "ports": [{ "name": "grpc", "containerPort": 9 }, { "name": "http", "containerPort": 8080 }] }
        ] },
        "status": status
    });
    for (key, value) in metadata.as_object().unwrap() {
        object["metadata"][key] = value.clone();
    }
    seen(
        &serde_json::from_value(object).unwrap(),
        "iris-prediction-api",
        false,
    )
}

/// A container's status beside the proxy's.
fn containers(state: Value, last: Value, restarts: u32) -> Value {
    json!([
        { "name": "proxy", "image": "p", "imageID": "", "ready": true, "restartCount": 9, "state": { "running": {} } },
        { "name": "iris-prediction-api", "image": "i", "imageID": "", "ready": false, "restartCount": restarts, "state": state, "lastState": last }
    ])
}

fn conditions(ready: &str) -> Value {
    json!([
        { "type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-29T01:02:01Z" },
        { "type": "Ready", "status": ready, "lastTransitionTime": "2026-11-29T01:02:05Z" }
    ])
}

const AT_02_01: Option<u64> = Some(1_795_914_121_000_000_000);
const AT_02_03: Option<u64> = Some(1_795_914_123_000_000_000);
const AT_02_05: Option<u64> = Some(1_795_914_125_000_000_000);

#[test]
fn a_ready_pod_can_be_asked() {
    let state = json!({ "running": { "startedAt": "2026-11-29T01:02:03Z" } });
    let seen = of(
        json!({}),
        json!({
            "phase": "Running", "podIP": "10.202.0.9", "conditions": conditions("True"),
            "containerStatuses": containers(state, json!({}), 0)
        }),
    );
    let pod = &seen.pod;
    assert_eq!(
        (pod.owner.as_str(), pod.node.as_deref()),
        ("iris-prediction-api-5d4", Some("node-1"))
    );
    assert_eq!(
        (pod.scheduled_unix_ns, pod.started_unix_ns),
        (AT_02_01, AT_02_03)
    );
    assert_eq!((pod.ready, pod.ready_since_unix_ns), (true, AT_02_05));
    assert_eq!(
        (pod.restarts, &pod.terminated, &pod.waiting),
        (0, &None, &None)
    );
    assert_eq!(seen.container, "iris-prediction-api");
    assert_eq!(seen.address, Some("10.202.0.9:8080".parse().unwrap()));
}

#[test]
fn a_pod_that_is_being_deleted_still_answers() {
    let status = |ready: &str, state: Value| {
        json!({
            "phase": "Running", "podIP": "10.202.0.9", "conditions": conditions(ready),
            "containerStatuses": containers(state, json!({}), 0)
        })
    };
    let deleted =
        json!({ "deletionTimestamp": "2026-11-29T01:03:00Z", "deletionGracePeriodSeconds": 60 });
    let running = json!({ "running": { "startedAt": "2026-11-29T01:02:03Z" } });
    let seen = of(deleted.clone(), status("False", running));
    assert_eq!(seen.pod.deletion_unix_ns, Some(1_795_914_180_000_000_000));
    assert_eq!(seen.pod.grace_seconds, Some(60));
    assert!(seen.address.is_some());
    // Its container has ended; the log is whole only when another runs, or none will.
    let ended = json!({ "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": "2026-11-29T01:02:05Z" } });
    let seen = of(deleted, status("False", ended));
    assert_eq!(seen.pod.terminated.as_ref().unwrap().exit_code, 0);
    assert_eq!((seen.address, seen.ended), (None, None));
}

#[test]
fn out_of_memory_and_started_again() {
    let state = json!({ "running": { "startedAt": "2026-11-29T01:02:05Z" } });
    let last = json!({ "terminated": {
        "exitCode": 137, "reason": "OOMKilled", "startedAt": "2026-11-29T01:02:01Z", "finishedAt": "2026-11-29T01:02:03Z" } });
    let seen = of(
        json!({}),
        json!({ "phase": "Running", "podIP": "10.202.0.9", "conditions": conditions("False"), "containerStatuses": containers(state, last, 1) }),
    );
    let how = Terminated {
        reason: "OOMKilled".to_owned(),
        exit_code: 137,
        finished_unix_ns: AT_02_03,
    };
    assert_eq!((seen.pod.restarts, seen.pod.started_unix_ns), (1, AT_02_05));
    assert_eq!(seen.pod.terminated, Some(how.clone()));
    assert_eq!(
        seen.ended,
        Some(Ended {
            how,
            previous: true
        })
    );
    // Not ready, and not asked to end.
    assert_eq!(seen.address, None);
}

#[test]
fn a_crash_loop() {
    let state = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container" } });
    let last = json!({ "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": "2026-11-29T01:02:03Z" } });
    let seen = of(
        json!({}),
        json!({ "phase": "Running", "conditions": conditions("False"), "containerStatuses": containers(state, last, 4) }),
    );
    let waiting = seen.pod.waiting.unwrap();
    assert_eq!(
        (waiting.reason.as_str(), seen.pod.restarts),
        ("CrashLoopBackOff", 4)
    );
    assert!(waiting.message.starts_with("back-off 20s"));
    assert_eq!(seen.pod.terminated.unwrap().exit_code, 1);
    assert!(seen.ended.unwrap().previous);
}

#[test]
fn an_image_that_is_not_there() {
    let state = json!({ "waiting": { "reason": "ErrImageNeverPull", "message": "Container image is not present with pull policy of Never" } });
    let status = json!({ "phase": "Pending", "conditions": conditions("False"), "containerStatuses": containers(state, json!({}), 0) });
    let pod = of(json!({}), status).pod;
    assert_eq!(pod.waiting.unwrap().reason, "ErrImageNeverPull");
    assert_eq!((pod.started_unix_ns, pod.terminated), (None, None));
    // Behind an init container that waits.
    let state = json!({ "waiting": { "reason": "PodInitializing" } });
    let mut status =
        json!({ "phase": "Pending", "containerStatuses": containers(state, json!({}), 0) });
    assert_eq!(
        of(json!({}), status.clone()).pod.waiting.unwrap().reason,
        "PodInitializing"
    );
    status["initContainerStatuses"] = json!([
        { "name": "i", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": { "waiting": { "reason": "ImagePullBackOff" } } }
    ]);
    assert_eq!(
        of(json!({}), status).pod.waiting.unwrap().reason,
        "ImagePullBackOff"
    );
}

#[test]
fn a_pod_that_no_node_takes() {
    let status = json!({ "phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": "2026-11-29T01:02:01Z",
        "message": "0/1 nodes are available: 1 Insufficient cpu."
    }] });
    let pod = of(json!({}), status).pod;
    let expected = Why {
        reason: "Unschedulable".to_owned(),
        message: "0/1 nodes are available: 1 Insufficient cpu.".to_owned(),
    };
    assert_eq!((pod.pending, pod.scheduled_unix_ns), (Some(expected), None));
    assert_eq!(
        (pod.phase.as_str(), pod.ready, pod.waiting),
        ("Pending", false, None)
    );
}

#[test]
fn a_pod_that_was_evicted() {
    let eviction = json!({ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting" });
    let running = json!({ "running": {} });
    let mut status = json!({ "phase": "Running", "conditions": [eviction], "containerStatuses": containers(running, json!({}), 0) });
    let disruption = of(json!({}), status.clone()).pod.disruption.unwrap();
    assert_eq!(disruption.reason, "EvictionByEvictionAPI");
    status["conditions"][0]["status"] = json!("False");
    assert_eq!(of(json!({}), status).pod.disruption, None);

    // By a kubelet under pressure: what is left of the container says little.
    let gone = json!({ "terminated": { "exitCode": 137, "reason": "ContainerStatusUnknown", "finishedAt": null } });
    let status = json!({
        "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
        "containerStatuses": containers(gone, json!({}), 0)
    });
    let seen = of(json!({}), status);
    let disruption = seen.pod.disruption.unwrap();
    assert_eq!(
        (disruption.reason.as_str(), seen.pod.phase.as_str()),
        ("Evicted", "Failed")
    );
    assert!(!seen.ended.unwrap().previous);
}

#[test]
fn the_first_container_where_none_is_named_like_the_deployment() {
    let object = json!({
        "metadata": { "name": "p" },
        "spec": { "containers": [{ "name": "a", "ports": [{ "containerPort": 80 }] }, { "name": "b" }] },
        "status": { "podIP": "fd00::7", "conditions": conditions("True"), "containerStatuses": [
            { "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 2, "state": { "running": {} } }
        ] }
    });
    let seen = seen(
        &serde_json::from_value(object).unwrap(),
        "iris-prediction-api",
        true,
    );
    assert_eq!(
        (
            seen.container.as_str(),
            seen.pod.restarts,
            seen.pod.collector
        ),
        ("a", 2, true)
    );
    assert_eq!(seen.address, Some("[fd00::7]:80".parse().unwrap()));
}
