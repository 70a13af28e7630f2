//! Each hop of a trace's real way loses spans in its own way, and the verdict names the hop: the service, our collector
//! and Jaeger as processes, their traces read back from Jaeger, from the collector's file and by OTLP.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

#[path = "../testbed/mod.rs"]
mod testbed;
mod way;

use rustix::process::Signal;
use std::time::Duration;
use verifier::record::RunKey;
use verifier::record::run_key::hex;
use verifier::run::traces::walk_json;
use way::{Way, loss, losses, outcome, source};

const JAEGER: &str = "otlp_grpc/jaeger";

#[test]
fn three_sources_have_every_trace_and_agree() {
    let Some(way) = Way::new(10_000, &["local", "verifier"]) else {
        return;
    };
    let sources = ["otlp", &way.jaeger_grpc(), &way.file()];
    let verdict = way.run(&sources, &["-R", "300", "-d", "3s"]);
    assert_eq!(outcome(&verdict, ""), "pass", "{verdict:#}");
    assert_eq!(outcome(&verdict, "sources_agree"), "pass", "{verdict:#}");
    for name in ["otlp", "jaeger", "collector-file"] {
        let source = source(&verdict, name);
        assert_eq!(
            (&source["expected"], &source["complete"]),
            (&900.into(), &900.into()),
            "{name}"
        );
        assert_eq!(source["spans_missing"], 0);
    }
    let collector = &verdict["collector"];
    for exporter in [JAEGER, "file", "otlp_grpc/verifier"] {
        let sent = collector["exporters"][exporter]["sent"].as_u64().unwrap();
        assert!(sent >= 2_700, "{collector:#}");
    }
}

#[test]
fn jaeger_is_read_as_json_too_in_slices_that_are_halved() {
    // A store of 400 traces takes no depth beyond that: 300 traces in 100 ms must be asked for in parts.
    let Some(way) = Way::new(400, &["local"]) else {
        return;
    };
    let jaeger = format!("jaeger=http://{}", way.jaeger.query_http());
    let verdict = way.run(&[&jaeger], &["-R", "300", "-d", "1s"]);
    assert_eq!(outcome(&verdict, ""), "pass", "{verdict:#}");
    assert_eq!(source(&verdict, "jaeger")["complete"], 300);
    assert_eq!(source(&verdict, "jaeger")["duplicate"], 0);
}

#[test]
fn a_memory_store_that_is_too_small_is_named_with_the_count() {
    let Some(mut way) = Way::new(100, &["local"]) else {
        return;
    };
    way.drain = "8s";
    let sources = [way.file(), way.jaeger_grpc()];
    let verdict = way.run(&[&sources[0], &sources[1]], &["-R", "300", "-d", "2s"]);
    assert_eq!(outcome(&verdict, ""), "fail", "{verdict:#}");
    assert_eq!(source(&verdict, "collector-file")["complete"], 600);
    let jaeger = source(&verdict, "jaeger");
    let complete = jaeger["complete"].as_u64().unwrap();
    assert!((90..=100).contains(&complete), "{jaeger:#}");
    let missing = jaeger["spans_missing"].as_u64().unwrap();
    assert_eq!(loss(jaeger, "backend"), missing, "{jaeger:#}");
    assert!(losses(jaeger).contains("holds 100 traces"), "{jaeger:#}");
}

/// What only the collector's memory held is gone with it, and counted there.
#[test]
fn a_killed_collector_without_storage_loses_what_its_queue_held() {
    let verdict = match killed_collector(&["local"]) {
        Some(verdict) => verdict,
        None => return,
    };
    assert_eq!(outcome(&verdict, ""), "fail", "{verdict:#}");
    assert_eq!(verdict["collector"]["restarts"], 1);
    let jaeger = source(&verdict, "jaeger");
    let missing = jaeger["spans_missing"].as_u64().unwrap();
    assert!(missing > 0, "{jaeger:#}");
    assert_eq!(loss(jaeger, "collector"), missing, "{jaeger:#}");
}

#[test]
fn a_killed_collector_with_storage_loses_nothing_for_jaeger() {
    let Some(verdict) = killed_collector(&["local", "durable"]) else {
        return;
    };
    let jaeger = source(&verdict, "jaeger");
    assert_eq!(jaeger["complete"], jaeger["expected"], "{verdict:#}");
    assert_eq!(outcome(&verdict, ""), "pass", "{verdict:#}");
}

