//! Pods that end: their span books from their log, or its last lines.

use super::*;
use verifier::record::ServiceBooks;

fn books(w: &Watching) -> Vec<ServiceBooks> {
    w.of(|o| match o {
        Observation::ServiceBooks(books) => Some(books),
        _ => None,
    })
}

fn logs(w: &Watching) -> Vec<(String, Vec<String>)> {
    w.of(|o| match o {
        Observation::PodLog { pod, lines } => Some((pod, lines)),
        _ => None,
    })
}

/// The line that a service logs when it has ended well.
fn last_line(started: u64) -> String {
    let books = json!({ "started": started, "recovered": 0, "queued": 0, "in_flight": 0, "acknowledged": started,
        "lost": {}, "left_on_disk": 0, "refused_requests": 0 });
    let line = json!({ "message": "all spans were delivered", "books": books.to_string(), "service.instance.id": "instance-1" });
    format!("{line}\n")
}

fn deleting(name: &str) -> Value {
    let mut pod = pod(name, false);
    pod["metadata"]["deletionTimestamp"] = "2100-01-01T00:00:00Z".into();
    pod["metadata"]["deletionGracePeriodSeconds"] = 60.into();
    pod
}

#[tokio::test]
async fn the_log_of_a_pod_that_is_deleted_is_followed_to_its_books() {
    let watching = Watching::new().await;
    watching.server.put(PODS, pod("a", true));
    let cluster = watching.start().await;
    watching
        .server
        .log("a", "{\"message\":\"serving\"}\n", false);
    watching.server.put(PODS, deleting("a"));
    watching
        .until(|w| w.server.asked(&format!("{PODS}/a/log"), false) == 1)
        .await;
    assert_eq!(cluster.ending(), ["a"]);
    watching.server.log("a", &last_line(42), true);
    watching.until(|w| books(w).len() == 1).await;
    watching.server.delete(PODS, "a");
    watching.until(|_| cluster.ending().is_empty()).await;
    let last = &books(&watching)[0];
    assert_eq!(
        (last.source.as_str(), last.pod.as_str()),
        ("instance-1", "a")
    );
    assert_eq!((last.started, last.acknowledged, last.last), (42, 42, true));
    assert_eq!(logs(&watching), []);
}

#[tokio::test]
async fn a_container_that_failed_leaves_its_last_lines() {
    let watching = Watching::new().await;
    watching.server.put(PODS, pod("a", true));
    let _cluster = watching.start().await;
    let lines: String = (0..30).map(|number| format!("line {number}\n")).collect();
    watching.server.log("a", &lines, true);
    let mut failed = pod("a", false);
    let ended =
        json!({ "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2100-01-01T00:00:00Z" });
    failed["status"]["containerStatuses"][0]["lastState"] = json!({ "terminated": ended });
    failed["status"]["containerStatuses"][0]["restartCount"] = 1.into();
    watching.server.put(PODS, failed);
    watching.until(|w| logs(w).len() == 1).await;
    let (pod, lines) = &logs(&watching)[0];
    assert_eq!((pod.as_str(), lines.len()), ("a", 20));
    assert_eq!(
        (lines[0].as_str(), lines[19].as_str()),
        ("line 10", "line 29")
    );
}

#[tokio::test]
async fn logs_that_may_not_be_read_are_said_once() {
    let watching = Watching::new().await;
    for name in ["a", "b"] {
        watching.server.put(PODS, pod(name, true));
        watching.server.refuse(
            &format!("{PODS}/{name}/log"),
            403,
            "pods \"a\" is forbidden: cannot get resource \"pods/log\"",
        );
    }
    let cluster = watching.start().await;
    for name in ["a", "b"] {
        watching.server.put(PODS, deleting(name));
    }
    watching
        .until(|w| w.server.asked(&format!("{PODS}/b/log"), false) == 1)
        .await;
    for name in ["a", "b"] {
        watching.server.delete(PODS, name);
    }
    watching.until(|_| cluster.ending().is_empty()).await;
    let states = watching.states(Watched::PodLogs);
    assert_eq!(states.len(), 1, "{states:?}");
    assert!(states[0].refused && states[0].error.as_ref().unwrap().contains("pods/log"));
    assert_eq!((books(&watching), logs(&watching)), (vec![], vec![]));
}
