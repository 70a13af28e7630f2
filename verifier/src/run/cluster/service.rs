//! The Service of the plan in, an address at which it answers from here out.

use super::failure::Failure;
use crate::plan;
use crate::run::kubernetes::Access;
use crate::run::terminal::say;
use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::{Node, Service, ServicePort};
use kube::api::ListParams;
use kube::{Api, Client};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// `http://host:port` of the first of its addresses that takes a connection: its load balancer's, its ClusterIP, its port
/// on a node. Says which.
///
/// # Errors
/// When the Service can not be read, or none of its addresses answers from here; the error says what to do instead.
pub async fn url(plan: &plan::Cluster, access: &Access) -> Result<String> {
    let (client, server) = access.client().await?;
    let (namespace, name) = (&plan.namespace, &plan.service);
    let api: Api<Service> = Api::namespaced(client.clone(), namespace);
    let service = timeout(ANSWER_WITHIN, api.get(name)).await;
    let service = service.with_context(|| format!("the cluster at {server} does not answer"))?;
    let service = service.map_err(|error| {
        let why = Failure::from(error);
        anyhow!(
            "the target's address can not be read from Service {name} in namespace {namespace}: {}. Name it with --url",
            why.words()
        )
    })?;
    let port = port(&service).with_context(|| format!("Service {name} has no port"))?;
    let candidates = candidates(&service, &port, &client).await;
    // One that was just made may need a moment, until each node knows it.
    for attempt in 0..TRIES {
        if attempt > 0 {
            sleep(BETWEEN_TRIES).await;
        }
        if let Some((kind, address)) = first_that_answers(&candidates).await {
            let url = format!("{}://{address}", scheme(&port));
            say(&format!(
                "the target is Service {name} at {url}, its {kind}"
            ));
            return Ok(url);
        }
    }
    let tried = candidates
        .iter()
        .map(|(kind, address)| format!("{kind} {address}"));
    let tried: Vec<String> = tried.collect();
    let tried = match tried.as_slice() {
        [] => "it has no address yet".to_owned(),
        tried => format!("no connection to its {}", tried.join(", ")),
    };
    bail!(
        "Service {name} in namespace {namespace} can not be reached from here ({tried}). Forward a port, and name it: \
         kubectl -n {namespace} port-forward service/{name} 8080:{0} & verifier run --url http://127.0.0.1:8080 ... (a \
         forwarded port goes to one pod only: for a verdict on several run the verifier in the cluster)",
        port.port
    );
}

async fn first_that_answers<'c>(
    candidates: &'c [(&'static str, String)],
) -> Option<&'c (&'static str, String)> {
    for candidate in candidates {
        let connected = timeout(CONNECT_WITHIN, TcpStream::connect(&candidate.1)).await;
        if matches!(connected, Ok(Ok(_))) {
            return Some(candidate);
        }
    }
    None
}

/// The port that is named `http`, or the first.
fn port(service: &Service) -> Option<ServicePort> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let named = ports
        .iter()
        .find(|port| port.name.as_deref() == Some("http"));
    named.or(ports.first()).cloned()
}

fn scheme(port: &ServicePort) -> &'static str {
    match (port.name.as_deref(), port.port) {
        (Some("https"), _) | (_, 443) => "https",
        _ => "http",
    }
}

/// Its addresses, in the order in which they are tried.
async fn candidates(
    service: &Service,
    port: &ServicePort,
    client: &Client,
) -> Vec<(&'static str, String)> {
    let (spec, status) = (service.spec.as_ref(), service.status.as_ref());
    let balancer = status.and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    let balancer = balancer.into_iter().flatten().filter_map(|ingress| {
        let host = ingress.ip.as_ref().or(ingress.hostname.as_ref())?;
        Some(("load balancer", joined(host, port.port)))
    });
    let mut candidates: Vec<_> = balancer.collect();
    let own = spec.and_then(|spec| spec.cluster_ip.as_ref());
    if let Some(ip) = own.filter(|ip| !ip.is_empty() && *ip != "None") {
        candidates.push(("ClusterIP", joined(ip, port.port)));
    }
    if let Some(on_node) = port.node_port {
        for ip in nodes(client).await {
            candidates.push(("NodePort", joined(&ip, on_node)));
        }
    }
    candidates
}

/// Internal addresses of a few nodes; none, where they may not be read.
async fn nodes(client: &Client) -> Vec<String> {
    let api: Api<Node> = Api::all(client.clone());
    let params = ListParams::default().limit(3);
    let Ok(Ok(nodes)) = timeout(ANSWER_WITHIN, api.list(&params)).await else {
        return Vec::new();
    };
    let addresses = nodes.items.into_iter().filter_map(|node| {
        let addresses = node.status?.addresses?;
        let internal = addresses.into_iter().find(|a| a.type_ == "InternalIP");
        Some(internal?.address)
    });
    addresses.collect()
}

fn joined(host: &str, port: i32) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
