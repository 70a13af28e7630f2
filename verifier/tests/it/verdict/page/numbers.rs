//! The page's numbers held against the verdict's, and against the rows themselves, counted here in another way.

use std::collections::BTreeMap;
use std::fs;
use verifier::record::{Exchange, Outcome, RunFolder};
use verifier::verdict::page::{Page, Statistics, Times};
use verifier::verdict::{Distribution, Verdict};

/// The page of a folder that was judged: `page.json`, and the same in `report.html`.
pub(in crate::verdict) fn page(folder: &RunFolder) -> Page {
    let json = fs::read_to_string(folder.path().join("page.json")).unwrap();
    let html = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(json.len() < 4_000_000 && html.len() < 5_000_000);
    assert_eq!(embedded(&html), json, "report.html holds another document");
    let page: Page = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&page).unwrap() + "\n", json);
    for file in &page.files {
        let there = fs::metadata(folder.path().join(&file.path)).unwrap();
        assert_eq!(file.bytes, Some(there.len()), "{}", file.path);
    }
    page
}

/// The document in a page of HTML.
pub(in crate::verdict) fn embedded(html: &str) -> String {
    let (_, rest) = html.split_once("id=\"page\">").unwrap();
    let (json, _) = rest.split_once("</script>").unwrap();
    assert!(!json.contains(['<', '\u{2028}', '\u{2029}']));
    json.replace("\\u003c", "<")
        .replace("\\u2028", "\u{2028}")
        .replace("\\u2029", "\u{2029}")
}

/// Every figure of the page is the verdict's, or is what the rows come to.
pub(in crate::verdict) fn assert_same(folder: &RunFolder, verdict: &Verdict) {
    let page = page(folder);
    let rows = folder.read_without_spans().unwrap().exchanges;
    assert_eq!(page.verdict.as_ref(), Some(verdict));
    assert!(page.exact && page.comparison.is_none());
    let of_plan = |e: &&Exchange| usize::from(e.stage) < verdict.stages.len();
    let rows: Vec<Exchange> = rows.iter().filter(of_plan).copied().collect();
    statistics(&page, verdict, &rows);
    failures(&page, &rows);
    seconds(&page, &rows);
    let spectra = page.spectra.iter().zip(&verdict.stages);
    for (spectrum, stage) in spectra {
        assert_eq!(
            (&spectrum.stage, spectrum.n),
            (&stage.name, stage.latency_ms.n)
        );
        // The median is one of the points.
        let median = spectrum.points.iter().find(|(p, _)| *p == 0.5);
        assert_eq!(median.map(|(_, ms)| *ms), stage.latency_ms.p50);
    }
    assert_eq!(page.spectra.len(), verdict.stages.len());
}

fn times(d: &Distribution) -> Times {
    Times {
        p50: d.p50,
        p95: d.p95,
        p99: d.p99,
        mean: d.mean,
        min: d.min,
        max: d.max,
    }
}

fn statistics(page: &Page, verdict: &Verdict, rows: &[Exchange]) {
    let mut lines = page.statistics.iter();
    let (mut requests, mut failed, mut answered, mut seconds) = (0, 0, 0.0, 0.0);
    for (index, stage) in verdict.stages.iter().enumerate() {
        let of_stage = |e: &&Exchange| usize::from(e.stage) == index;
        for (task, figures) in stage.tasks.iter().enumerate() {
            let line = lines.next().unwrap();
            assert_eq!((&line.stage, &line.name), (&stage.name, &figures.name));
            assert_eq!(line.requests, figures.exchanges.planned);
            assert_eq!(
                line.failures,
                figures.exchanges.planned - figures.exchanges.ok
            );
            assert_eq!(line.latency_ms, times(&figures.latency_ms));
            assert_eq!(line.service_time_ms, times(&figures.service_time_ms));
            assert_eq!(line.requests_per_second, figures.requests_per_second);
            let of_task = |e: &&Exchange| of_stage(e) && usize::from(e.task) == task;
            bytes(line, rows.iter().filter(of_task));
        }
        let line = lines.next().unwrap();
        assert_eq!(line.stage, stage.name);
        assert_eq!(line.requests, stage.exchanges.planned);
        assert_eq!(line.failures, stage.exchanges.planned - stage.exchanges.ok);
        assert_eq!(line.latency_ms, times(&stage.latency_ms));
        assert_eq!(line.service_time_ms, times(&stage.service_time_ms));
        assert_eq!(line.requests_per_second, stage.requests_per_second);
        bytes(line, rows.iter().filter(of_stage));
        requests += line.requests;
        failed += line.failures;
        answered += stage.requests_per_second.unwrap_or(0.0) * stage.duration_seconds;
        seconds += stage.duration_seconds;
    }
    let sum = lines.next().unwrap();
    assert!(lines.next().is_none());
    assert_eq!((sum.stage.as_str(), sum.name.as_str()), ("", "Aggregated"));
    assert_eq!((sum.requests, sum.failures), (requests, failed));
    assert_eq!(sum.requests, rows.len() as u64);
    let mean = sum.requests_per_second.unwrap_or(0.0);
    assert!((mean * seconds - answered).abs() < 1e-6, "{mean}");
    bytes(sum, rows.iter());
    let sent = || rows.iter().filter(|e| e.outcome.sent());
    rank(&sum.latency_ms, sent().map(Exchange::latency_ns).collect());
    rank(
        &sum.service_time_ms,
        sent().map(Exchange::service_time_ns).collect(),
    );
}

