//! The fold, fed by hand.

use super::*;
use crate::record::cluster::{Deployment, Pod};
use crate::record::{Host, RunKey, Second};

const SEED: u64 = 7;

fn plan(stages: &str) -> Plan {
    let request = "name = \"test\"\n[request]\nmethod = \"POST\"\npath = \"/predict\"\n";
    Plan::parse(&format!("{request}{stages}"), "test").unwrap()
}

fn two_stages() -> Plan {
    plan(
        "[[stage]]\nname = \"a\"\nkind = \"connections\"\nduration = \"10s\"\nconnections = 2\n\
         [[stage]]\nname = \"b\"\nkind = \"rate\"\nduration = \"10s\"\nrate = 100\n",
    )
}

fn at(seconds: f64, observation: Observation) -> Entry {
    Entry {
        at_ns: (seconds * 1e9) as u64,
        observation,
    }
}

fn started() -> Entry {
    at(
        0.0,
        Observation::RunStarted {
            run_id: "run-1".to_owned(),
            run_key: RunKey::from_seed(SEED).to_string(),
            origin_unix_ns: 1_000 * SECOND_NS,
            verifier_version: "0.1.0".to_owned(),
            host: Host::default(),
        },
    )
}

/// Sent when it was intended, and done so many milliseconds later.
fn exchange(seq: u64, stage: u16, at_seconds: f64, ms: f64) -> Exchange {
    let sent_ns = (at_seconds * 1e9) as u64;
    Exchange {
        seq,
        intended_ns: sent_ns.saturating_sub(1_000_000),
        sent_ns,
        connected_ns: 0,
        first_byte_ns: 0,
        done_ns: sent_ns + (ms * 1e6) as u64,
        connection: 0,
        bytes: 100,
        stage,
        status: 200,
        outcome: Outcome::Ok,
        task: 0,
    }
}

fn page(fold: &Fold, seconds: u64) -> Page {
    fold.page((1_000 + seconds) * SECOND_NS, fold.state())
}

#[test]
fn a_run_from_its_begin_to_its_end() {
    let mut fold = Fold::new(two_stages());
    assert_eq!(fold.state(), State::Starting);
    fold.entry(&started());
    fold.entry(&at(1.0, Observation::StageStarted { stage: 0 }));
    for i in 0..1000 {
        let of_second = exchange(i, 0, 1.0 + i as f64 / 100.0, 1.0 + (i % 100) as f64);
        fold.exchanges(&[of_second]);
    }
    let now = page(&fold, 6);
    assert_eq!(now.run.state, State::Running);
    assert_eq!(now.run.id, "run-1");
    assert_eq!(now.run.planned_seconds, Some(20.0));
    assert_eq!(now.series.at_seconds, [1, 2, 3, 4, 5]);
    assert_eq!(now.series.users, [Some(2.0); 5]);
    let [of_stage, sum] = now.statistics.as_slice() else {
        panic!("{:?}", now.statistics);
    };
    assert_eq!(
        (of_stage.stage.as_str(), of_stage.name.as_str()),
        ("a", "/predict")
    );
    assert_eq!((sum.stage.as_str(), sum.name.as_str()), ("", AGGREGATED));
    assert_eq!(sum.requests, 1000);
    assert_eq!(of_stage.average_bytes, Some(100.0));
    let near = |found: Option<f64>, truth: f64| {
        assert!(
            (found.unwrap() / truth - 1.0).abs() < 0.01,
            "{found:?}, not {truth}"
        );
    };
    near(of_stage.service_time_ms.p50, 50.0);
    near(of_stage.service_time_ms.p99, 99.0);
    near(of_stage.latency_ms.p99, 100.0);
    assert_eq!(of_stage.service_time_ms.max, Some(100.0));
    assert_eq!(of_stage.service_time_ms.min, Some(1.0));
    near(of_stage.service_time_ms.mean, 50.5);

    let planned = 1000;
    fold.entry(&at(11.2, Observation::StageEnded { stage: 0, planned }));
    fold.entry(&at(11.2, Observation::StageStarted { stage: 1 }));
    let answers = exchange(2000, 1, 11.5, 5.0);
    let failed = |seq, status, outcome| Exchange {
        status,
        outcome,
        ..exchange(seq, 1, 11.6, 7.0)
    };
    fold.exchanges(&[
        answers,
        failed(2001, 503, Outcome::HttpError),
        failed(2002, 503, Outcome::HttpError),
        failed(2003, 0, Outcome::Timeout),
        Exchange {
            sent_ns: 0,
            ..failed(2004, 0, Outcome::Unsent)
        },
    ]);
    fold.reach(12);
    let now = page(&fold, 13);
    let rates: Vec<Option<f64>> = now
        .statistics
        .iter()
        .map(|s| s.requests_per_second)
        .collect();
    // Of an ended stage over what the plan gave it: five answers came after its end.
    near(rates[0], 99.6);
    near(rates[1], 3.0 / 2.0);
    let kinds: Vec<_> = now
        .failures
        .iter()
        .map(|f| (f.outcome.as_str(), f.status, f.count))
        .collect();
    assert_eq!(
        kinds,
        [
            ("http_error", Some(503), 2),
            ("timeout", None, 1),
            ("unsent", None, 1)
        ]
    );
    let id = |seq| Some(hex(&RunKey::from_seed(SEED).trace_id(seq)));
    assert_eq!(now.failures[0].example, id(2001));
    assert_eq!(now.failures[2].example, None);
    assert_eq!(now.traces.iter().filter(|t| t.why == "slowest").count(), 50);
    assert_eq!(now.traces[0].latency_ms, 101.0);
    assert_eq!(now.traces.iter().filter(|t| t.why == "failed").count(), 3);
    let last = now.series.at_seconds.len() - 1;
    assert_eq!((now.series.answered[last], now.series.failed[last]), (0, 0));
    assert_eq!(
        (now.series.failed[last - 1], now.series.requested[last - 1]),
        (4, Some(100.0))
    );
}

