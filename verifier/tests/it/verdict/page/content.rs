//! What the page tells of a run: failures and single requests, markers, limits, files; of runs with little or nothing, too.

use super::super::builder::{INFERENCE, MS, Run};
use verifier::record::cluster::{FaultDone, Hit};
use verifier::record::{Entry, Observation, Outcome, RowWriter, Table, TraceId};
use verifier::verdict::page::{Page, State};

fn whys(page: &Page, why: &str) -> usize {
    page.traces.iter().filter(|line| line.why == why).count()
}

/// Two stages; in the second, requests fail in three ways, and two traces are not complete.
fn mixed() -> Run {
    let mut run = Run::of_stages(&[("warm", 100), ("steady", 1200)]);
    let detail = run.number(Table::Detail, "ModelError");
    for seq in 700..730 {
        run.exchanges[seq].outcome = Outcome::HttpError;
        run.exchanges[seq].status = 500;
        let span = run.span(seq as u64, INFERENCE);
        (span.status, span.detail) = (2, detail);
    }
    run.unanswered(300, Outcome::Timeout, 900 * MS);
    run.unanswered(301, Outcome::Unsent, 0);
    run.lose(INFERENCE, |seq| seq == 400);
    run.spans.retain(|span| ![301, 500].contains(&span.seq));
    run
}

#[test]
fn failures_lead_to_their_waterfalls() {
    let run = mixed();
    let written = run.write();
    written.judge();
    let page = written.page();
    let kinds: Vec<_> = page
        .failures
        .iter()
        .map(|f| (f.outcome.as_str(), f.status, f.count))
        .collect();
    assert_eq!(kinds[0], ("http_error", Some(500), 30));
    assert_eq!(kinds.len(), 3);
    for failure in &page.failures {
        assert_eq!(
            (failure.method.as_str(), failure.name.as_str()),
            ("POST", "/predict")
        );
        // What was never sent has no trace.
        assert_eq!(failure.example.is_none(), failure.outcome == "unsent");
        let Some(example) = &failure.example else {
            continue;
        };
        let drawn = page.waterfalls.iter().find(|w| w.trace_id == *example);
        let bar = &drawn.unwrap().bars[0];
        assert!(bar.client && bar.error);
        assert_eq!(bar.attributes["error.type"], failure.outcome);
        let line = page
            .traces
            .iter()
            .find(|l| l.trace_id == *example && l.why == "failed");
        assert_eq!(line.unwrap().stage, "steady");
    }
    assert_eq!(whys(&page, "incomplete"), 2);
    assert_eq!(whys(&page, "median"), 10);
    // 200 of the run; the first stage's slowest are perhaps among them.
    assert!((200..=220).contains(&whys(&page, "slowest")));
    let slowest = page.traces.iter().filter(|l| l.why == "slowest");
    let slowest: Vec<f64> = slowest.map(|l| l.latency_ms).collect();
    assert!(slowest.is_sorted_by(|a, b| a >= b));
    let told = page
        .limits
        .iter()
        .any(|l| l.starts_with("Of 32 requests that failed, 21 are listed"));
    assert!(told, "{:#?}", page.limits);
}

#[test]
fn bars_say_what_is_known_of_their_spans() {
    let run = mixed();
    let written = run.write();
    written.judge();
    let page = written.page();
    let id = |seq: u64| verifier::record::run_key::hex(&run.key.trace_id(seq));
    let drawn = |seq| {
        page.waterfalls
            .iter()
            .find(|w| w.trace_id == id(seq))
            .unwrap()
    };
    let failed = drawn(700);
    assert_eq!(failed.title, "steady: http_error 500");
    assert_eq!(failed.length_ns, run.exchanges[700].latency_ns());
    let bar = failed
        .bars
        .iter()
        .find(|bar| bar.name == INFERENCE)
        .unwrap();
    assert!(bar.error && !bar.client);
    assert_eq!((bar.start_ns, bar.duration_ns), (300_000, 500_000));
    let of = |key: &str| bar.attributes[key].as_str();
    assert_eq!((of("kind"), of("status")), ("internal", "error"));
    assert_eq!(
        (of("error.type"), of("service.instance.id")),
        ("ModelError", "pod-0")
    );
    assert_eq!(of("span_id"), format!("{:016x}", 700 * 16 + 3));
    assert_eq!(of("parent_span_id"), format!("{:016x}", 700 * 16 + 1));
    let root = failed
        .bars
        .iter()
        .find(|bar| bar.name == "POST /predict")
        .unwrap();
    assert_eq!(root.attributes["http.response.status_code"], "200");
    let client = failed.bars[0].attributes["span_id"].clone();
    assert_eq!(root.attributes["parent_span_id"], client);
    assert_eq!(drawn(400).title, "steady: ok 200, without model_inference");
    assert_eq!(drawn(500).title, "steady: ok 200, without any span");
}

#[test]
fn markers_of_a_run_that_was_stopped() {
    let mut run = mixed();
    let exited = |pid, expected| Observation::TargetExited {
        pid,
        status: "signal: 9".into(),
        expected,
    };
    run.note_before_end(exited(42, false));
    run.note_before_end(exited(43, true));
    let signal = "SIGINT".to_owned();
    run.note_before_end(Observation::Interrupted { signal });
    let error = "the disk is full".to_owned();
    run.note_before_end(Observation::RunError { error });
    let written = run.write();
    written.judge();
    let page = written.page();
    let markers: Vec<_> = page
        .markers
        .iter()
        .map(|m| format!("{} {}", m.kind, m.label))
        .collect();
    assert_eq!(
        markers,
        [
            "stage warm",
            "stage steady",
            "exit replica 42 ended unasked (signal: 9)",
            "stop stopped by SIGINT",
            "stop the run went wrong: the disk is full",
        ]
    );
    assert_eq!(page.run.errors, ["the disk is full"]);
}

