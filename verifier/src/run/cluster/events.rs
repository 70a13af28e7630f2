//! Events of the namespace, as events.k8s.io/v1 gives them, or where that is refused core/v1: their lines in the journal.

mod record;

use super::board::Board;
use super::failure::Failure;
use super::watching::{Kind, Watching};
use crate::record::Observation;
use crate::record::cluster::{Event, Watched};
use k8s_openapi::api::{core, events};
use kube::api::ListParams;
use kube::{Api, Client};
use record::{of_core, of_events};
use std::marker::PhantomData;
use std::sync::Arc;

/// A clock that is behind by less does not make an event of the run one from before it.
const CLOCKS_APART_NS: u64 = 2_000_000_000;

/// Watches them by the one API or the other.
pub(super) async fn watch(board: Arc<Board>) {
    if newer_is_refused(&board).await {
        Watching::new(Events::<core::v1::Event>::new(&board), &board)
            .run()
            .await;
    } else {
        Watching::new(Events::<events::v1::Event>::new(&board), &board)
            .run()
            .await;
    }
}

/// Where it is away or in trouble, that shows again, and is told, when it is watched.
async fn newer_is_refused(board: &Board) -> bool {
    let Ok(client) = board.client().await else {
        return false;
    };
    let api: Api<events::v1::Event> = Api::namespaced(client, &board.plan.namespace);
    let one = api.list(&ListParams::default().limit(1)).await;
    let failure = one.map_err(Failure::from).err();
    matches!(failure, Some(Failure::Refused(_) | Failure::Absent(_)))
}

/// Events of one of the two APIs.
struct Events<E> {
    board: Arc<Board>,
    of: PhantomData<fn() -> E>,
}

impl<E> Events<E> {
    fn new(board: &Arc<Board>) -> Events<E> {
        Events {
            board: Arc::clone(board),
            of: PhantomData,
        }
    }
}

/// An event of either API.
trait AnyEvent:
    kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + serde::de::DeserializeOwned
    + std::fmt::Debug
    + Send
    + 'static
{
    fn event(&self) -> Event;
}

impl AnyEvent for core::v1::Event {
    fn event(&self) -> Event {
        of_core(self)
    }
}

impl AnyEvent for events::v1::Event {
    fn event(&self) -> Event {
        of_events(self)
    }
}

impl<E: AnyEvent> Kind for Events<E> {
    type Object = E;
    type Record = Event;

    fn of(&self) -> Watched {
        Watched::Events
    }

    fn api(&self, client: Client) -> Api<E> {
        Api::namespaced(client, &self.board.plan.namespace)
    }

    fn selectors(&self) -> (Option<String>, Option<String>) {
        (None, None)
    }

    fn record(&self, object: &E) -> Event {
        object.event()
    }

    /// The API forgets events after a while, which means nothing.
    fn gone(&self, _: Event) -> Option<Event> {
        None
    }

    fn observation(&self, record: &Event) -> Observation {
        Observation::Event(record.clone())
    }

    /// What happened before the run, and has not happened again, is not of it.
    fn tells(&self, event: &Event) -> bool {
        let origin_ns = self.board.recorder.clock().origin_unix_ns();
        event
            .last_unix_ns
            .is_none_or(|last| last + CLOCKS_APART_NS >= origin_ns)
    }
}