fn bytes<'e>(line: &Statistics, rows: impl Iterator<Item = &'e Exchange>) {
    let answers: Vec<f64> = rows
        .filter(|e| e.outcome.answered())
        .map(|e| f64::from(e.bytes))
        .collect();
    let mean = answers.iter().sum::<f64>() / answers.len() as f64;
    let known = line.average_bytes;
    assert_eq!(known.is_some(), !answers.is_empty());
    assert!(known.is_none_or(|known| (known - mean).abs() < 1e-9));
}

/// Nearest rank: the least value that so large a share does not exceed.
fn rank(times: &Times, mut ns: Vec<u64>) {
    ns.sort_unstable();
    for (p, known) in [(0.5, times.p50), (0.95, times.p95), (0.99, times.p99)] {
        let Some(known) = known else { continue };
        let not_above = ns.iter().filter(|v| **v as f64 / 1e6 <= known).count();
        let below = ns.iter().filter(|v| (**v as f64 / 1e6) < known).count();
        let wanted = p * ns.len() as f64;
        assert!(
            not_above as f64 >= wanted && (below as f64) < wanted,
            "p{p}: {known}"
        );
    }
    assert_eq!(times.min, ns.first().map(|v| *v as f64 / 1e6));
    assert_eq!(times.max, ns.last().map(|v| *v as f64 / 1e6));
}

fn failures(page: &Page, rows: &[Exchange]) {
    let mut kinds: BTreeMap<(u8, &str, u16), Vec<&Exchange>> = BTreeMap::new();
    for e in rows.iter().filter(|e| e.outcome != Outcome::Ok) {
        kinds
            .entry((e.task, e.outcome.name(), e.status))
            .or_default()
            .push(e);
    }
    assert_eq!(page.failures.len(), kinds.len());
    let counts: Vec<u64> = page.failures.iter().map(|f| f.count).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "most frequent first");
    let mut expected: Vec<_> = kinds
        .iter()
        .map(|((_, outcome, status), rows)| {
            let ends = || rows.iter().map(|e| e.done_ns as f64 / 1e9);
            let first = ends().fold(f64::MAX, f64::min);
            let last = ends().fold(0.0, f64::max);
            let status = (*status > 0).then_some(*status);
            format!("{outcome} {status:?} {} {first} {last}", rows.len())
        })
        .collect();
    let shown = page.failures.iter().map(|f| {
        format!(
            "{} {:?} {} {} {}",
            f.outcome, f.status, f.count, f.first_seconds, f.last_seconds
        )
    });
    let mut shown: Vec<String> = shown.collect();
    expected.sort();
    shown.sort();
    assert_eq!(shown, expected);
}

fn seconds(page: &Page, rows: &[Exchange]) {
    let series = &page.series;
    let step = series.step_seconds;
    assert_eq!(
        series.answered.iter().sum::<u64>(),
        count(rows, |e| e.outcome.answered())
    );
    assert_eq!(
        series.failed.iter().sum::<u64>(),
        count(rows, |e| e.outcome != Outcome::Ok)
    );
    assert!(
        series
            .at_seconds
            .windows(2)
            .all(|pair| pair[1] == pair[0] + step)
    );
    let mut by_row: BTreeMap<u64, Vec<&Exchange>> = BTreeMap::new();
    let first = series.at_seconds.first().copied().unwrap_or(0);
    for e in rows.iter().filter(|e| e.outcome.sent()) {
        let row = (e.done_ns / 1_000_000_000 - first) / step;
        by_row.entry(row).or_default().push(e);
    }
    type Column<'c> = (f64, &'c [Option<f64>], fn(&Exchange) -> u64);
    let columns: [Column<'_>; 6] = [
        (0.5, &series.p50_ms, Exchange::latency_ns),
        (0.95, &series.p95_ms, Exchange::latency_ns),
        (0.99, &series.p99_ms, Exchange::latency_ns),
        (0.5, &series.service_p50_ms, Exchange::service_time_ns),
        (0.95, &series.service_p95_ms, Exchange::service_time_ns),
        (0.99, &series.service_p99_ms, Exchange::service_time_ns),
    ];
    for (p, column, figure) in columns {
        assert_eq!(column.len(), series.at_seconds.len());
        for (row, known) in column.iter().enumerate() {
            let rows = by_row.get(&(row as u64)).map_or(&[][..], Vec::as_slice);
            let mut ns: Vec<u64> = rows.iter().map(|e| figure(e)).collect();
            ns.sort_unstable();
            let rank = (p * ns.len() as f64).ceil() as usize;
            let expected = ns.get(rank.max(1) - 1).map(|ns| *ns as f64 / 1e6);
            assert_eq!(*known, expected, "row {row}, p{p}");
        }
    }
}

fn count(rows: &[Exchange], of: impl Fn(&Exchange) -> bool) -> u64 {
    rows.iter().filter(|e| of(e)).count() as u64
}
