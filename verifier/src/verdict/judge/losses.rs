//! Where the spans that did not come were lost: the books of each hop on their way held against what arrived.

use super::collector::exporter_of;
use super::replicas::Lives;
use crate::record::{Observation, ServiceBooks};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Collector, Loss, Losses, Place, Service, TraceSource};
use std::collections::{BTreeMap, BTreeSet};

/// Other machines' clocks may be off by so much, and a process is not older than the run for it.
const CLOCKS_APART_NS: u64 = 5_000_000_000;

/// The books of every process that was seen, the last that each said; less what it said before the load, if it is
/// older than the run.
pub(super) fn services(timeline: &Timeline<'_>) -> Vec<Service> {
    books(timeline).iter().map(since).collect()
}

/// The books of one process.
struct Process {
    /// Before the load.
    before: ServiceBooks,
    last: ServiceBooks,
    /// It is older than the run, and was first asked when the load ran.
    late: bool,
}

fn books(timeline: &Timeline<'_>) -> Vec<Process> {
    let mut processes: Vec<Process> = Vec::new();
    let mut of_this_run = false;
    let mut origin_unix_ns = 0;
    for observation in timeline.observations() {
        let books = match observation {
            Observation::RunStarted {
                origin_unix_ns: origin,
                ..
            } => {
                origin_unix_ns = *origin;
                continue;
            }
            Observation::StageStarted { .. } => {
                of_this_run = true;
                continue;
            }
            // Started here.
            Observation::TargetReady { pids, .. } => {
                of_this_run |= !pids.is_empty();
                continue;
            }
            Observation::ServiceBooks(books) => books,
            _ => continue,
        };
        // A log that does not say whose it is goes by its pod: by the last process in it.
        let of_pod = books.source == books.pod;
        let of_source = |known: &&mut Process| {
            known.last.source == books.source || of_pod && known.last.pod == books.pod
        };
        let older = { books.since_unix_ns }.is_some_and(|ns| ns + CLOCKS_APART_NS < origin_unix_ns);
        match processes.iter_mut().rev().find(of_source) {
            // The same name with smaller counts is another process: a restarted container.
            Some(known) if known.last.started <= books.started => {
                let known = &mut known.last;
                *known = ServiceBooks {
                    source: std::mem::take(&mut known.source),
                    last: books.last || known.last,
                    ..books.clone()
                };
            }
            _ => processes.push(Process {
                before: match of_this_run && !older {
                    true => ServiceBooks::default(),
                    false => books.clone(),
                },
                last: books.clone(),
                late: of_this_run && older,
            }),
        }
    }
    processes
}

/// What keeps the books that were read from telling of every span. Behind one address each answer is some pod's.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// In words; `None`: nothing does.
    pub(super) why: Option<String>,
    /// Processes whose last books are not their last words, and which have not ended.
    alive: BTreeSet<String>,
}

impl Untold {
    /// Holds the books against the pods and the senders of spans.
    pub(super) fn of(timeline: &Timeline<'_>, lives: &Lives) -> Untold {
        let processes = books(timeline);
        let known = |name: &str| {
            let mut all = processes.iter().map(|process| &process.last);
            all.any(|books| books.pod == name || books.source == name)
        };
        let pods = pods(timeline);
        let served = pods.iter().filter(|(_, pod)| pod.served);
        let served: Vec<&str> = served.map(|(name, _)| *name).collect();
        // Senders that go by another name than books do say nothing.
        let senders = lives.keys().map(String::as_str);
        let senders: Vec<&str> = senders.collect();
        let named = |names: &[&str]| names.iter().any(|name| known(name));
        let mut unread: BTreeSet<&str> = BTreeSet::new();
        for names in [served, senders] {
            if named(&names) {
                unread.extend(names.iter().filter(|name| !known(name)));
            }
        }
        let late = processes.iter().filter(|process| process.late);
        unread.extend(late.map(|process| process.last.source.as_str()));
        let unread: Vec<&str> = unread.into_iter().collect();
        let alive = processes.iter().filter(|process| {
            let pod = pods.get(process.last.pod.as_str());
            !process.last.last && pod.is_some_and(|pod| !pod.ended)
        });
        Untold {
            why: (!unread.is_empty()).then(|| {
                format!(
                    "not all books were read: those of {} were not, or not from the start",
                    unread.join(", ")
                )
            }),
            alive: alive.map(|process| process.last.source.clone()).collect(),
        }
    }
}

