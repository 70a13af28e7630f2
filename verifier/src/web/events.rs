//! `/events`: the page's document as server-sent events. Each who watches gets the latest state when it can take it; what
//! it could not take is never queued for it.

use super::refusal::Refusal;
use super::site::Site;
use super::tail::Watching;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode, header};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// A comment is sent when nothing else was for so long, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After a lost connection a browser comes back this soon.
const HELLO: &str = "retry: 1000\n\n";

/// Somebody who watches.
struct Client {
    watching: Watching,
    /// The id of the last event that it has.
    has: Option<String>,
    greeted: bool,
    _place: OwnedSemaphorePermit,
}

/// The stream. `Last-Event-ID` says how far the client is.
pub(super) async fn events(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let place = Arc::clone(&site.places).try_acquire_owned().map_err(|_| {
        let error = "too many pages are open already: close some";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error)
    })?;
    let has = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let mut watching = site.tail.watch().await;
    watching.latest.mark_changed();
    let client = Client {
        watching,
        has: has.map(str::to_owned),
        greeted: false,
        _place: place,
    };
    let events = stream::unfold(client, |mut client| async move {
        let bytes = client.next().await?;
        Some((Ok::<_, Infallible>(bytes), client))
    });
    let kind = [(header::CONTENT_TYPE, "text/event-stream")];
    Ok((kind, Body::from_stream(events)).into_response())
}

impl Client {
    /// What is sent next, once there is something; `None`: there will be nothing any more.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(Bytes::from_static(HELLO.as_bytes()));
        }
        loop {
            match tokio::time::timeout(KEEP_ALIVE, self.watching.latest.changed()).await {
                Err(_) => return Some(Bytes::from_static(b": still here\n\n")),
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {}
            }
            let latest = Arc::clone(&self.watching.latest.borrow_and_update());
            if let Some((bytes, id)) = latest.event(self.has.as_deref()) {
                self.has = Some(id);
                return Some(bytes);
            }
        }
    }
}
