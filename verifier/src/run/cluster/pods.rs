//! Pods of the Deployment, and those of the collector: the API's objects in, their lines in the journal out; and whom of
//! them somebody can ask for its books.

mod record;

use super::board::Board;
use super::watching::Kind;
use super::words;
use crate::record::Observation;
use crate::record::cluster::{Pod, Watched};
use k8s_openapi::api::core::v1 as api;
use kube::{Api, Client};
pub(super) use record::{Ended, Seen, seen};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Where each pod that runs can be asked, by its name.
pub type Addresses = BTreeMap<String, SocketAddr>;

/// Pods whose log is kept when they fail, so often each.
const LOGS_OF_ONE: u32 = 3;

/// Pods with one label.
pub(super) struct Pods {
    board: Arc<Board>,
    collector: bool,
    /// Logs that were asked for because a container failed, by UID.
    failed: BTreeMap<String, u32>,
    /// UIDs of pods whose end is followed.
    followed: BTreeSet<String>,
}

impl Pods {
    /// Those of the Deployment, or those of the collector.
    pub(super) fn new(board: &Arc<Board>, collector: bool) -> Pods {
        Pods {
            board: Arc::clone(board),
            collector,
            failed: BTreeMap::new(),
            followed: BTreeSet::new(),
        }
    }

    /// Whether the end was in the run.
    fn is_of_run(&self, ended: &Ended) -> bool {
        const GRAIN_NS: u64 = 1_000_000_000;
        let origin_ns = self.board.recorder.clock().origin_unix_ns();
        ended
            .how
            .finished_unix_ns
            .is_none_or(|ns| ns + GRAIN_NS >= origin_ns)
    }

    fn container_ended(&mut self, uid: &str, now: &Seen, ended: &Ended) {
        let asked = self.failed.entry(uid.to_owned()).or_default();
        if *asked < LOGS_OF_ONE {
            *asked += 1;
            let of = words::Of::pod(uid, now);
            tokio::spawn(words::of_ended(Arc::clone(&self.board), of, ended.clone()));
        }
    }
}

impl Kind for Pods {
    type Object = api::Pod;
    type Record = Seen;

    fn of(&self) -> Watched {
        if self.collector {
            Watched::CollectorPods
        } else {
            Watched::Pods
        }
    }

    fn api(&self, client: Client) -> Api<Self::Object> {
        Api::namespaced(client, &self.board.plan.namespace)
    }

    fn selectors(&self) -> (Option<String>, Option<String>) {
        let plan = &self.board.plan;
        let label = if self.collector {
            &plan.collector_label
        } else {
            &plan.label
        };
        (Some(label.clone()), None)
    }

    fn record(&self, object: &Self::Object) -> Seen {
        seen(object, &self.board.plan.deployment, self.collector)
    }

    fn gone(&self, record: Seen) -> Option<Seen> {
        let pod = Pod {
            deleted: true,
            ..record.pod
        };
        Some(Seen {
            pod,
            address: None,
            ..record
        })
    }

    fn observation(&self, record: &Seen) -> Observation {
        Observation::Pod(Box::new(record.pod.clone()))
    }

    fn changed(&mut self, uid: &str, before: Option<&Seen>, now: &Seen) {
        if self.collector {
            return;
        }
        let deleting = now.pod.deletion_unix_ns.is_some();
        if deleting && !now.pod.deleted && self.followed.insert(uid.to_owned()) {
            let grace = u64::try_from(now.pod.grace_seconds.unwrap_or(0)).unwrap_or(0);
            let grace = Duration::from_secs(grace);
            self.board.ends(uid, &now.pod.name, grace);
            let of = words::Of::pod(uid, now);
            tokio::spawn(words::of_ending(Arc::clone(&self.board), of, grace));
        }
        let known = before.and_then(|before| before.ended.as_ref());
        if let Some(ended) = &now.ended
            && known != Some(ended)
            && self.is_of_run(ended)
            && !self.followed.contains(uid)
        {
            self.container_ended(uid, now, ended);
        }
        if now.pod.deleted {
            self.board.gone(uid);
        }
    }

    fn all(&mut self, known: &BTreeMap<String, Seen>) {
        if self.collector {
            return;
        }
        let ready = |seen: &&Seen| seen.pod.ready && seen.pod.deletion_unix_ns.is_none();
        let ready = known.values().filter(ready).count() as u64;
        self.board
            .recorder
            .live()
            .replicas_ready
            .store(ready, Relaxed);
        let addresses = known.values().filter_map(|seen| {
            let address = seen.address?;
            Some((seen.pod.name.clone(), address))
        });
        let addresses: Addresses = addresses.collect();
        self.board.addresses.send_if_modified(|known| {
            let changed = *known != addresses;
            *known = addresses;
            changed
        });
    }
}