/// Jaeger does not answer while the collector takes spans; then the collector is killed and comes again.
fn killed_collector(configs: &[&str]) -> Option<serde_json::Value> {
    let mut way = Way::new(10_000, configs)?;
    way.drain = "25s";
    let running = way.start(&[&way.jaeger_grpc()], &["-R", "200", "-d", "6s"]);
    way.accepted(300);
    way.jaeger.signal(Signal::STOP);
    let before = way
        .collector
        .metric("otelcol_receiver_accepted_spans")
        .unwrap() as u64;
    way.accepted(before + 900);
    // Its books are read once a second: those of its last one are to be known here.
    std::thread::sleep(Duration::from_millis(1_100));
    way.collector.kill();
    way.jaeger.signal(Signal::CONT);
    way.collector.start();
    Some(running.verdict())
}

#[test]
fn jaeger_away_for_half_a_minute_loses_nothing() {
    let Some(way) = Way::new(10_000, &["local"]) else {
        return;
    };
    let running = way.start(
        &[&way.jaeger_grpc(), &way.file()],
        &["-R", "100", "-d", "3s"],
    );
    way.accepted(150);
    way.jaeger.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(30));
    way.jaeger.signal(Signal::CONT);
    let verdict = running.verdict();
    assert_eq!(outcome(&verdict, ""), "pass", "{verdict:#}");
    assert_eq!(source(&verdict, "jaeger")["complete"], 300);
}

/// One exporter's full queue is an error for the sender, which sends again: to the other exporter, too.
#[test]
fn a_full_queue_makes_duplicates_in_the_other_branch() {
    let Some(way) = Way::new(10_000, &["local", "../verifier/tests/hops/small_queue"]) else {
        return;
    };
    way.jaeger.signal(Signal::STOP);
    let running = way.start(&[&way.file()], &["-R", "300", "-d", "4s"]);
    way.until(|way| {
        let failed = format!("otelcol_exporter_enqueue_failed_spans{{exporter=\"{JAEGER}\"}}");
        way.collector
            .metric(&failed)
            .is_some_and(|spans| spans > 0.0)
    });
    way.jaeger.signal(Signal::CONT);
    let verdict = running.verdict();
    let file = source(&verdict, "collector-file");
    assert_eq!(file["complete"], 1200, "{verdict:#}");
    assert!(file["duplicate"].as_u64().unwrap() > 0, "{file:#}");
    let jaeger = &verdict["collector"]["exporters"][JAEGER];
    assert!(jaeger["enqueue_failed"].as_u64().unwrap() > 0, "{jaeger:#}");
}

#[test]
fn a_collector_without_memory_refuses_and_the_service_still_has_the_spans() {
    let Some(mut way) = Way::with(10_000, &["local"], &[("COLLECTOR_MEMORY_MIB", "2")]) else {
        return;
    };
    way.drain = "8s";
    let verdict = way.run(&[&way.file()], &["-R", "100", "-d", "2s"]);
    assert_eq!(outcome(&verdict, ""), "fail", "{verdict:#}");
    assert!(
        verdict["collector"]["refused"].as_u64().unwrap() > 0,
        "{verdict:#}"
    );
    let file = source(&verdict, "collector-file");
    assert_eq!(
        loss(file, "service"),
        file["spans_missing"].as_u64().unwrap(),
        "{file:#}"
    );
    assert!(losses(file).contains("not delivered"), "{file:#}");
}

/// gRPC refuses it before any counter of Jaeger's sees it, and the exporter does not try again.
#[test]
fn a_message_beyond_the_receivers_limit_is_given_up_by_the_exporter() {
    let configs = ["local", "../verifier/tests/hops/large_batches"];
    let Some(mut way) = Way::with(10_000, &configs, &[("JAEGER_MESSAGE_MIB", "1")]) else {
        return;
    };
    way.drain = "15s";
    let sources = [way.file(), way.jaeger_grpc()];
    let verdict = way.run(&[&sources[0], &sources[1]], &["-R", "900", "-d", "4s"]);
    assert_eq!(source(&verdict, "collector-file")["complete"], 3600);
    let jaeger = source(&verdict, "jaeger");
    let missing = jaeger["spans_missing"].as_u64().unwrap();
    assert!(missing >= 6_000, "{jaeger:#}");
    assert_eq!(loss(jaeger, "collector"), missing, "{jaeger:#}");
    assert!(losses(jaeger).contains("given up by"), "{jaeger:#}");
}

