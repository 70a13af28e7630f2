//! The collector's books over the run: what each process said last, less what was there before, together.

use crate::record::{CollectorBooks, ExporterBooks, Observation};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Collector, Exporter};

/// `None` where no books were read. Several collectors (shards of a run may each have had one beside them) count as one.
pub(super) fn books(timeline: &Timeline<'_>) -> Option<Collector> {
    let mut places: Vec<(&str, Vec<&CollectorBooks>)> = Vec::new();
    for observation in timeline.observations() {
        let Observation::CollectorBooks(books) = observation else {
            continue;
        };
        match places.iter_mut().find(|(place, _)| *place == books.place) {
            Some((_, read)) => read.push(books),
            None => places.push((books.place.as_str(), vec![books])),
        }
    }
    let collectors = places.iter().filter_map(|(_, read)| of_one(read));
    collectors.reduce(|mut all, one| {
        all.place = format!("{}, {}", all.place, one.place);
        all.restarts += one.restarts;
        all.accepted += one.accepted;
        all.refused += one.refused;
        all.failed += one.failed;
        for (name, exporter) in one.exporters {
            let sum = all.exporters.entry(name).or_default();
            sum.sent += exporter.sent;
            sum.send_failed += exporter.send_failed;
            sum.enqueue_failed += exporter.enqueue_failed;
            sum.queue += exporter.queue;
        }
        all
    })
}

/// The books of one collector, with all its restarts.
fn of_one(read: &[&CollectorBooks]) -> Option<Collector> {
    let (before, read) = read.split_first()?;
    let mut collector = Collector {
        place: before.place.clone(),
        ..Collector::default()
    };
    let (mut before, mut last) = ((*before).clone(), *before);
    for books in read {
        let shrunk = books.uptime_seconds < last.uptime_seconds || books.accepted < last.accepted;
        if shrunk {
            add(&mut collector, &before, last);
            before = CollectorBooks::default();
            collector.restarts += 1;
        }
        last = books;
    }
    add(&mut collector, &before, last);
    Some(collector)
}

/// Adds what one process did since `before`. What is in a queue was accepted, and is not added up: the last one's counts.
fn add(collector: &mut Collector, before: &CollectorBooks, last: &CollectorBooks) {
    collector.accepted += last.accepted.saturating_sub(before.accepted);
    collector.refused += last.refused.saturating_sub(before.refused);
    collector.failed += last.failed.saturating_sub(before.failed);
    let none = ExporterBooks::default();
    for (name, last) in &last.exporters {
        let before = before.exporters.get(name).unwrap_or(&none);
        let exporter: &mut Exporter = collector.exporters.entry(name.clone()).or_default();
        exporter.sent += last.sent.saturating_sub(before.sent);
        exporter.send_failed += last.send_failed.saturating_sub(before.send_failed);
        exporter.enqueue_failed += last.enqueue_failed.saturating_sub(before.enqueue_failed);
        exporter.queue = last.queue;
    }
}

/// The exporter that feeds the source: by the word that its name holds, as `otel-collector/*.yaml` name them.
pub(super) fn exporter_of<'a>(
    collector: &'a Collector,
    source: &str,
) -> Option<(&'a str, &'a Exporter)> {
    let word = match source {
        "otlp" => "verifier",
        "collector-file" => "file",
        "cloud-trace" => "google",
        name => name,
    };
    let exporters = &collector.exporters;
    let mut found = exporters.iter().filter(|(name, _)| name.contains(word));
    match (found.next(), found.next()) {
        (Some((name, exporter)), None) => Some((name, exporter)),
        _ => None,
    }
}