#[test]
fn rows_that_are_finished_never_change() {
    let mut fold = Fold::new(two_stages());
    fold.entry(&started());
    fold.entry(&at(0.5, Observation::StageStarted { stage: 0 }));
    let mut before = Vec::new();
    for second in 0..100_u64 {
        for i in 0..10 {
            // Some come up to four seconds late.
            let late = (i % 5) as f64;
            let done = (second as f64 + 0.05 - late).max(0.5);
            fold.exchanges(&[exchange(second * 10 + i, 0, done, 1.0)]);
        }
        fold.reach(second);
        let answered = page(&fold, second + 1).series.answered;
        let finished = before.len().min(answered.len().saturating_sub(OPEN));
        assert_eq!(answered[..finished], before[..finished]);
        before = answered;
    }
    assert_eq!(before.iter().sum::<u64>(), 1000);
}

#[test]
fn a_long_run_is_drawn_coarser_and_says_so() {
    let mut fold = Fold::new(two_stages());
    fold.seconds.most_rows = 20;
    fold.entry(&started());
    fold.entry(&at(0.0, Observation::StageStarted { stage: 0 }));
    for second in 0..1000_u64 {
        let ms = if second == 500 { 300.0 } else { 2.0 };
        let rows: Vec<_> = (0..10)
            .map(|i| exchange(second * 10 + i, 0, second as f64 + 0.5, ms))
            .collect();
        fold.exchanges(&rows);
    }
    let page = page(&fold, 1000);
    let rows = page.series.at_seconds.len();
    assert!(rows <= 20 + OPEN, "{rows}");
    let width = fold.seconds.width();
    assert!(
        page.series
            .at_seconds
            .windows(2)
            .all(|pair| pair[1] - pair[0] == width)
    );
    assert!(
        page.series
            .answered
            .iter()
            .all(|answered| *answered == 10 * width),
        "{:?}",
        page.series.answered
    );
    let worst = page
        .series
        .p99_ms
        .iter()
        .flatten()
        .fold(0.0_f64, |a, b| a.max(*b));
    assert!(worst > 290.0, "the worst second is still seen: {worst}");
    assert!(
        page.limits[1].contains(&format!("{width} seconds")),
        "{:?}",
        page.limits
    );
    assert!(fold.history.rows.len() <= 20);
    assert_eq!(page.statistics.last().unwrap().requests, 10_000);
}

#[test]
fn the_scale_and_the_traces_stand_in_their_seconds() {
    let mut fold = Fold::new(two_stages());
    fold.entry(&started());
    let pod = |uid: &str, ready, deleted| {
        Observation::Pod(Box::new(Pod {
            uid: uid.to_owned(),
            name: uid.to_owned(),
            ready,
            deleted,
            ..Pod::default()
        }))
    };
    let deployment = |desired| {
        Observation::Deployment(Deployment {
            desired,
            ..Deployment::default()
        })
    };
    fold.entry(&at(2.1, deployment(1)));
    fold.entry(&at(2.1, pod("a", true, false)));
    fold.entry(&at(3.5, Observation::StageStarted { stage: 0 }));
    let second = |expected, complete| {
        Observation::Second(Second {
            traces_expected: expected,
            traces_complete: complete,
            ..Second::default()
        })
    };
    fold.entry(&at(5.0, second(10, 9)));
    fold.entry(&at(5.2, deployment(2)));
    fold.entry(&at(6.7, pod("b", true, false)));
    fold.entry(&at(7.5, pod("a", false, true)));
    fold.entry(&at(8.0, second(20, 20)));
    fold.reach(8);
    let page = page(&fold, 9);
    let series = &page.series;
    assert_eq!(series.at_seconds, [2, 3, 4, 5, 6, 7, 8]);
    let some = |values: [u32; 7]| values.map(Some).to_vec();
    assert_eq!(series.desired, some([1, 1, 1, 2, 2, 2, 2]));
    assert_eq!(series.ready, some([1, 1, 1, 1, 2, 1, 1]));
    let due = [None, None, Some(10), Some(10), Some(10), Some(20), Some(20)];
    assert_eq!(series.traces_due, due);
    let kinds: Vec<&str> = page.markers.iter().map(|m| m.kind.as_str()).collect();
    assert_eq!(kinds, ["stage", "scale"]);
    assert_eq!(page.markers[1].label, "replicas 1 → 2");
}

#[test]
fn a_cluster_is_shown_before_the_verdict() {
    let mut fold = Fold::new(two_stages());
    let watched = crate::record::cluster::ClusterSeen {
        namespace: "iris".to_owned(),
        ..Default::default()
    };
    fold.entry(&started());
    fold.look_at_cluster();
    assert!(page(&fold, 1).cluster.is_none());
    fold.entry(&at(0.1, Observation::ClusterWatched(watched)));
    fold.entry(&at(
        0.2,
        Observation::Deployment(Deployment {
            name: "iris-prediction-api".to_owned(),
            desired: 3,
            ..Deployment::default()
        }),
    ));
    fold.look_at_cluster();
    let cluster = page(&fold, 1).cluster.unwrap();
    assert_eq!(cluster.namespace, "iris");
    assert_eq!(cluster.scale.last().unwrap().desired, Some(3));
}
