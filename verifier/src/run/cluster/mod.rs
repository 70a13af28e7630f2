//! The cluster while the load runs: watches of the service's objects in, lines of the journal out. A kind that can not be
//! seen is said so, and stops nothing.

mod board;
mod deployment;
mod endpoints;
mod events;
mod failure;
mod hpa;
mod nodes;
mod pause;
mod pod_metrics;
mod pods;
mod reading;
pub mod service;
mod watching;
mod words;

pub use pods::Addresses;

use crate::plan;
use crate::record::cluster::{ClusterSeen, Watched};
use crate::record::{Observation, Recorder};
use crate::run::kubernetes::Access;
use crate::run::terminal::say;
use anyhow::{Context, Result, bail};
use board::{Board, Standing, name};
use deployment::{Deployments, ReplicaSets};
use endpoints::Slices;
use failure::chain;
use hpa::Hpas;
use kube::Client;
use nodes::Nodes;
use pods::Pods;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use watching::{Kind, Watching};

/// What is watched.
const KINDS: usize = 9;
/// So long the start waits until each kind is seen, or known not to be.
const SEEN_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A cluster that is watched.
pub struct Cluster {
    board: Arc<Board>,
    /// Ended with it.
    _watches: JoinSet<()>,
}

impl Cluster {
    /// Watches, on the current runtime. Returns when the state before the load is in the journal, as far as it can be
    /// seen, or after 10 s.
    ///
    /// # Errors
    /// When there is no way into a cluster, or its API server does not answer, or does not know who asks.
    pub async fn start(
        plan: &plan::Cluster,
        access: &Access,
        recorder: Recorder,
    ) -> Result<Cluster> {
        let (client, server) = access.client().await?;
        let version = version(&client).await;
        let version = version.with_context(|| format!("the cluster at {server}"))?;
        let seen = ClusterSeen {
            server,
            version,
            namespace: plan.namespace.clone(),
        };
        recorder.observe(Observation::ClusterWatched(seen.clone()));
        let board = Arc::new(Board::new(plan, access, recorder));
        let mut watches = JoinSet::new();
        watch(&mut watches, Hpas(Arc::clone(&board)), &board);
        watch(&mut watches, Deployments(Arc::clone(&board)), &board);
        watch(&mut watches, ReplicaSets(Arc::clone(&board)), &board);
        watch(&mut watches, Pods::new(&board, false), &board);
        watch(&mut watches, Pods::new(&board, true), &board);
        watch(&mut watches, Slices(Arc::clone(&board)), &board);
        watch(&mut watches, Nodes(Arc::clone(&board)), &board);
        watches.spawn(events::watch(Arc::clone(&board)));
        watches.spawn(pod_metrics::watch(Arc::clone(&board)));
        let mut standings = board.standings.subscribe();
        let seen_all = standings.wait_for(|standings| kinds(standings) == KINDS);
        // Who is not seen by then is named as that.
        let _ = timeout(SEEN_WITHIN, seen_all).await;
        tell(&board, &seen);
        Ok(Cluster {
            board,
            _watches: watches,
        })
    }

    /// Where the Deployment's pods can be asked, as it changes.
    pub fn addresses(&self) -> watch::Receiver<Addresses> {
        self.board.addresses.subscribe()
    }

    /// Names of pods that are ending, and whose end is worth waiting for.
    pub fn ending(&self) -> Vec<String> {
        self.board.ending()
    }
}

fn watch<K: Kind>(watches: &mut JoinSet<()>, kind: K, board: &Arc<Board>) {
    watches.spawn(Watching::new(kind, board).run());
}

/// The API server's version; empty where it answers and does not tell.
async fn version(client: &Client) -> Result<String> {
    let asked = timeout(ANSWER_WITHIN, client.apiserver_version()).await;
    match asked.context("its API server does not answer")? {
        Ok(version) => Ok(version.git_version),
        Err(kube::Error::Api(status)) if status.code != 401 => Ok(String::new()),
        Err(kube::Error::Api(_)) => bail!(
            "its API server does not know who asks (401 Unauthorized): renew the token in the kubeconfig, or choose another with --kubeconfig or --context"
        ),
        Err(error) => bail!("its API server can not be reached: {}", chain(&error)),
    }
}

/// Kinds that stand somehow. Logs are no kind that is watched.
fn kinds(standings: &BTreeMap<Watched, Standing>) -> usize {
    standings
        .keys()
        .filter(|of| **of != Watched::PodLogs)
        .count()
}

/// What is watched, in one line, and what is not, a line each.
fn tell(board: &Board, seen: &ClusterSeen) {
    let mut parts = Vec::new();
    let summary = board.summary().clone();
    if let Some((desired, ready)) = summary.deployment {
        let name = &board.plan.deployment;
        parts.push(format!(
            "Deployment {name} with {ready} of {desired} replicas ready"
        ));
    }
    if let Some((min, max, target)) = summary.hpa {
        let target = target.map_or_else(String::new, |percent| format!(" at {percent} % CPU"));
        parts.push(format!("HPA from {min} to {max}{target}"));
    }
    match summary.nodes {
        0 => {}
        1 => parts.push("1 node".to_owned()),
        nodes => parts.push(format!("{nodes} nodes")),
    }
    if parts.is_empty() {
        parts.push("no Deployment and no HPA is seen".to_owned());
    }
    say(&format!(
        "watching namespace {} at {} {}: {}",
        seen.namespace,
        seen.server,
        seen.version,
        parts.join(", ")
    ));
    let standings = board.standings.borrow().clone();
    for (of, standing) in &standings {
        let why = match standing {
            Standing::Seeing => continue,
            Standing::Broken(why) | Standing::Unknown(why) | Standing::Refused(why) => why,
        };
        say(&format!("not seen: {}: {why}", name(*of)));
    }
    if kinds(&standings) < KINDS {
        say("not seen: what the API server has not listed within 10 s");
    }
}
