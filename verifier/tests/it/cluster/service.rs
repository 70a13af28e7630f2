//! The target's address, from the Service of the plan.

use super::*;
use tokio::net::TcpListener;
use verifier::run::cluster::service::url;

const SERVICES: &str = "/api/v1/namespaces/iris/services";

fn service(ip: &str, port: u16, balancer: Value, node_port: Option<u16>) -> Value {
    json!({
        "metadata": labelled("iris-prediction-api-service"),
        "spec": { "clusterIP": ip, "ports": [{ "port": 9 }, { "name": "http", "port": port, "nodePort": node_port }] },
        "status": { "loadBalancer": balancer }
    })
}

async fn listening() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn the_first_address_that_answers_is_the_target() {
    let watching = Watching::new().await;
    let (_listener, port) = listening().await;
    let plan = plan::Cluster::default();
    let balancer = json!({ "ingress": [{ "ip": "127.0.0.1" }] });
    watching
        .server
        .put(SERVICES, service("127.0.0.2", port, balancer, None));
    let target = url(&plan, &watching.access()).await.unwrap();
    assert_eq!(target, format!("http://127.0.0.1:{port}"));
    // A load balancer that is not there yet.
    watching
        .server
        .put(SERVICES, service("127.0.0.1", port, json!({}), None));
    assert_eq!(url(&plan, &watching.access()).await.unwrap(), target);
    // Only a port on a node.
    let (free, closed) = listening().await;
    drop(free);
    watching.server.put(
        SERVICES,
        service("127.0.0.1", closed, json!({}), Some(port)),
    );
    let addresses = json!([{ "type": "Hostname", "address": "n" }, { "type": "InternalIP", "address": "127.0.0.1" }]);
    watching.server.put(
        NODES,
        json!({ "metadata": { "name": "n", "uid": "n" }, "status": { "addresses": addresses } }),
    );
    assert_eq!(url(&plan, &watching.access()).await.unwrap(), target);
}

#[tokio::test]
async fn an_address_that_is_not_there_comes_with_what_to_do() {
    let watching = Watching::new().await;
    let plan = plan::Cluster::default();
    let said = format!("{:#}", url(&plan, &watching.access()).await.unwrap_err());
    assert!(
        said.contains("Service iris-prediction-api-service") && said.contains("--url"),
        "{said}"
    );
    let (free, closed) = listening().await;
    drop(free);
    watching
        .server
        .put(SERVICES, service("127.0.0.1", closed, json!({}), None));
    let said = format!("{:#}", url(&plan, &watching.access()).await.unwrap_err());
    assert!(
        said.contains("port-forward service/iris-prediction-api-service 8080:"),
        "{said}"
    );
    watching.server.refuse(
        &format!("{SERVICES}/iris-prediction-api-service"),
        403,
        "services is forbidden",
    );
    let said = format!("{:#}", url(&plan, &watching.access()).await.unwrap_err());
    assert!(
        said.contains("forbidden") && said.contains("--url"),
        "{said}"
    );
}
