//! Watches that break: what is lost of what came between, and what the journal says of it.

use super::*;

#[tokio::test]
async fn what_vanished_while_the_api_forgot_is_gone() {
    let watching = Watching::new().await;
    watching.server.put(PODS, pod("a", true));
    watching.server.put(PODS, pod("b", true));
    let _cluster = watching.start().await;
    watching.server.set_away(true);
    watching.server.cut();
    watching.server.delete(PODS, "a");
    watching.server.put(PODS, pod("c", false));
    watching.server.forget();
    watching.until(|w| w.states(Watched::Pods).len() > 1).await;
    watching.server.set_away(false);
    watching
        .until(|w| {
            w.pods().len() == 4 && w.states(Watched::Pods).last() == Some(&seen(Watched::Pods))
        })
        .await;
    let pods = watching.pods();
    let after: Vec<_> = { pods[2..].iter() }
        .map(|pod| (pod.name.clone(), pod.deleted))
        .collect();
    assert_eq!(after, [("a".to_owned(), true), ("c".to_owned(), false)]);
    // b is as it was: it was listed again, and nothing is said of it.
    assert_eq!(
        watching.server.asked(PODS, false),
        4,
        "two kinds of pods, each listed twice"
    );
}

#[tokio::test]
async fn a_connection_that_is_cut_loses_nothing() {
    let watching = Watching::new().await;
    watching.server.put(PODS, pod("a", false));
    let _cluster = watching.start().await;
    watching.until(|w| w.server.asked(PODS, true) == 2).await;
    watching.server.cut();
    // Between the two a pod came and went.
    watching.server.put(PODS, pod("b", true));
    watching.server.delete(PODS, "b");
    watching.until(|w| w.pods().len() == 3).await;
    let pods = watching.pods();
    let seen: Vec<_> = { pods.iter() }
        .map(|pod| (pod.name.clone(), pod.deleted))
        .collect();
    assert_eq!(seen[1..], [("b".to_owned(), false), ("b".to_owned(), true)]);
    assert_eq!(
        watching.server.asked(PODS, false),
        2,
        "nothing was listed again"
    );
}

#[tokio::test]
async fn an_api_server_that_is_away_is_one_line_however_often_it_is_tried() {
    let watching = Watching::new().await;
    let _cluster = watching.start().await;
    watching.until(|w| w.server.asked(PODS, true) == 2).await;
    watching.server.set_away(true);
    watching.server.cut();
    watching
        .until(|w| w.states(Watched::Deployment).len() == 2)
        .await;
    watching.server.put(DEPLOYMENTS, deployment(7));
    // Some tries more.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    watching.server.set_away(false);
    watching
        .until(|w| w.states(Watched::Deployment).len() == 3)
        .await;
    let states = watching.states(Watched::Deployment);
    assert!(
        states[1].error.is_some() && !states[1].refused,
        "{states:?}"
    );
    assert_eq!(states[2], seen(Watched::Deployment));
    let desired = |w: &Watching| {
        w.of(|o| match o {
            Observation::Deployment(deployment) => Some(deployment.desired),
            _ => None,
        })
    };
    watching.until(|w| desired(w) == [2, 7]).await;
}

#[tokio::test]
async fn what_is_forbidden_or_not_there_stops_nothing() {
    let watching = Watching::new().await;
    let forbidden = r#"nodes is forbidden: User "verifier" cannot list resource "nodes" in API group "" at the cluster scope"#;
    watching.server.refuse(NODES, 403, forbidden);
    watching
        .server
        .refuse(EVENTS, 403, "events.events.k8s.io is forbidden");
    watching.server.delete(HPAS, "iris-prediction-api-hpa");
    let event = json!({
        "metadata": { "name": "e", "uid": "e" }, "reason": "Killing", "involvedObject": {}, "lastTimestamp": "2100-01-01T00:00:00Z"
    });
    watching.server.put("/api/v1/namespaces/iris/events", event);
    let _cluster = watching.start().await;
    let nodes = watching.states(Watched::Nodes);
    assert!(nodes[0].refused, "{nodes:?}");
    let error = nodes[0].error.as_ref().unwrap();
    assert!(
        error.contains(r#"cannot list resource "nodes""#) && error.contains("ClusterRole"),
        "{error}"
    );
    // The older API of events stands in for the newer.
    let reasons = watching.of(|o| match o {
        Observation::Event(event) => Some(event.reason),
        _ => None,
    });
    assert_eq!(
        (reasons, watching.states(Watched::Events)),
        (vec!["Killing".to_owned()], vec![seen(Watched::Events)])
    );
    let hpa = watching.states(Watched::Hpa);
    let error = hpa[0].error.as_ref().unwrap();
    assert!(
        hpa[0].refused && error.contains("no HorizontalPodAutoscaler iris-prediction-api-hpa"),
        "{error}"
    );
    // Where there is no HPA, the Deployment tells what is wanted.
    assert_eq!(watching.recording.recorder().live().replicas().0, Some(2));
    watching.server.put(HPAS, hpa_again());
    watching
        .until(|w| w.states(Watched::Hpa).last() == Some(&seen(Watched::Hpa)))
        .await;
}

fn hpa_again() -> Value {
    super::hpa(3)
}

#[tokio::test]
async fn a_token_that_ended_is_said_and_a_new_one_in_the_file_is_taken() {
    let watching = Watching::new().await;
    watching.server.take_only("first");
    let _cluster = watching.start().await;
    watching.server.take_only("second");
    watching.server.cut();
    watching.until(|w| w.states(Watched::Pods).len() == 2).await;
    let states = watching.states(Watched::Pods);
    let error = states[1].error.as_ref().unwrap();
    assert!(
        error.contains("401") && error.contains("kubeconfig"),
        "{error}"
    );
    watching.write_kubeconfig("second");
    watching.server.put(PODS, pod("a", true));
    watching
        .until(|w| w.states(Watched::Pods).len() == 3 && w.pods().len() == 1)
        .await;
}

#[tokio::test]
async fn without_an_api_server_or_a_way_in_nothing_starts() {
    let watching = Watching::new().await;
    watching.server.take_only("another");
    let error = |result: anyhow::Result<Cluster>| format!("{:#}", result.err().unwrap());
    let said = error(watching.try_start().await);
    assert!(
        said.contains("401") && said.contains("--kubeconfig"),
        "{said}"
    );
    watching.server.set_away(true);
    let said = error(watching.try_start().await);
    assert!(said.contains("can not be reached"), "{said}");
    std::fs::remove_file(watching.kubeconfig()).unwrap();
    let said = error(watching.try_start().await);
    assert!(
        said.contains("cannot read") && said.contains("kubeconfig"),
        "{said}"
    );
}