/// The service's own memory for spans is the limit: it drops, counts, and says so.
#[test]
fn a_service_that_may_drop_spans_says_how_many() {
    let flags = ["--span-buffer", "64KiB", "--on-span-pressure", "drop"];
    let Some(mut way) = Way::serving(10_000, &["local"], &[], &flags) else {
        return;
    };
    way.drain = "10s";
    let running = way.start(&[&way.file()], &["-R", "800", "-d", "5s"]);
    way.accepted(300);
    way.collector.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(3));
    way.collector.signal(Signal::CONT);
    let verdict = running.verdict();
    let file = source(&verdict, "collector-file");
    let missing = file["spans_missing"].as_u64().unwrap();
    assert!(missing > 0, "{file:#}");
    assert_eq!(loss(file, "service"), missing, "{file:#}");
}

#[test]
fn a_file_that_rotates_all_the_time_is_read_whole() {
    let Some(way) = Way::new(10_000, &["local", "../verifier/tests/hops/small_files"]) else {
        return;
    };
    let verdict = way.run(&[&way.file()], &["-R", "800", "-d", "4s"]);
    assert_eq!(outcome(&verdict, ""), "pass", "{verdict:#}");
    let folder = way.collector.traces_file();
    let files = std::fs::read_dir(folder.parent().unwrap()).unwrap();
    let files = files.filter(|f| {
        f.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("traces")
    });
    assert!(files.count() > 2);
}

#[test]
fn a_file_cut_short_can_not_tell() {
    let Some(mut way) = Way::new(10_000, &["local"]) else {
        return;
    };
    way.drain = "8s";
    let running = way.start(&[&way.file()], &["-R", "200", "-d", "4s"]);
    way.accepted(300);
    // As a restart with `append: false` does, at moments at which now and then something was not read yet.
    for _ in 0..60 {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(way.collector.traces_file());
        file.unwrap().set_len(0).unwrap();
        std::thread::sleep(Duration::from_millis(37));
    }
    let verdict = running.verdict();
    let file = source(&verdict, "collector-file");
    let missing = file["spans_missing"].as_u64().unwrap();
    assert!(missing > 0, "{file:#}");
    assert_eq!(outcome(&verdict, "coverage==1"), "unknown", "{verdict:#}");
    assert_eq!(loss(file, "unread"), missing, "{file:#}");
}

/// Who samples by the parent's flag makes no span of a request whose client did not sample, and no counter anywhere
/// tells. Ours samples always: each request has its trace, whatever it came with.
#[test]
fn a_parent_that_is_not_sampled_takes_no_trace_away() {
    let Some(way) = Way::new(10_000, &["local"]) else {
        return;
    };
    let watching = way.watch(&[&way.file(), &way.jaeger_grpc()], "3s");
    for number in 1..=40 {
        let of = |flag: u8| {
            let trace = 0xaa + u64::from(flag);
            format!("traceparent: 00-{trace:016x}{number:016x}-{number:016x}-0{flag}\r\n")
        };
        for headers in [of(0), of(1), String::new()] {
            assert_eq!(way.predict(&headers), 200, "{headers}");
        }
    }
    let verdict = watching.verdict();
    assert_eq!(outcome(&verdict, "spans_arrived"), "pass", "{verdict:#}");
    for name in ["collector-file", "jaeger"] {
        let source = source(&verdict, name);
        assert_eq!(
            (&source["expected"], &source["complete"]),
            (&120.into(), &120.into()),
            "{name}"
        );
    }
}

