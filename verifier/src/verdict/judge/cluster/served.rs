//! What each pod served, from the senders of root spans.

use crate::verdict::align::Timeline;
use crate::verdict::align::cluster::Bounds;
use crate::verdict::judge::replicas::server;
use std::collections::BTreeMap;

/// One sender's part of the load.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Served {
    /// Its first request: from the send to the answer.
    pub first: Bounds,
    /// Its last answer with success.
    pub last_ok_ns: Option<u64>,
    /// Answered requests.
    pub requests: u64,
}

/// By sender.
pub(super) fn by_sender(timeline: &Timeline<'_>) -> BTreeMap<String, Served> {
    let mut senders: BTreeMap<&str, Served> = BTreeMap::new();
    for (exchange, spans) in timeline.all().filter(|(e, _)| e.outcome.answered()) {
        let Some(sender) = server(timeline, exchange, spans) else {
            continue;
        };
        let first = Bounds {
            earliest_ns: exchange.sent_ns,
            latest_ns: exchange.done_ns,
        };
        let served = senders.entry(sender).or_insert(Served {
            first,
            ..Served::default()
        });
        served.requests += 1;
        if first.latest_ns < served.first.latest_ns {
            served.first = first;
        }
        if exchange.outcome == crate::record::Outcome::Ok {
            served.last_ok_ns = served.last_ok_ns.max(Some(exchange.done_ns));
        }
    }
    let named = senders
        .into_iter()
        .map(|(name, served)| (name.to_owned(), served));
    named.collect()
}

/// The first request that a sender served after its process was started anew.
pub(super) fn first_after(timeline: &Timeline<'_>, name: &str, after_ns: u64) -> Option<Bounds> {
    let later = timeline
        .all()
        .filter(|(e, _)| e.outcome.answered() && e.sent_ns >= after_ns);
    let served = later.filter(|(exchange, spans)| server(timeline, exchange, spans) == Some(name));
    let first = served
        .map(|(exchange, _)| exchange)
        .min_by_key(|exchange| exchange.done_ns)?;
    Some(Bounds {
        earliest_ns: first.sent_ns,
        latest_ns: first.done_ns,
    })
}
