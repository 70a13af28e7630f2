//! The files of `legacy/`: formats to the character, and figures that agree with the verdict.

mod wrk;

use super::builder::{MS, OnDisk, Run};
use std::fs;
use verifier::record::Outcome;
use verifier::verdict::Verdict;

/// Three stages with failures of each kind, and a stage that nobody reached.
fn mixed() -> Run {
    let mut run = Run::of_stages(&[("warm up/1", 1000), ("steady", 3000), ("dead", 200)]);
    for seq in (1200..1300).step_by(10) {
        run.exchanges[seq].outcome = Outcome::HttpError;
        run.exchanges[seq].status = 503;
    }
    run.unanswered(2000, Outcome::Timeout, 5000 * MS);
    run.unanswered(2001, Outcome::Reset, 70 * MS);
    run.unanswered(2002, Outcome::Unsent, 70 * MS);
    for seq in 4000..4200 {
        run.unanswered(seq, Outcome::ConnectError, MS);
    }
    run.spans.retain(|span| span.seq < 4000);
    run
}

fn judged(run: &Run) -> (OnDisk, Verdict) {
    let written = run.write();
    let verdict = written.judge();
    (written, verdict)
}

fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader.records().map(|row| row.unwrap());
    rows.map(|row| row.iter().map(str::to_owned).collect())
        .collect()
}

/// The cell below that head, of the row whose second cell is the name.
fn cell<'r>(rows: &'r [Vec<String>], name: &str, column: &str) -> &'r str {
    let at = rows[0].iter().position(|head| head == column).unwrap();
    &rows.iter().find(|row| row[1] == name).unwrap()[at]
}

#[test]
fn every_file_is_there_and_says_what_it_carries() {
    let (written, _) = judged(&mixed());
    let mut names: Vec<String> = fs::read_dir(written.folder.path().join("legacy"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "01-warm_up_1.hgrm",
            "01-warm_up_1.oha.json",
            "02-steady.hgrm",
            "02-steady.oha.json",
            "03-dead.hgrm",
            "03-dead.oha.json",
            "README.txt",
            "locust_exceptions.csv",
            "locust_failures.csv",
            "locust_stats.csv",
            "locust_stats_history.csv",
            "locust_test_results.txt",
            "perf_analyzer_request_rate.csv",
            "wrk_test_results.txt",
        ]
    );
    for name in [
        "README.txt",
        "wrk_test_results.txt",
        "01-warm_up_1.hgrm",
        "locust_test_results.txt",
    ] {
        let text = written.text(&format!("legacy/{name}"));
        assert!(text.to_lowercase().contains("service time"), "{name}");
    }
}

#[test]
fn locusts_request_table() {
    let (written, verdict) = judged(&mixed());
    let text = written.text("legacy/locust_stats.csv");
    assert!(
        text.lines().count() == 5 && text.matches("\r\n").count() == 5,
        "{text}"
    );
    let rows = rows(&text);
    let names: Vec<&str> = rows[1..].iter().map(|row| row[1].as_str()).collect();
    assert_eq!(
        names,
        [
            "/predict [dead]",
            "/predict [steady]",
            "/predict [warm up/1]",
            "Aggregated"
        ]
    );
    let of = |name, column| cell(&rows, name, column);
    assert_eq!(of("/predict [steady]", "Request Count"), "2999");
    assert_eq!(of("/predict [steady]", "Failure Count"), "12");
    assert_eq!(of("/predict [steady]", "Max Response Time"), "4999.99");
    assert_eq!(of("/predict [steady]", "100%"), "5000");
    // Every ordinary answer takes 0.98 to 1.97 ms: the buckets are 1 and 2.
    assert_eq!(of("/predict [warm up/1]", "Median Response Time"), "1");
    assert_eq!(of("/predict [warm up/1]", "99%"), "2");
    assert_eq!(of("/predict [warm up/1]", "Min Response Time"), "0.98");
    // Of a stage without any connection there are no response times, and all failed.
    assert_eq!(of("/predict [dead]", "Failure Count"), "200");
    assert_eq!(of("/predict [dead]", "Max Response Time"), "0");
    assert_eq!(of("Aggregated", "Request Count"), "4199");
    let mean: f64 = of("/predict [warm up/1]", "Average Response Time")
        .parse()
        .unwrap();
    assert!((mean - verdict.stages[0].service_time_ms.mean.unwrap()).abs() < 1e-9);
}

