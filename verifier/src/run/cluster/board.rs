//! What the watches of one cluster share: how each stands, who waits for it, what a person has been told.

use super::failure::Failure;
use super::pods::Addresses;
use crate::plan;
use crate::record::cluster::{WatchState, Watched};
use crate::record::{Observation, Recorder};
use crate::run::kubernetes::Access;
use crate::run::terminal::say;
use anyhow::Result;
use kube::Client;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Longer than its grace a pod's end is not awaited.
const AFTER_GRACE: Duration = Duration::from_secs(10);

/// A client that the API server does not know is made anew after so long.
const LOOK_AGAIN_NS: u64 = 4_000_000_000;

/// How a watch stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Every change is seen.
    Seeing,
    /// It broke off, and is tried again soon.
    Broken(String),
    /// It broke off, because the API server does not know who asks.
    Unknown(String),
    /// The API refuses, or has no such thing.
    Refused(String),
}

impl Standing {
    fn is_broken(&self) -> bool {
        matches!(self, Standing::Broken(_) | Standing::Unknown(_))
    }
}

/// What the watches share. The runtime has one thread: locks are held for no `await`.
pub(super) struct Board {
    pub(super) plan: plan::Cluster,
    pub(super) recorder: Recorder,
    pub(super) standings: watch::Sender<BTreeMap<Watched, Standing>>,
    pub(super) addresses: watch::Sender<Addresses>,
    summary: Mutex<Summary>,
    /// An HPA has said how many replicas it wants.
    by_hpa: AtomicBool,
    /// Pods whose end is awaited, by UID.
    ending: Mutex<BTreeMap<String, Ending>>,
    access: Access,
    /// And when it was made, on the run's clock.
    client: Mutex<Option<(Client, u64)>>,
}

/// A pod whose end is awaited.
struct Ending {
    name: String,
    /// Until then, on the run's clock.
    until_ns: u64,
    /// The API has it no more.
    gone: bool,
    /// Its last words are read.
    read: bool,
}

/// The cluster in a few numbers, for a person.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// Replicas of the Deployment: wanted, ready.
    pub(super) deployment: Option<(u32, u32)>,
    /// The HPA's bounds, its target in percent.
    pub(super) hpa: Option<(u32, u32, Option<i64>)>,
    /// Nodes that are ready.
    pub(super) nodes: usize,
}

impl Board {
    pub(super) fn new(plan: &plan::Cluster, access: &Access, recorder: Recorder) -> Board {
        Board {
            plan: plan.clone(),
            recorder,
            standings: watch::Sender::default(),
            addresses: watch::Sender::default(),
            summary: Mutex::default(),
            by_hpa: AtomicBool::new(false),
            ending: Mutex::default(),
            access: access.clone(),
            client: Mutex::default(),
        }
    }

    /// The client; made anew when the API server does not know who asks: a kubeconfig that was renewed then counts.
    pub(super) async fn client(&self) -> Result<Client> {
        if let Some((client, _)) = &*locked(&self.client) {
            return Ok(client.clone());
        }
        let (client, _) = self.access.client().await?;
        let made_ns = self.recorder.clock().now_ns();
        *locked(&self.client) = Some((client.clone(), made_ns));
        Ok(client)
    }

    /// Everything of it has been listed, or its watch goes on where it broke off.
    pub(super) fn sees(&self, of: Watched) {
        let before = self.set(of, Standing::Seeing);
        self.tell_if_whole_again(&before);
    }

    /// The same, of what is worth a word only after it could not be seen.
    pub(super) fn sees_again(&self, of: Watched) {
        if self.standings.borrow().contains_key(&of) {
            self.sees(of);
        }
    }

    /// Its watch broke off: one line for all of them, because they break together.
    fn broke(&self, of: Watched, standing: Standing, error: &str) {
        let kind = std::mem::discriminant(&standing);
        let mut others = self.standings.borrow().clone().into_values();
        let others = others.any(|other| std::mem::discriminant(&other) == kind);
        if matches!(self.set(of, standing), Change::From(_)) && !others {
            say(&format!(
                "a watch of the cluster broke off ({}: {error}); the run goes on, and the journal says when it was blind",
                name(of)
            ));
        }
    }

    /// It is refused, or there is no such thing. What is refused at the start stands in the first line about the cluster.
    pub(super) fn refused(&self, of: Watched, error: &str) {
        let before = self.set(of, Standing::Refused(error.to_owned()));
        self.tell_if_whole_again(&before);
        let news = before == Change::First && of == Watched::PodLogs;
        if matches!(before, Change::From(Standing::Seeing)) || news {
            say(&format!("{} can not be seen: {error}", name(of)));
        }
    }

