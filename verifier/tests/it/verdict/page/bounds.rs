//! How large a page can become.

use super::super::builder::{MS, PREPARATION, Run};
use super::series::stretch;
use std::fs;
use verifier::record::{Entry, Observation, Outcome, Second, Table};
use verifier::verdict::compare::{Side, compare, to_html};

/// Twelve stages in half an hour, with everything that makes a page long: failures of many kinds, incomplete traces, traces
/// of very many spans with long texts, figures every second.
fn half_an_hour() -> Run {
    let names: Vec<String> = (0..12).map(|n| format!("stage-{n}")).collect();
    let stages: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1500)).collect();
    let mut run = Run::of_stages(&stages);
    run.lose(PREPARATION, |seq| seq % 9 == 1);
    stretch(&mut run, 100);
    for seq in 0..18_000 {
        if seq % 7 == 0 {
            run.exchanges[seq].outcome = Outcome::HttpError;
            run.exchanges[seq].status = 400 + (seq % 199) as u16;
        }
    }
    let long = "a name as long as a target likes to have it <&> ".repeat(20);
    let (name, detail) = (
        run.number(Table::SpanName, &long),
        run.number(Table::Detail, &long),
    );
    for seq in (0..18_000).step_by(90) {
        let mut span = *run.span(seq, "POST /predict");
        span.parent_span_id = span.span_id;
        (span.name, span.detail, span.status) = (name, detail, 2);
        for more in 0..80 {
            span.span_id = (1 << 40) + seq * 100 + more;
            run.spans.push(span);
        }
    }
    for second in 100..1950 {
        let observation = Observation::Second(Second {
            traces_expected: second * 10,
            traces_complete: second * 10 - 5,
            ..Second::default()
        });
        let at_ns = second * 1000 * MS;
        let place = run.journal.partition_point(|e| e.at_ns <= at_ns);
        run.journal.insert(place, Entry { at_ns, observation });
    }
    run
}

#[test]
fn half_an_hour_fits() {
    let written = half_an_hour().write();
    written.judge();
    let page = written.page();
    assert!(page.series.at_seconds.len() > 1800 && page.series.step_seconds == 1);
    assert_eq!(page.statistics.len(), 13);
    assert!(page.waterfalls.len() > 30 && page.failures.len() > 150);
    let size = |name: &str| {
        fs::metadata(written.folder.path().join(name))
            .unwrap()
            .len()
    };
    let (json, html) = (size("page.json"), size("report.html"));
    println!("30 minutes, 12 stages: page.json {json} bytes, report.html {html} bytes");
    assert!(json < 4_000_000 && html < 5_000_000);
    // With another such run beside it.
    let side = || Side::read(&written.folder).unwrap();
    let comparison = compare(&side(), &side(), 0.05);
    let both = written.folder.path().join("both.html");
    to_html(&written.folder, &written.folder, &comparison, &both).unwrap();
    assert!(size("both.html") < 5_000_000, "{}", size("both.html"));
}

/// Documents that no run has made are cut down, too, step by step to the bare outcome, and say so.
#[test]
fn whatever_the_document_holds_the_file_is_below_five_megabytes() {
    let written = Run::of_stages(&[("a", 700), ("b", 700)]).write();
    written.judge();
    let comparison = compare(
        &Side::read(&written.folder).unwrap(),
        &Side::read(&written.folder).unwrap(),
        0.05,
    );
    let path = written.folder.path().join("page.json");
    let whole: serde_json::Value = serde_json::from_str(&written.text("page.json")).unwrap();
    let many = |value: &serde_json::Value, n: usize| vec![value.clone(); n].into();
    let text = "<".repeat(400);
    for (place, value) in [
        ("/waterfalls", many(&whole["waterfalls"][0], 3_000)),
        ("/traces", many(&whole["traces"][0], 25_000)),
        (
            "/verdict/stages",
            many(&whole["verdict"]["stages"][0], 1_500),
        ),
        (
            "/verdict/checks/0/evidence",
            many(&text.clone().into(), 2_500),
        ),
        ("/verdict/reasons", many(&text.clone().into(), 2_500)),
        ("/limits", many(&text.into(), 2_500)),
        ("/statistics", many(&whole["statistics"][0], 15_000)),
        ("/spectra", many(&whole["spectra"][0], 1_500)),
    ] {
        let mut page = whole.clone();
        *page.pointer_mut(place).unwrap() = value;
        fs::write(&path, serde_json::to_vec(&page).unwrap()).unwrap();
        let html = written.folder.path().join("both.html");
        to_html(&written.folder, &written.folder, &comparison, &html).unwrap();
        let html = fs::read_to_string(&html).unwrap();
        assert!(html.len() < 5_000_000, "{place}: {}", html.len());
        let page: serde_json::Value = serde_json::from_str(&super::embedded(&html)).unwrap();
        let limits = page["limits"].to_string();
        assert!(
            limits.contains("Left out of this page"),
            "{place}: {limits:.300}"
        );
        assert_eq!(page["run"]["id"], "made-by-hand");
    }
}
