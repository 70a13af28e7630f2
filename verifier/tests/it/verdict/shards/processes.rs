//! Processes whose counters several shards read: each is counted once, whatever the order of the readings.

use super::{Deal, MS, Run, TempDir, join, judge};
use std::collections::BTreeMap;
use verifier::record::{CollectorBooks, Entry, ExporterBooks, Observation, ServiceBooks};
use verifier::verdict::Verdict;

fn service(started: u64, acknowledged: u64, last: bool) -> Observation {
    Observation::ServiceBooks(ServiceBooks {
        source: "pod-0".into(),
        started,
        acknowledged,
        queued: started - acknowledged,
        last,
        ..ServiceBooks::default()
    })
}

fn collector(uptime_seconds: f64, accepted: u64) -> Observation {
    let verifier = ExporterBooks {
        sent: accepted,
        ..ExporterBooks::default()
    };
    Observation::CollectorBooks(CollectorBooks {
        place: "http://127.0.0.1:8888/metrics".into(),
        uptime_seconds,
        accepted,
        exporters: BTreeMap::from([("otlp/verifier".to_owned(), verifier)]),
        ..CollectorBooks::default()
    })
}

/// Two shards' readings, each with its moment in milliseconds after the load began, joined and judged.
fn joined(readings: [&[(u64, Observation)]; 2], hosts: [&str; 2]) -> Verdict {
    let folder = TempDir::new().unwrap();
    let deal = Deal {
        count: 2,
        receiver: 0,
        later_ns: 0,
    };
    for (index, readings) in (0..2).zip(readings) {
        let mut part = deal.part(&Run::of(1000), index);
        for (at_ms, observation) in readings {
            let entry = Entry {
                at_ns: (1000 + at_ms) * MS,
                observation: observation.clone(),
            };
            let place = part.journal.partition_point(|e| e.at_ns <= entry.at_ns);
            part.journal.insert(place, entry);
        }
        let path = folder.path().join(index.to_string());
        let written = part.write_to(&path);
        let journal = std::fs::read_to_string(written.journal()).unwrap();
        let host = hosts[usize::from(index)];
        let journal = journal.replace("\"desk\"", &format!("{host:?}"));
        std::fs::write(written.journal(), journal).unwrap();
    }
    let out = folder.path().join("joined");
    judge(&join(&[folder.path().to_owned()], &out).unwrap())
}

#[test]
fn readings_of_one_process_are_one_series() {
    // The second shard's clock lags: what it reads later seems to come before, and the other way round.
    let first = [
        (10, service(100, 90, false)),
        (500, service(2000, 1900, false)),
        (1000, service(3000, 3000, true)),
    ];
    let second = [
        (20, service(50, 50, false)),
        (501, service(1990, 1900, false)),
        (990, service(3000, 2990, false)),
        (1001, service(3000, 2995, true)),
    ];
    let verdict = joined([&first, &second], ["a", "b"]);
    let [only] = &verdict.services[..] else {
        panic!("{:#?}", verdict.services)
    };
    assert_eq!(
        (only.started, only.acknowledged, only.queued),
        (3000, 3000, 0)
    );
    assert!(only.last);
}

#[test]
fn a_process_that_took_over_is_another() {
    let first = [
        (10, service(1000, 1000, false)),
        (700, service(20, 20, false)),
        (1000, service(2000, 2000, true)),
    ];
    let second = [
        (11, service(1000, 1000, false)),
        (995, service(1990, 1990, false)),
    ];
    let verdict = joined([&first, &second], ["a", "b"]);
    let started: Vec<u64> = verdict.services.iter().map(|s| s.started).collect();
    assert_eq!(started, [1000, 2000]);
}

#[test]
fn one_collector_is_counted_once_and_two_of_the_same_name_are_two() {
    let first = [(0, collector(10.0, 500)), (1000, collector(11.0, 3500))];
    let second = [(5, collector(9.9, 490)), (1001, collector(10.999, 3490))];
    let same = joined([&first, &second], ["a", "a"]).collector.unwrap();
    assert_eq!((same.accepted, same.restarts), (3000, 0));
    assert_eq!(same.exporters["otlp/verifier"].sent, 3000);

    let second = [(5, collector(99.0, 100)), (1001, collector(100.0, 1100))];
    let two = joined([&first, &second], ["a", "b"]).collector.unwrap();
    assert_eq!((two.accepted, two.restarts), (4000, 0));
    assert_eq!(
        two.place,
        "http://127.0.0.1:8888/metrics on a, http://127.0.0.1:8888/metrics on b"
    );
}