    fn tell_if_whole_again(&self, before: &Change) {
        if matches!(before, Change::From(standing) if standing.is_broken()) && !self.any_broken() {
            say("the cluster is watched again");
        }
    }

    /// A watch failed.
    pub(super) fn failed(&self, of: Watched, failure: &Failure) {
        match failure {
            Failure::Refused(why) | Failure::Absent(why) => self.refused(of, why),
            Failure::Unknown(why) => {
                // The kubeconfig may have been renewed; looking is not cheap where a program makes the token.
                let now_ns = self.recorder.clock().now_ns();
                locked(&self.client).take_if(|(_, made_ns)| now_ns > *made_ns + LOOK_AGAIN_NS);
                self.broke(of, Standing::Unknown(why.clone()), why);
            }
            Failure::Forgotten(why) | Failure::Broken(why) => {
                self.broke(of, Standing::Broken(why.clone()), why);
            }
        }
    }

    /// Journals a standing that is of another kind than before: a line for each break, none for each try.
    fn set(&self, of: Watched, standing: Standing) -> Change {
        let before = self.standings.borrow().get(&of).cloned();
        let kind = std::mem::discriminant(&standing);
        if before.as_ref().map(std::mem::discriminant) == Some(kind) {
            return Change::None;
        }
        let (error, refused) = match &standing {
            Standing::Seeing => (None, false),
            Standing::Broken(error) | Standing::Unknown(error) => (Some(error.clone()), false),
            Standing::Refused(error) => (Some(error.clone()), true),
        };
        let state = WatchState { of, error, refused };
        self.recorder.observe(Observation::WatchState(state));
        self.standings
            .send_modify(|standings| drop(standings.insert(of, standing)));
        before.map_or(Change::First, Change::From)
    }

    fn any_broken(&self) -> bool {
        self.standings.borrow().values().any(Standing::is_broken)
    }

    pub(super) fn summary(&self) -> MutexGuard<'_, Summary> {
        locked(&self.summary)
    }

    /// A pod is being deleted: its end is awaited for its grace, and a little more.
    pub(super) fn ends(&self, uid: &str, name: &str, grace: Duration) {
        let within = u64::try_from((grace + AFTER_GRACE).as_nanos()).unwrap_or(u64::MAX);
        let until_ns = self.recorder.clock().now_ns().saturating_add(within);
        let ending = Ending {
            name: name.to_owned(),
            until_ns,
            gone: false,
            read: false,
        };
        locked(&self.ending).entry(uid.to_owned()).or_insert(ending);
    }

    /// The API has it no more.
    pub(super) fn gone(&self, uid: &str) {
        if let Some(ending) = locked(&self.ending).get_mut(uid) {
            ending.gone = true;
        }
    }

    /// Its last words are read.
    pub(super) fn read(&self, uid: &str) {
        if let Some(ending) = locked(&self.ending).get_mut(uid) {
            ending.read = true;
        }
    }

    /// Names of the pods whose end is awaited.
    pub(super) fn ending(&self) -> Vec<String> {
        let now_ns = self.recorder.clock().now_ns();
        let mut ending = locked(&self.ending);
        ending.retain(|_, pod| !(pod.gone && pod.read) && pod.until_ns > now_ns);
        ending.values().map(|pod| pod.name.clone()).collect()
    }

    /// Replicas as they are wanted: by the HPA, once it has said so.
    pub(super) fn desired(&self, replicas: u32, by_hpa: bool) {
        self.by_hpa.fetch_or(by_hpa, Relaxed);
        if by_hpa || !self.by_hpa.load(Relaxed) {
            let live = self.recorder.live();
            live.replicas_desired.store(replicas.into(), Relaxed);
        }
    }
}

/// What a standing was before.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// As it is.
    None,
    /// Not known.
    First,
    /// This.
    From(Standing),
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A kind in a person's words.
pub(super) fn name(of: Watched) -> &'static str {
    match of {
        Watched::Hpa => "the HPA",
        Watched::Deployment => "the Deployment",
        Watched::ReplicaSets => "ReplicaSets",
        Watched::Pods => "pods",
        Watched::CollectorPods => "the collector's pods",
        Watched::Endpoints => "EndpointSlices",
        Watched::Events => "events",
        Watched::PodMetrics => "pod metrics",
        Watched::PodLogs => "logs of pods",
        Watched::Nodes => "nodes",
    }
}
