//! Traces on their whole way: a few requests with trace ids that are known, of which every one must come, whatever its
//! client says of sampling.

use super::report::Report;
use super::target::predict;
use crate::plan::Plan;
use crate::record::{
    Clock, Exchange, Observation, Outcome, Recorder, Recording, RunFolder, RunKey, read_journal,
};
use crate::run::CLOCKS_APART_NS;
use crate::run::setup::Setup;
use crate::run::traces::{self, Client, Source, Sources, Window};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::runtime::Runtime;

/// A batching exporter, a collector's queue and a store that indexes take a while.
const COME_WITHIN: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A folder for what is recorded; gone when the check is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is a few KiB where temporary files go.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What came.
struct Came {
    sources: Vec<Source>,
    /// By source: whole traces of known ids, and spans of others.
    whole: Vec<(u64, u64)>,
    /// Of the first source: those that are not whole, sampled by their client and not.
    lacking: (usize, usize),
    seconds: f64,
}

/// Sends `count` requests of each kind, and waits for their traces.
///
/// # Errors
/// When a source can not be read, or the target stops answering.
pub(super) fn check(
    runtime: &Runtime,
    url: &str,
    (plan, setup): (&Plan, &Setup),
    count: u64,
    report: &mut Report,
) -> Result<()> {
    let sources = setup.sources()?;
    Sources::check(&sources, None)?;
    let listeners = setup.listeners(&sources, true)?;
    let (clock, key) = (Clock::start(), RunKey::random()?);
    let scratch = Scratch(std::env::temp_dir().join(format!("verifier-check-{key}")));
    let folder = RunFolder::create(&scratch.0)?;
    let mut recording = Recording::start(&folder, clock, key, &traces::expected(plan))?;
    let recorder = recording.recorder();
    let started = Sources::start(&sources, listeners, &mut recording)?;
    let came = runtime.block_on(async {
        send(url, count, &recorder).await?;
        started.load_ended(Window {
            from_unix_ns: clock.origin_unix_ns().saturating_sub(CLOCKS_APART_NS),
            to_unix_ns: clock.origin_unix_ns() + clock.now_ns() + CLOCKS_APART_NS,
        });
        anyhow::Ok(wait(&recorder, 2 * count).await)
    });
    let lacking = recorder.lacking(usize::try_from(2 * count).unwrap_or(usize::MAX));
    started.stop();
    recorder.flush();
    recording.stop()?;
    let seconds = came?;
    let whole = (0..sources.len()).map(|number| {
        let complete = recorder.live().of_source[number].complete.load(Relaxed);
        (complete, foreign(&folder, number))
    });
    let not_sampled = lacking
        .iter()
        .filter(|lacking| lacking.seq >= count)
        .count();
    let came = Came {
        whole: whole.collect(),
        sources,
        lacking: (lacking.len() - not_sampled, not_sampled),
        seconds,
    };
    tell(&came, count, plan.span_names().len() as u64, report);
    Ok(())
}

/// Sampled by their client, not sampled by it, and without a parent.
async fn send(url: &str, count: u64, recorder: &Recorder) -> Result<()> {
    let (client, clock) = (Client::new()?, recorder.clock());
    for seq in 0..3 * count {
        let text = String::from_utf8_lossy(&recorder.key().traceparent(seq)).into_owned();
        let traceparent = match seq / count {
            0 => Some(text),
            1 => Some(format!("{}00", &text[..text.len() - 2])),
            _ => None,
        };
        let sent_ns = clock.now_ns();
        let known = traceparent.is_some();
        { predict(&client, url, traceparent).await }
            .with_context(|| format!("request {} of {}", seq + 1, 3 * count))?;
        let done_ns = clock.now_ns();
        if known {
            recorder.exchanges(vec![Exchange {
                seq,
                intended_ns: sent_ns,
                sent_ns,
                connected_ns: 0,
                first_byte_ns: done_ns,
                done_ns,
                connection: 0,
                bytes: 0,
                stage: 0,
                status: 200,
                outcome: Outcome::Ok,
                task: 0,
            }]);
        }
    }
    recorder.flush();
    Ok(())
}

/// Until every trace is whole in each source, or the time is up; how long that took, in seconds.
async fn wait(recorder: &Recorder, expected: u64) -> f64 {
    let clock = recorder.clock();
    let began_ns = clock.now_ns();
    let waited = || Duration::from_nanos(clock.now_ns() - began_ns);
    while recorder.live().traces_complete() < expected && waited() < COME_WITHIN {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    waited().as_secs_f64()
}

/// Spans of other traces that the source has seen: of requests that came without a parent.
fn foreign(folder: &RunFolder, number: usize) -> u64 {
    let journal = read_journal(&folder.journal()).unwrap_or_default();
    let books = journal.into_iter().rev().find_map(|e| match e.observation {
        Observation::Receiver(books) if usize::from(books.source) == number => Some(books),
        _ => None,
    });
    books.map_or(0, |books| books.foreign_spans)
}

fn tell(came: &Came, count: u64, spans: u64, report: &mut Report) {
    for (number, (source, (whole, foreign))) in came.sources.iter().zip(&came.whole).enumerate() {
        let name = source.name();
        report.hold(
            *whole == 2 * count,
            &format!(
                "traces at {name}: {whole} of {} whole, half of them not sampled by their client ({:.1} s)",
                2 * count,
                came.seconds
            ),
            &advice(*whole, (number == 0).then_some(came.lacking), count),
        );
        let of_service = foreign / spans.max(1);
        let what =
            format!("traces at {name} that the service began itself: {of_service} of {count}");
        if of_service >= count {
            report.ok(&format!(
                "traces at {name} of requests without a traceparent: {count} or more"
            ));
        } else if *source == Source::Otlp {
            report.failed(
                &what,
                "who sends no traceparent is not traced: let the service sample always (OTEL_TRACES_SAMPLER=always_on)",
            );
        } else {
            report.not_checked(
                &what,
                "their ids are not known, and this source is asked by id",
            );
        }
    }
}

fn advice(whole: u64, lacking: Option<(usize, usize)>, count: u64) -> String {
    match lacking {
        _ if whole == 0 => "none came: does the service export (OTEL_EXPORTER_OTLP_ENDPOINT), does the collector run, does it send to where --traces looks?".to_owned(),
        Some((0, not_sampled)) if not_sampled as u64 == count => "those that their client had not sampled are missing: the sampler follows the parent; it must be always_on".to_owned(),
        Some((sampled, not_sampled)) => format!("missing: {sampled} of those that their client had sampled, {not_sampled} of the others; a full run tells where they were lost"),
        None => "a full run with this source tells where the others were lost".to_owned(),
    }
}
