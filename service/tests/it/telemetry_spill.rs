//! The spill directory: an outage longer than memory, the end of the process, a cut file; and what
//! yields when there is no such directory and no collector.

use std::{fs, path::Path, time::Duration};

use iris_prediction_api::telemetry::{
    OnPressure, Protocol, Recorder, SpillConfig, Telemetry, TelemetryConfig,
};

use crate::{
    sink::{Reply, Sink, config},
    telemetry_delivery::{LONG, record},
    telemetry_faults::wait_until,
};

/// Nothing listens on the discard port.
const NOBODY: &str = "127.0.0.1:9";

fn spilling(mut config: TelemetryConfig, directory: &Path) -> TelemetryConfig {
    config.span_buffer_bytes = 1 << 20;
    config.spill = Some(SpillConfig {
        directory: directory.to_owned(),
        limit_bytes: 1 << 30,
    });
    config
}

/// Records so many traces, waiting for room as often as needed.
fn record_patiently(recorder: &Recorder, traces: usize) {
    for _ in 0..traces {
        wait_until(|| recorder.try_admit().is_some());
        record(recorder, 1);
    }
}

fn segments(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "spans"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn an_outage_longer_than_memory_loses_nothing() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let directory = tempfile::tempdir().unwrap();
        let sink = Sink::start([]);
        sink.always(Some(Reply::Http(503, None)));
        let telemetry =
            Telemetry::start(&spilling(sink.config(protocol), directory.path())).unwrap();
        // Eight times what fits into memory.
        record_patiently(&telemetry.recorder(), 20_000);
        let books = telemetry.books();
        assert!(books.balanced(), "{books}");
        assert_eq!((books.started, books.lost_total()), (60_000, 0));
        assert!(books.buffer_used_bytes <= books.buffer_capacity_bytes);
        assert!(segments(directory.path()).len() > 1);

        sink.always(None);
        let books = telemetry.shutdown(LONG);
        assert_eq!(
            (books.acknowledged, sink.distinct()),
            (60_000, 60_000),
            "{books}"
        );
        assert_eq!(segments(directory.path()), [] as [&Path; 0]);
    }
}

#[test]
fn what_is_left_at_the_end_is_sent_by_the_next_process_as_the_first_one_said_it() {
    let directory = tempfile::tempdir().unwrap();
    let away = config(NOBODY.parse().unwrap(), Protocol::Grpc);
    let telemetry = Telemetry::start(&spilling(away, directory.path())).unwrap();
    record_patiently(&telemetry.recorder(), 10_000);
    let books = telemetry.shutdown(Duration::from_millis(50));
    assert!(books.balanced(), "{books}");
    assert_eq!(
        (books.left_on_disk, books.lost_total()),
        (30_000, 0),
        "{books}"
    );

    let sink = Sink::start([]);
    let mut next = spilling(sink.config(Protocol::Grpc), directory.path());
    next.service_name = "another".to_owned();
    let telemetry = Telemetry::start(&next).unwrap();
    record(&telemetry.recorder(), 100);
    wait_until(|| telemetry.books().acknowledged == 30_300);
    let books = telemetry.shutdown(LONG);
    assert_eq!((books.started, books.recovered), (300, 30_000));
    assert!(books.balanced(), "{books}");
    assert_eq!(sink.distinct(), 30_300);
    let of_first = sink
        .resource_spans()
        .iter()
        .filter(|one| format!("{:?}", one.resource).contains("iris-under-test"))
        .flat_map(|one| &one.scope_spans)
        .map(|scope| scope.spans.len())
        .sum::<usize>();
    assert_eq!(of_first, 30_000, "the resource is the first process's");
    assert_eq!(segments(directory.path()), [] as [&Path; 0]);
}

