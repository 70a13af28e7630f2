//! A page, and the same page below four megabytes: what a person misses least goes first, and the page says what went.

use super::super::super::outcome::Verdict;
use super::super::super::page::{Page, Waterfall};
use anyhow::Result;
use std::io::{self, Write};

/// Bytes of the document as it stands in a page of HTML.
const MOST_BYTES: usize = 4_000_000;
/// Of those, the waterfalls'; and once there is no room.
const WATERFALLS: usize = 1_500_000;
const WATERFALLS_WITHOUT_ROOM: usize = 300_000;

/// Makes the page smaller, and says what was left out; `None`: nothing had to be.
type Step = fn(&mut Page) -> Option<&'static str>;

/// In the order in which they are taken, until the page is small enough.
const STEPS: [Step; 8] = [
    fewer_waterfalls,
    baseline_without_series,
    without_cluster_lines,
    fewer_lines,
    without_parts,
    without_tasks,
    without_stages,
    only_the_outcome,
];

/// Leaves out of the page what is too much for one file.
///
/// # Errors
/// Never: every page can be written.
pub(in super::super) fn fit(page: &mut Page) -> Result<()> {
    if let Some(baseline) = &mut page.baseline {
        reduce_baseline(baseline);
    }
    let left_out = keep_waterfalls(&mut page.waterfalls, WATERFALLS)?;
    say(page, left_out);
    for step in STEPS {
        if size(page)? <= MOST_BYTES {
            break;
        }
        let left_out = step(page);
        say(page, left_out);
    }
    Ok(())
}

fn say(page: &mut Page, left_out: Option<&str>) {
    let told = left_out.map(|what| format!("Left out of this page for its size: {what}."));
    page.limits.extend(told);
}

/// What the page holds of another run: its figures, and nothing to look into.
fn reduce_baseline(baseline: &mut Page) {
    baseline.waterfalls.clear();
    baseline.traces.clear();
    baseline.files.clear();
    baseline.comparison = None;
    baseline.baseline = None;
    if let Some(verdict) = &mut baseline.verdict {
        clear_cluster_lines(verdict);
        clear_parts(verdict);
    }
}

/// The first that have room.
fn keep_waterfalls(waterfalls: &mut Vec<Waterfall>, most: usize) -> Result<Option<&'static str>> {
    let (mut bytes, before) = (0, waterfalls.len());
    let mut fit = 0;
    for waterfall in waterfalls.iter() {
        bytes += size(waterfall)?;
        if bytes > most {
            break;
        }
        fit += 1;
    }
    waterfalls.truncate(fit);
    Ok((fit < before).then_some("waterfalls of some requests (they are in opentelemetry_traces)"))
}

fn fewer_waterfalls(page: &mut Page) -> Option<&'static str> {
    // What can not be measured is left out.
    keep_waterfalls(&mut page.waterfalls, WATERFALLS_WITHOUT_ROOM).unwrap_or_else(|_| {
        page.waterfalls.clear();
        None
    })
}

fn baseline_without_series(page: &mut Page) -> Option<&'static str> {
    let baseline = page.baseline.as_mut()?;
    baseline.series = Default::default();
    baseline.markers.clear();
    baseline.failures.clear();
    baseline.verdict = None;
    Some("the other run's course and verdict")
}

fn without_cluster_lines(page: &mut Page) -> Option<&'static str> {
    clear_cluster_lines(page.verdict.as_mut()?).then_some("events and logs of the cluster")
}

fn clear_cluster_lines(verdict: &mut Verdict) -> bool {
    let Some(cluster) = &mut verdict.cluster else {
        return false;
    };
    cluster.event_lines.clear();
    cluster.logs.clear();
    true
}

fn fewer_lines(page: &mut Page) -> Option<&'static str> {
    page.traces.truncate(100);
    page.failures.truncate(100);
    page.files.retain(|file| !file.path.contains('/'));
    page.markers.truncate(200);
    let verdict = page.verdict.as_mut()?;
    for check in &mut verdict.checks {
        shorten(&mut check.evidence, 3);
    }
    Some("all but the first of long lists: single requests, failures, files, evidence")
}

fn shorten(lines: &mut Vec<String>, most: usize) {
    lines.truncate(most);
    for line in lines {
        if let Some((at, _)) = line.char_indices().nth(300) {
            line.truncate(at);
        }
    }
}

fn without_parts(page: &mut Page) -> Option<&'static str> {
    clear_parts(page.verdict.as_mut()?);
    Some("replicas, load workers and error spans of each stage")
}

fn clear_parts(verdict: &mut Verdict) {
    for stage in &mut verdict.stages {
        stage.generator.workers.clear();
        stage.replicas.clear();
        stage.error_spans = Default::default();
        stage.traces.examples.clear();
    }
}

fn without_tasks(page: &mut Page) -> Option<&'static str> {
    let verdict = page.verdict.as_mut()?;
    verdict
        .stages
        .iter_mut()
        .for_each(|stage| stage.tasks.clear());
    page.statistics.retain(|row| row.method.is_empty());
    Some("the tasks of each stage")
}

fn without_stages(page: &mut Page) -> Option<&'static str> {
    let verdict = page.verdict.as_mut()?;
    verdict.stages.clear();
    verdict.checks.truncate(200);
    verdict.cluster = None;
    verdict.saturation = None;
    page.spectra.clear();
    page.run.stages.truncate(100);
    let first = page.statistics.len().saturating_sub(200);
    page.statistics.drain(..first);
    page.comparison = None;
    page.baseline = None;
    Some("the stages; verdict.json has them")
}

fn only_the_outcome(page: &mut Page) -> Option<&'static str> {
    let mut run = std::mem::take(&mut page.run);
    shorten(&mut run.errors, 10);
    let mut limits = std::mem::take(&mut page.limits);
    shorten(&mut limits, 30);
    *page = Page {
        schema: std::mem::take(&mut page.schema),
        exact: true,
        run,
        limits,
        ..Page::default()
    };
    page.run.stages.clear();
    Some("everything; report.md has it")
}

/// Bytes of it as JSON in a page of HTML.
fn size(of: &impl serde::Serialize) -> Result<usize> {
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, of)?;
    Ok(counted.0)
}

struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Six bytes in place of one, and of three that begin so: see `frozen::embedded`.
        let escaped = bytes.iter().map(|byte| match byte {
            b'<' => 6,
            0xe2 => 4,
            _ => 1,
        });
        self.0 += escaped.sum::<usize>();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
