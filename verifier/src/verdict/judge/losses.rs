//! Where the spans that did not come were lost: the books of each hop on their way held against what arrived.

use super::collector::exporter_of;
use crate::record::{Observation, ServiceBooks};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Collector, Loss, Losses, Place, Service, TraceSource};

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

/// Attributes the spans that are missing in the source, from what is known best to what is not known at all. A place's
/// figure is what its books say, cut where fewer are missing: a process also counts spans of requests
/// that nobody got an answer to.
pub(super) fn attribute(
    services: &[Service],
    collector: Option<&Collector>,
    source: &TraceSource,
) -> Losses {
    let mut way = Way::new(services, collector, source);
    way.in_the_service(services);
    if let Some(collector) = collector {
        way.in_the_collector(collector, source);
    }
    way.behind(collector, source);
    way.unaccounted(services, source);
    Losses {
        missing_spans: source.spans_missing,
        places: way.places,
    }
}

/// The way of the missing spans, hop by hop.
struct Way {
    /// Missing spans that no place is found for yet.
    rest: u64,
    /// Spans that the service handed over and that did not arrive, of which no hop is found yet.
    gone: u64,
    places: Vec<Loss>,
}

impl Way {
    fn new(services: &[Service], collector: Option<&Collector>, source: &TraceSource) -> Way {
        let receiver = &source.receiver;
        let arrived = receiver.spans + receiver.foreign_spans + receiver.malformed_spans;
        let handed_over = match services {
            [] => collector.map_or(0, |collector| collector.accepted),
            _ => sum(services, |s| s.acknowledged),
        };
        Way {
            rest: source.spans_missing,
            gone: handed_over.saturating_sub(arrived.saturating_sub(source.duplicate)),
            places: Vec::new(),
        }
    }

    fn take(&mut self, place: Place, reason: &str, spans: u64) {
        let spans = spans.min(self.rest);
        if spans > 0 {
            self.rest -= spans;
            let reason = reason.to_owned();
            self.places.push(Loss {
                place,
                reason,
                spans,
            });
        }
    }

    /// Of those that were handed over.
    fn hop(&mut self, place: Place, reason: &str, spans: u64) {
        let spans = spans.min(self.gone);
        self.gone -= spans;
        self.take(place, reason, spans);
    }

    fn in_the_service(&mut self, services: &[Service]) {
        for (reason, spans) in lost(services) {
            self.take(Place::Service, reason, spans);
        }
        let undelivered = services.iter().filter(|s| s.last).map(|s| s.queued).sum();
        let reason = "not delivered when the run ended";
        self.take(Place::Service, reason, undelivered);
        let on_disk = sum(services, |s| s.left_on_disk);
        let left = on_disk.saturating_sub(sum(services, |s| s.recovered));
        self.take(Place::Service, "left in its spill directory", left);
    }

    fn in_the_collector(&mut self, collector: &Collector, source: &TraceSource) {
        let accepted = collector.accepted;
        let Some((name, exporter)) = exporter_of(collector, &source.name) else {
            return;
        };
        if collector.restarts > 0 {
            // What a killed one had accepted and sent in its last second stands in no books.
            let away = self.gone.saturating_sub(exporter.queue);
            let sent_and_gone = exporter.sent.saturating_sub(arrived(source));
            let reason = format!(
                "held by a collector that was ended ({} restarts), for {name}",
                collector.restarts
            );
            self.hop(
                Place::Collector,
                &reason,
                away.saturating_sub(sent_and_gone),
            );
        }
        let failed = [
            ("no room in the queue of", exporter.enqueue_failed),
            ("given up by", exporter.send_failed),
            ("in the queue of", exporter.queue),
        ];
        for (reason, spans) in failed {
            self.hop(Place::Collector, &format!("{reason} {name}"), spans);
        }
        let settled = exporter.sent + exporter.enqueue_failed + exporter.send_failed;
        let unsent = accepted.saturating_sub(settled + exporter.queue);
        let reason = format!("accepted, and not sent by {name}");
        self.hop(Place::Collector, &reason, unsent);
        let never_accepted = self
            .gone
            .saturating_sub(accepted.saturating_sub(arrived(source)));
        let reason = "acknowledged to the service, and not in the collector's books";
        self.hop(Place::OnTheWay, reason, never_accepted);
    }

    /// What is left was taken over by whoever the source is read from.
    fn behind(&mut self, collector: Option<&Collector>, source: &TraceSource) {
        let receiver = &source.receiver;
        let all = u64::MAX;
        let known = !receiver.lost.is_empty() || !receiver.incomplete.is_empty();
        if known && self.gone == 0 && collector.is_none() {
            // Without any books before it, what the source says of itself is all that there is.
            self.gone = self.rest;
        }
        self.hop_if(Place::Backend, &receiver.lost);
        self.hop_if(Place::Unread, &receiver.incomplete);
        match collector.map(|collector| exporter_of(collector, &source.name)) {
            Some(Some((name, _))) => {
                let reason = format!("sent by {name}, and not in {}", source.name);
                self.hop(Place::Backend, &reason, all);
            }
            Some(None) => {
                let reason = format!(
                    "behind the collector: none of its exporters is known to feed {}",
                    source.name
                );
                self.hop(Place::Unknown, &reason, all);
            }
            None => {
                let reason = "acknowledged to the service, and never here";
                self.hop(Place::OnTheWay, reason, all);
            }
        }
    }

    fn hop_if(&mut self, place: Place, reasons: &[String]) {
        if !reasons.is_empty() {
            self.hop(place, &reasons.join("; "), u64::MAX);
        }
    }

    fn unaccounted(&mut self, services: &[Service], source: &TraceSource) {
        let ended = services.iter().filter(|service| !service.last);
        let ended: Vec<&str> = ended.map(|service| service.source.as_str()).collect();
        if !ended.is_empty() {
            let reason = format!("ended without a last word: {}", ended.join(", "));
            self.take(Place::EndedProcess, &reason, u64::MAX);
        }
        let (place, reason) = match services {
            // What is not read may hold them.
            _ if !source.receiver.incomplete.is_empty() => {
                (Place::Unread, source.receiver.incomplete.join("; "))
            }
            [] => (Place::Unknown, "the target shows no span books".to_owned()),
            _ => {
                let reason = "no process has such spans in its books";
                (Place::NeverMade, reason.to_owned())
            }
        };
        self.take(place, &reason, u64::MAX);
    }
}

fn arrived(source: &TraceSource) -> u64 {
    let receiver = &source.receiver;
    let arrived = receiver.spans + receiver.foreign_spans + receiver.malformed_spans;
    arrived.saturating_sub(source.duplicate)
}

fn sum(services: &[Service], of: fn(&Service) -> u64) -> u64 {
    services.iter().map(of).sum()
}

/// Spans that the services say are lost, by reason.
fn lost(services: &[Service]) -> impl Iterator<Item = (&str, u64)> {
    let mut sums = std::collections::BTreeMap::new();
    for (reason, spans) in services.iter().flat_map(|service| &service.lost) {
        *sums.entry(reason.as_str()).or_default() += spans;
    }
    sums.into_iter()
}