#[test]
fn locusts_failures_history_and_exceptions() {
    let (written, _) = judged(&mixed());
    let failures = rows(&written.text("legacy/locust_failures.csv"));
    let counts: Vec<(&str, &str)> = failures[1..]
        .iter()
        .map(|row| (row[2].as_str(), row[3].as_str()))
        .collect();
    assert_eq!(
        counts,
        [
            (
                "HTTPError('503 Server Error: Service Unavailable for url: /predict')",
                "10"
            ),
            (
                "ConnectionError('the connection ended before a whole answer')",
                "1"
            ),
            ("ConnectionError('no connection could be made')", "200"),
            ("ReadTimeout('no whole answer, read timeout=5')", "1"),
        ]
    );
    assert_eq!(failures[1][4], "2023-11-14T22:13:22Z");
    let exceptions = written.text("legacy/locust_exceptions.csv");
    assert_eq!(exceptions, "Count,Message,Traceback,Nodes\r\n");
    let history = rows(&written.text("legacy/locust_stats_history.csv"));
    let last = history.last().unwrap();
    assert_eq!((last.len(), last[3].as_str()), (24, "Aggregated"));
    assert_eq!((last[17].as_str(), last[18].as_str()), ("4199", "212"));
    let moments: Vec<u64> = history[1..]
        .iter()
        .map(|row| row[0].parse().unwrap())
        .collect();
    assert_eq!(moments[0], 1_700_000_002);
    assert!(
        moments.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{moments:?}"
    );
}

/// To the character, once; what a change does to it is then seen.
#[test]
fn locusts_console() {
    let (written, _) = judged(&mixed());
    insta::assert_snapshot!(written.text("legacy/locust_test_results.txt"));
}

#[test]
fn hgrm_is_a_distribution() {
    let (written, verdict) = judged(&mixed());
    let text = written.text("legacy/02-steady.hgrm");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("       Value     Percentile TotalCount 1/(1-Percentile)")
    );
    assert_eq!(lines.next(), Some(""));
    let body: Vec<Vec<f64>> = lines
        .take_while(|line| !line.starts_with('#'))
        .map(|line| {
            line.split_whitespace()
                .map(|cell| cell.parse().unwrap())
                .collect()
        })
        .collect();
    assert!(
        body.windows(2)
            .all(|pair| pair[0][0] <= pair[1][0] && pair[0][1] < pair[1][1])
    );
    let sent = verdict.stages[1].service_time_ms.n as f64;
    let last = body.last().unwrap();
    assert_eq!((last.len(), last[1], last[2]), (3, 1.0, sent));
    let half = body.iter().find(|row| row[1] == 0.5).unwrap();
    let p50 = verdict.stages[1].service_time_ms.p50.unwrap();
    assert!((half[0] - p50).abs() / p50 < 1e-3, "{half:?} {p50}");
    assert!(text.contains("Total count    =         2999]"), "{text}");
    let empty = written.text("legacy/03-dead.hgrm");
    assert!(empty.contains("Total count    =            0]"), "{empty}");
}

#[test]
fn oha_counts_what_was_answered_within_the_stage() {
    let (written, verdict) = judged(&mixed());
    let of = |name: &str| -> serde_json::Value {
        serde_json::from_str(&written.text(&format!("legacy/{name}.oha.json"))).unwrap()
    };
    let steady = of("02-steady");
    // The last answer came 1 ms after the stage's end.
    assert_eq!(steady["errorDistribution"]["timeout"], 1);
    assert_eq!(
        steady["errorDistribution"]["connection closed before message completed"],
        1
    );
    let late = steady["errorDistribution"]["aborted due to deadline"]
        .as_u64()
        .unwrap();
    assert_eq!(steady["statusCodeDistribution"]["503"], 10);
    let ok = steady["statusCodeDistribution"]["200"].as_u64().unwrap();
    assert_eq!(ok + late + 10, 2997);
    let rate = steady["summary"]["successRate"].as_f64().unwrap();
    assert!((rate - (ok + 10) as f64 / (ok + 12) as f64).abs() < 1e-12);
    let p99 = steady["latencyPercentiles"]["p99"].as_f64().unwrap() * 1e3;
    assert!((p99 - verdict.stages[1].service_time_ms.p99.unwrap()).abs() < 0.02);
    let bars = steady["responseTimeHistogram"].as_object().unwrap();
    assert_eq!(bars.len(), 11);
    assert_eq!(
        bars.values().map(|n| n.as_u64().unwrap()).sum::<u64>(),
        ok + 10
    );
    let dead = of("03-dead");
    assert_eq!(dead["summary"]["successRate"], 0.0);
    assert!(dead["latencyPercentiles"]["p50"].is_null() && dead["summary"]["slowest"].is_null());
}

#[test]
fn perf_analyzers_sweep_has_our_stages() {
    let (written, _) = judged(&mixed());
    let rows = rows(&written.text("legacy/perf_analyzer_request_rate.csv"));
    assert_eq!(
        rows[0].join(","),
        "Request Rate,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,\
         Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency,\
         data_preparation,model_inference"
    );
    assert_eq!(
        rows[1].join(","),
        "1000,0,0,,,,,,,,,,,,",
        "nothing came in the dead stage, and it is the slowest"
    );
    let warm = &rows[3];
    assert_eq!(
        (warm[5].as_str(), warm[6].as_str(), warm[8].as_str()),
        ("100", "500", "1")
    );
    assert_eq!((warm[13].as_str(), warm[14].as_str()), ("100", "500"));
    // What the columns say adds up to the mean service time, 1.475 ms.
    let sum: u64 = warm[2..9]
        .iter()
        .map(|cell| cell.parse::<u64>().unwrap())
        .sum();
    assert!((1473..=1475).contains(&sum), "{warm:?}");
}