#[test]
fn the_run_its_stages_and_files() {
    let written = mixed().write();
    let verdict = written.judge();
    let page = written.page();
    assert_eq!(page.run.state, State::Ended);
    assert_eq!(
        (page.run.id.as_str(), page.run.plan.as_str()),
        ("made-by-hand", "made")
    );
    assert_eq!(page.run.target, verdict.run.target);
    assert_eq!(page.run.started_unix_ms, 1_700_000_000_000);
    assert_eq!(page.run.planned_seconds, Some(1.3));
    let stages: Vec<_> = page
        .run
        .stages
        .iter()
        .map(|s| (s.name.as_str(), s.start_seconds, s.end_seconds))
        .collect();
    assert_eq!(
        stages,
        [("warm", 1.0, Some(1.2)), ("steady", 1.2, Some(2.5))]
    );
    let listed = |path: &str| page.files.iter().any(|file| file.path == path);
    for path in [
        "plan.toml",
        "journal.jsonl",
        "exchanges.rows",
        "verdict.json",
        "report.md",
        "page.json",
        "report.html",
        "legacy/locust_stats.csv",
        "opentelemetry_traces/traces.jsonl",
    ] {
        assert!(listed(path), "{path}: {:#?}", page.files);
    }
}

#[test]
fn runs_with_little_have_a_page() {
    // Killed before any load.
    let mut nothing = Run::of(1);
    nothing.journal.truncate(1);
    nothing.exchanges.clear();
    nothing.spans.clear();
    // Never answered, never sent.
    let mut unsent = Run::of(300);
    for seq in 0..300 {
        unsent.unanswered(seq, [Outcome::Unsent, Outcome::ConnectError][seq % 2], 0);
    }
    unsent.spans.clear();
    for (run, requests) in [(nothing, 0), (unsent, 300)] {
        let written = run.write();
        written.judge();
        let page = written.page();
        let sum = page.statistics.last().unwrap();
        assert_eq!((sum.requests, sum.failures), (requests, requests));
        assert_eq!((sum.latency_ms.p50, sum.average_bytes), (None, None));
        assert_eq!(sum.requests_per_second, None);
        assert!(page.waterfalls.is_empty());
    }
}

/// A stage that is not named as others are, a task that is not in the plan, a moment that can not be: damaged rows are
/// survived.
#[test]
fn damaged_rows_stretch_nothing() {
    let mut run = Run::of(200);
    run.exchanges[7].task = 99;
    run.exchanges[8].done_ns = 30 * 24 * 3_600_000 * MS;
    let written = run.write();
    verifier::verdict::judge_and_report(&written.folder, Default::default(), None, |_, _| Ok(()))
        .unwrap();
    let page = written.page();
    assert!(page.series.at_seconds.len() <= 7_200);
    assert_eq!(page.series.answered.iter().sum::<u64>(), 200);
}

/// What a fault hit is on the axis, though nothing is watched.
#[test]
fn faults_are_marked() {
    let mut run = Run::of(1000);
    let fault = "[[fault]]\nname = 'gone'\nstage = 'steady'\nat = '200ms'\naction = 'sigkill'\n";
    let plan = format!("{}\n{fault}", run.plan.to_toml().unwrap());
    run.plan = verifier::plan::Plan::parse(&plan, "faulty").unwrap();
    let place = run
        .journal
        .iter()
        .position(|e| e.at_ns > 1200 * MS)
        .unwrap();
    let done = FaultDone {
        fault: "gone".into(),
        asked_ns: 1200 * MS,
        objects: vec![Hit {
            name: "42".into(),
            ..Hit::default()
        }],
        ..FaultDone::default()
    };
    let at_ns = 1201 * MS;
    let observation = Observation::FaultDone(done);
    run.journal.insert(place, Entry { at_ns, observation });
    let written = run.write();
    written.judge();
    let page = written.page();
    let marker = page.markers.iter().find(|m| m.kind == "fault");
    let marker = marker.unwrap_or_else(|| panic!("{:#?}", page.markers));
    assert!(marker.label.contains("gone") && (marker.at_seconds - 1.2).abs() < 0.01);
}

/// Of somebody else's load: no load is wanted by a plan, and requests go by the trace ids that others gave them.
#[test]
fn a_watched_run_has_a_page() {
    let run = Run::of(1000);
    let written = run.write();
    let mut ids = RowWriter::create(&written.folder.trace_ids()).unwrap();
    let others: Vec<TraceId> = (0..1000_u128)
        .map(|n| TraceId((n + 7).to_be_bytes()))
        .collect();
    ids.append(&others).unwrap();
    let verdict = written.judge();
    assert_eq!(verdict.stages[0].kind, "watched");
    let page = written.page();
    assert_eq!(page.run.stages[0].kind, "watched");
    assert_eq!(page.run.planned_seconds, None);
    assert!(page.series.requested.iter().all(Option::is_none));
    let waterfall = &page.waterfalls[0];
    assert!(
        waterfall.trace_id.starts_with("0000000000000000"),
        "{waterfall:#?}"
    );
    // The client is somebody else: nothing is said of its span.
    assert!(!waterfall.bars[0].attributes.contains_key("span_id"));
}