/// Somebody else's requests: no trace ids of ours, no rows of ours.
#[test]
fn traces_of_others_are_watched_and_judged_again_from_the_file() {
    let Some(way) = Way::new(10_000, &["local"]) else {
        return;
    };
    let watching = way.watch(&[&way.file(), &way.jaeger_grpc()], "3s");
    let answers = (0..80)
        .map(|_| way.predict(""))
        .filter(|status| *status == 200);
    assert_eq!(answers.count(), 80);
    let verdict = watching.verdict();
    assert_eq!(outcome(&verdict, "coverage==1"), "pass", "{verdict:#}");
    assert_eq!(outcome(&verdict, "spans_arrived"), "pass", "{verdict:#}");
    let stage = &verdict["stages"][0];
    assert_eq!(
        (&stage["kind"], &stage["exchanges"]["ok"]),
        (&"watched".into(), &80.into())
    );
    assert_eq!(stage["spans_ms"]["model_inference"]["n"], 80);
    assert_eq!(source(&verdict, "jaeger")["complete"], 80);
    assert!(
        verdict["warnings"]
            .to_string()
            .contains("not the verifier's own")
    );

    let again = way.judge_file(&way.collector.traces_file());
    assert_eq!(outcome(&again, "coverage==1"), "pass", "{again:#}");
    assert_eq!(again["stages"][0]["traces"]["complete"], 80);
    assert_eq!(again["stages"][0]["spans_ms"], stage["spans_ms"]);

    // Without the inference of one request.
    let text = std::fs::read_to_string(way.collector.traces_file()).unwrap();
    let lines = text.replacen("\"model_inference\"", "\"something_else\"", 1);
    let other = way.collector.folder().join("other.json");
    std::fs::write(&other, lines).unwrap();
    let other = way.judge_file(&other);
    assert_eq!(outcome(&other, "coverage==1"), "fail", "{other:#}");
    let traces = &other["stages"][0]["traces"];
    assert_eq!(
        (
            &traces["complete"],
            &traces["missing_spans"]["model_inference"]
        ),
        (&79.into(), &1.into())
    );
}

/// Jaeger then has the whole trace: the client's span at the root, the service's below it. The verdict is not of them.
#[test]
fn exported_client_spans_are_the_roots_in_jaeger() {
    let Some(way) = Way::new(10_000, &["local"]) else {
        return;
    };
    let collector = format!("http://{}/v1/traces", way.collector.http());
    let load = ["-R", "100", "-d", "2s", "--export-client-spans", &collector];
    let verdict = way.run(&[&way.jaeger_grpc()], &load);
    assert_eq!(outcome(&verdict, ""), "pass", "{verdict:#}");
    assert_eq!(source(&verdict, "jaeger")["duplicate"], 0);
    let key = RunKey::from_seed(verdict["run"]["seed"].as_u64().unwrap());
    for seq in [0, 199] {
        let path = format!("/api/v3/traces/{}", hex(&key.trace_id(seq)));
        let spans = || {
            let (_, answer) = testbed::get(way.jaeger.query_http(), &path).unwrap_or_default();
            let mut spans = Vec::new();
            // Until the trace is there, the answer says so in other words.
            let _ = walk_json(answer_of(&answer).as_bytes(), |sender, span| {
                let name = String::from_utf8_lossy(span.name).into_owned();
                let (id, parent) = (span.span_id.to_vec(), span.parent_span_id.to_vec());
                spans.push((sender.to_vec(), name, span.kind, id, parent));
            });
            spans
        };
        testbed::wait_until(|| spans().len() == 4, || format!("{:?}", spans()));
        let spans = spans();
        let client = spans.iter().find(|span| span.0 == b"verifier").unwrap();
        let root = key.client_span_id(seq).to_vec();
        assert_eq!(
            client,
            &(
                b"verifier".to_vec(),
                "POST /predict".to_owned(),
                3,
                root.clone(),
                vec![]
            )
        );
        let server = spans.iter().find(|span| span.2 == 2).unwrap();
        assert_eq!(server.4, root, "{spans:?}");
    }
}

/// The OTLP in Jaeger's answer.
fn answer_of(answer: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    answer["result"].to_string()
}

#[test]
fn a_source_that_is_not_there_is_told_before_any_load() {
    let Some(way) = Way::new(100, &["local"]) else {
        return;
    };
    let nobody = testbed::free_address();
    for traces in [
        format!("jaeger=grpc://{nobody}"),
        format!("jaeger=http://{nobody}"),
    ] {
        let told = way.refused(&traces);
        assert!(
            told.contains("cannot search Jaeger") && told.contains(&nobody.to_string()),
            "{told}"
        );
    }
    let told = way.refused("collector-file=/nowhere/traces.json");
    assert!(told.contains("cannot read the folder /nowhere"), "{told}");
}