#[test]
fn a_file_that_a_crash_has_cut_gives_what_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let away = config(NOBODY.parse().unwrap(), Protocol::Grpc);
    let telemetry = Telemetry::start(&spilling(away, directory.path())).unwrap();
    record_patiently(&telemetry.recorder(), 30_000);
    telemetry.shutdown(Duration::ZERO);
    let files = segments(directory.path());
    let cut = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &cut[..cut.len() - 1]).unwrap();
    // One bit of the second file's last record is wrong, a third has no head yet, a fourth is not ours.
    let mut wrong = fs::read(&files[1]).unwrap();
    *wrong.last_mut().unwrap() ^= 1;
    fs::write(&files[1], &wrong).unwrap();
    fs::write(directory.path().join("1.spans"), b"IRIS").unwrap();
    fs::write(
        directory.path().join("2.spans"),
        b"what is this? it is no segment",
    )
    .unwrap();

    let sink = Sink::start([]);
    let telemetry =
        Telemetry::start(&spilling(sink.config(Protocol::Grpc), directory.path())).unwrap();
    wait_until(|| {
        let books = telemetry.books();
        books.recovered > 0
            && books.acknowledged == books.recovered
            && segments(directory.path()).len() == 1
    });
    let books = telemetry.shutdown(LONG);
    assert!(
        (89_000..90_000).contains(&books.recovered),
        "two records are missing: {books}"
    );
    assert_eq!(sink.distinct() as u64, books.recovered);
    assert_eq!(
        segments(directory.path()),
        [directory.path().join("2.spans")]
    );
}

#[test]
fn a_directory_that_is_full_leaves_memory_its_say() {
    let directory = tempfile::tempdir().unwrap();
    let sink = Sink::start([]);
    sink.always(Some(Reply::Http(503, None)));
    let mut config = spilling(sink.config(Protocol::HttpProtobuf), directory.path());
    config.spill.as_mut().unwrap().limit_bytes = 1 << 20;
    let telemetry = Telemetry::start(&config).unwrap();
    let recorder = telemetry.recorder();
    let mut admitted = 0;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    while let Ok(permit) = runtime.block_on(recorder.admit()) {
        drop(permit);
        record(&recorder, 1);
        admitted += 1;
    }
    let on_disk: u64 = segments(directory.path())
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert!(on_disk <= 1 << 20, "{on_disk}");
    assert_eq!(telemetry.books().lost_total(), 0);
    sink.always(None);
    let books = telemetry.shutdown(LONG);
    assert_eq!(
        (books.acknowledged, sink.distinct() as u64),
        (3 * admitted, 3 * admitted)
    );
}

#[test]
fn a_directory_that_can_not_be_used_is_said_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let away = config(NOBODY.parse().unwrap(), Protocol::Grpc);
    let config = spilling(away.clone(), directory.path());
    let _first = Telemetry::start(&config).unwrap();
    let error = format!("{:#}", Telemetry::start(&config).unwrap_err());
    assert!(error.contains("another process uses it"), "{error}");

    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = format!(
        "{:#}",
        Telemetry::start(&spilling(away, &file.join("below"))).unwrap_err()
    );
    assert!(
        error.contains("cannot create the spill directory"),
        "{error}"
    );
}

#[test]
fn a_collector_that_stays_away_costs_the_oldest_spans_and_no_request() {
    for on_pressure in [OnPressure::Shed, OnPressure::Drop] {
        let mut config = config(NOBODY.parse().unwrap(), Protocol::HttpProtobuf);
        config.span_buffer_bytes = 1 << 20;
        config.on_pressure = on_pressure;
        config.collector_patience = Duration::ZERO;
        let telemetry = Telemetry::start(&config).unwrap();
        // Until it is given up, requests may have to wait.
        record_patiently(&telemetry.recorder(), 5_000);
        for _ in 0..10_000 {
            assert!(telemetry.recorder().try_admit().is_some());
            record(&telemetry.recorder(), 1);
        }
        let books = telemetry.books();
        assert!(books.balanced(), "{books}");
        assert!(books.buffer_used_bytes <= books.buffer_capacity_bytes);
        let reason = match on_pressure {
            OnPressure::Shed => "collector_away",
            OnPressure::Drop => "buffer_full",
        };
        assert_eq!(books.lost[reason], books.lost_total(), "{books}");
        assert_eq!(books.refused_requests, 0);
        assert_eq!(books.started, 45_000);
        telemetry.shutdown(Duration::ZERO);
    }
}