/// A pod of the target.
#[derive(Default)]
struct OfPod {
    /// It was ready at some time.
    served: bool,
    /// A container of it ended, or it is gone.
    ended: bool,
}

fn pods<'t>(timeline: &'t Timeline<'_>) -> BTreeMap<&'t str, OfPod> {
    let mut pods: BTreeMap<&str, OfPod> = BTreeMap::new();
    for observation in timeline.observations() {
        if let Observation::Pod(pod) = observation
            && !pod.collector
        {
            let known = pods.entry(&pod.name).or_default();
            known.served |= pod.ready;
            known.ended |= pod.deleted || pod.terminated.is_some();
        }
    }
    pods
}

/// What was in its queue and on its disk before, it had like what it recovered.
fn since(process: &Process) -> Service {
    let Process { before, last, .. } = process;
    let held = before.queued + before.left_on_disk;
    let lost = last.lost.iter().filter_map(|(why, spans)| {
        let spans = spans - before.lost.get(why).unwrap_or(&0).min(spans);
        (spans > 0).then(|| (why.clone(), spans))
    });
    Service {
        source: last.source.clone(),
        started: last.started - before.started,
        recovered: last.recovered.saturating_sub(before.recovered) + held,
        queued: last.queued,
        acknowledged: last.acknowledged.saturating_sub(before.acknowledged),
        lost: lost.collect(),
        left_on_disk: last.left_on_disk,
        refused_requests: last
            .refused_requests
            .saturating_sub(before.refused_requests),
        last: last.last,
    }
}

/// Attributes the spans that are missing in the source, from what is known best to what is not known at all. A place's
/// figure is what its books say, cut where fewer are missing: a process also counts spans of requests
/// that nobody got an answer to.
pub(super) fn attribute(
    services: &[Service],
    untold: &Untold,
    collector: Option<&Collector>,
    source: &TraceSource,
) -> Losses {
    let mut way = Way::new(services, collector, source);
    way.in_the_service(services);
    if let Some(collector) = collector {
        way.in_the_collector(collector, source);
    }
    way.behind(collector, source);
    way.unaccounted(services, untold, source);
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
        let handed_over = match services {
            [] => collector.map_or(0, |collector| collector.accepted),
            _ => sum(services, |s| s.acknowledged),
        };
        Way {
            rest: source.spans_missing,
            gone: handed_over.saturating_sub(arrived(source)),
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

    fn unaccounted(&mut self, services: &[Service], untold: &Untold, source: &TraceSource) {
        let silent = services.iter().filter(|service| !service.last);
        let ended = silent.filter(|service| !untold.alive.contains(&service.source));
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
            _ if untold.why.is_some() || !untold.alive.is_empty() => {
                let last = "not all processes could be asked at the end".to_owned();
                (Place::Unknown, untold.why.clone().unwrap_or(last))
            }
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
    let others = match source.name.as_str() {
        "otlp" | "collector-file" => receiver.foreign_spans + receiver.malformed_spans,
        // What a store holds of others may be older than the books.
        _ => 0,
    };
    (receiver.spans + others).saturating_sub(source.duplicate)
}

fn sum(services: &[Service], of: fn(&Service) -> u64) -> u64 {
    services.iter().map(of).sum()
}

/// Spans that the services say are lost, by reason.
fn lost(services: &[Service]) -> impl Iterator<Item = (&str, u64)> {
    let mut sums = BTreeMap::new();
    for (reason, spans) in services.iter().flat_map(|service| &service.lost) {
        *sums.entry(reason.as_str()).or_default() += spans;
    }
    sums.into_iter()
}
