//! Where the spans that did not come were lost: the services' own books held against what arrived.

use crate::record::{Observation, ServiceBooks};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Loss, Losses, Place, Receiver, Service, Stage};

/// The books of every process that was seen, the last that each said.
pub(super) fn services(timeline: &Timeline<'_>) -> Vec<Service> {
    let mut services: Vec<ServiceBooks> = Vec::new();
    for observation in timeline.observations() {
        let Observation::ServiceBooks(books) = observation else {
            continue;
        };
        let of_source = |known: &&mut ServiceBooks| known.source == books.source;
        match services.iter_mut().rev().find(of_source) {
            // The same name with smaller counts is another process: a restarted container.
            Some(known) if known.started <= books.started => *known = books.clone(),
            _ => services.push(books.clone()),
        }
    }
    services.into_iter().map(service).collect()
}

fn service(books: ServiceBooks) -> Service {
    Service {
        source: books.source,
        started: books.started,
        recovered: books.recovered,
        queued: books.queued,
        acknowledged: books.acknowledged,
        lost: books.lost,
        left_on_disk: books.left_on_disk,
        refused_requests: books.refused_requests,
        last: books.last,
    }
}

/// Attributes the missing spans, from what is known best to what is not known at all. A place's
/// figure is what its books say, cut where fewer are missing: a process also counts spans of requests
/// that nobody got an answer to.
pub(super) fn attribute(services: &[Service], stages: &[Stage], receiver: &Receiver) -> Losses {
    let missing_spans = stages.iter().map(|stage| stage.traces.spans_missing).sum();
    let mut rest = missing_spans;
    let mut places = Vec::new();
    let mut take = |place, reason: &str, spans: u64| {
        let spans = spans.min(rest);
        if spans > 0 {
            rest -= spans;
            let reason = reason.to_owned();
            places.push(Loss {
                place,
                reason,
                spans,
            });
        }
    };
    let sum = |of: fn(&Service) -> u64| services.iter().map(of).sum::<u64>();
    for (reason, spans) in lost(services) {
        take(Place::Service, reason, spans);
    }
    let undelivered = services.iter().filter(|s| s.last).map(|s| s.queued).sum();
    take(
        Place::Service,
        "not delivered when the run ended",
        undelivered,
    );
    let on_disk = sum(|s| s.left_on_disk).saturating_sub(sum(|s| s.recovered));
    take(Place::Service, "left in its spill directory", on_disk);
    let duplicates: u64 = stages.iter().map(|s| s.traces.duplicate).sum();
    let arrived = receiver.spans + receiver.foreign_spans + receiver.malformed_spans;
    let acknowledged = sum(|s| s.acknowledged);
    take(
        Place::OnTheWay,
        "acknowledged to the service, and never here",
        acknowledged.saturating_sub(arrived.saturating_sub(duplicates)),
    );
    let ended: Vec<&str> = services
        .iter()
        .filter(|s| !s.last)
        .map(|s| s.source.as_str())
        .collect();
    if !ended.is_empty() {
        let reason = format!("ended without a last word: {}", ended.join(", "));
        take(Place::EndedProcess, &reason, u64::MAX);
    }
    match services {
        [] => take(Place::Unknown, "the target shows no span books", u64::MAX),
        _ => take(
            Place::NeverMade,
            "no process has such spans in its books",
            u64::MAX,
        ),
    }
    Losses {
        missing_spans,
        places,
    }
}

/// Spans that the services say are lost, by reason.
fn lost(services: &[Service]) -> impl Iterator<Item = (&str, u64)> {
    let mut sums = std::collections::BTreeMap::new();
    for (reason, spans) in services.iter().flat_map(|service| &service.lost) {
        *sums.entry(reason.as_str()).or_default() += spans;
    }
    sums.into_iter()
}
