//! The loop that every watch shares: objects of one kind in, journal lines of those that changed out. It lists, follows,
//! resumes where it broke off, and lists again where the API has forgotten what came between.
//!
//! kube's own `watcher` does the same and does not tell when a watch that broke has been taken up again, which is half
//! of what the journal must know: between the two the run was blind.

use super::board::Board;
use super::failure::Failure;
use super::pause::Pause;
use crate::record::Observation;
use crate::record::cluster::Watched;
use futures_util::StreamExt;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The API server ends a watch after so long, and it is taken up again: a connection that died silently is noticed soon.
const WATCH_SECONDS: u32 = 30;
const HEARD_WITHIN: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A watch that ends sooner by itself is not taken up again at once.
const SHORT_NS: u64 = 1_000_000_000;
/// Objects of one page of a list.
const PAGE: u32 = 500;

/// A kind of objects, and what is made of them.
pub(super) trait Kind: Send + 'static {
    /// The object, as the API gives it.
    type Object: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static;
    /// What is kept of it.
    type Record: Clone + PartialEq + Send;

    /// Its name in the journal.
    fn of(&self) -> Watched;
    /// Where it is.
    fn api(&self, client: Client) -> Api<Self::Object>;
    /// Which of them: a selector by labels, one by fields.
    fn selectors(&self) -> (Option<String>, Option<String>);
    /// What is kept of an object.
    fn record(&self, object: &Self::Object) -> Self::Record;
    /// The same, gone; `None` where an object's end means nothing.
    fn gone(&self, record: Self::Record) -> Option<Self::Record>;
    /// Its line in the journal.
    fn observation(&self, record: &Self::Record) -> Observation;

    /// Whether a new one is journalled.
    fn tells(&self, _record: &Self::Record) -> bool {
        true
    }
    /// It is new, or another than before; told after it was journalled.
    fn changed(&mut self, _uid: &str, _before: Option<&Self::Record>, _now: &Self::Record) {}
    /// All as they stand, after each change.
    fn all(&mut self, _known: &BTreeMap<String, Self::Record>) {}
    /// What it means that there is none.
    fn absent(&self) -> Option<String> {
        None
    }
}

/// A kind, and how far its watch has come.
pub(super) struct Watching<K: Kind> {
    kind: K,
    board: Arc<Board>,
    known: BTreeMap<String, K::Record>,
    /// Where the watch goes on; `None`: with a list.
    version: Option<String>,
    pause: Pause,
}

impl<K: Kind> Watching<K> {
    pub(super) fn new(kind: K, board: &Arc<Board>) -> Watching<K> {
        Watching {
            kind,
            board: Arc::clone(board),
            known: BTreeMap::new(),
            version: None,
            pause: Pause::default(),
        }
    }

    /// Watches until the task is ended from outside.
    pub(super) async fn run(mut self) {
        loop {
            let failure = match self.board.client().await {
                Ok(client) => self.follow(client).await,
                Err(error) => Failure::Broken(format!("{error:#}")),
            };
            self.board.failed(self.kind.of(), &failure);
            if !matches!(failure, Failure::Broken(_)) {
                self.version = None;
            }
            tokio::time::sleep(self.pause.after(&failure)).await;
        }
    }

    /// Until something fails.
    async fn follow(&mut self, client: Client) -> Failure {
        let api = self.kind.api(client);
        loop {
            let followed = match self.version.clone() {
                None => self.list(&api).await,
                Some(version) => self.changes(&api, &version).await,
            };
            if let Err(failure) = followed {
                return failure;
            }
        }
    }

    /// Lists; what is not in it any more is gone.
    async fn list(&mut self, api: &Api<K::Object>) -> Result<(), Failure> {
        let (labels, fields) = self.kind.selectors();
        let mut params = ListParams {
            label_selector: labels,
            field_selector: fields,
            limit: Some(PAGE),
            ..ListParams::default()
        };
        let mut seen = Vec::new();
        let version = loop {
            let page = timeout(ANSWER_WITHIN, api.list(&params)).await??;
            seen.extend(page.items);
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                break page.metadata.resource_version.unwrap_or_default();
            }
        };
        let vanished = self.known.keys().filter(|uid| {
            !seen
                .iter()
                .any(|object| object.uid().as_ref() == Some(*uid))
        });
        for uid in vanished.cloned().collect::<Vec<_>>() {
            self.take_away(&uid, None);
        }
        for object in &seen {
            self.take(object);
        }
        self.kind.all(&self.known);
        self.version = Some(version);
        self.stands();
        Ok(())
    }

    /// Follows changes until the API server ends the watch in good order.
    async fn changes(&mut self, api: &Api<K::Object>, version: &str) -> Result<(), Failure> {
        let (labels, fields) = self.kind.selectors();
        let params = WatchParams {
            label_selector: labels,
            field_selector: fields,
            ..WatchParams::default()
        }
        .timeout(WATCH_SECONDS);
        let clock = self.board.recorder.clock();
        let from_ns = clock.now_ns();
        let mut events = pin!(timeout(ANSWER_WITHIN, api.watch(&params, version)).await??);
        // Where it was blind, it sees again, and will be told what came between.
        self.stands();
        let mut any = false;
        while let Some(event) = timeout(HEARD_WITHIN, events.next()).await? {
            any = true;
            match event? {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    self.version = object.resource_version();
                    self.take(&object);
                }
                WatchEvent::Deleted(object) => {
                    self.version = object.resource_version();
                    self.take_away(&object.uid().unwrap_or_default(), Some(&object));
                }
                WatchEvent::Bookmark(mark) => {
                    self.version = Some(mark.metadata.resource_version);
                    continue;
                }
                WatchEvent::Error(status) => return Err(Failure::of_status(&status)),
            }
            self.pause = Pause::default();
            self.kind.all(&self.known);
            self.stands();
        }
        if !any && clock.now_ns() - from_ns < SHORT_NS {
            tokio::time::sleep(self.pause.next()).await;
            return Ok(());
        }
        self.pause = Pause::default();
        Ok(())
    }

    /// Says how it stands now that it is seen.
    fn stands(&self) {
        match self.kind.absent().filter(|_| self.known.is_empty()) {
            None => self.board.sees(self.kind.of()),
            Some(why) => self.board.refused(self.kind.of(), &why),
        }
    }

    fn take(&mut self, object: &K::Object) {
        let (uid, record) = (object.uid().unwrap_or_default(), self.kind.record(object));
        self.put(&uid, record);
    }

    fn take_away(&mut self, uid: &str, object: Option<&K::Object>) {
        // The API's last word on it, or else what was last seen of it.
        let last = object.map(|object| self.kind.record(object));
        let last = last.or_else(|| self.known.get(uid).cloned());
        if let Some(gone) = last.and_then(|record| self.kind.gone(record)) {
            self.put(uid, gone);
        }
        self.known.remove(uid);
    }

    fn put(&mut self, uid: &str, record: K::Record) {
        let before = self.known.get(uid);
        if before == Some(&record) {
            return;
        }
        if before.is_some() || self.kind.tells(&record) {
            let line = self.kind.observation(&record);
            self.board.recorder.observe(line);
        }
        let before = self.known.insert(uid.to_owned(), record.clone());
        self.kind.changed(uid, before.as_ref(), &record);
    }
}
