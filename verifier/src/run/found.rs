//! Traces of somebody else's load: watched while they come, or read from a file that a collector wrote; the rows of
//! requests are made of their root spans.

use super::cluster::Cluster;
use super::progress::Progress;
use super::signals::Signals;
use super::terminal::say;
use super::{CLOCKS_APART_NS, Ended, Setup, finish, host, target};
use crate::plan::{Load, Plan, Stage};
use crate::record::{
    Clock, Exchange, Observation, Outcome, Recorder, Recording, RunFolder, RunKey, Span, read_rows,
    write_whole,
};
use crate::run::traces::{self, Source, Sources, Window};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Longer than anybody watches: the stage of a watch without an end.
const WITHOUT_END: Duration = Duration::from_secs(7 * 24 * 3600);
/// When so long no span has come, after the end, none is waited for.
const QUIET: Duration = Duration::from_secs(2);

/// Watches for so long, or until somebody stops it.
///
/// # Errors
/// As [`super::run`].
pub fn watch(plan: Plan, setup: &Setup, length: Option<Duration>) -> Result<Ended> {
    let sources = match setup.traces.as_slice() {
        [] => vec![Source::Otlp],
        sources => sources.to_vec(),
    };
    if sources
        .iter()
        .any(|source| matches!(source, Source::Tempo(_)))
    {
        bail!("tempo is read by trace id, and of somebody else's load none is known");
    }
    Sources::check(&sources, setup.collector.as_deref())?;
    let listeners = setup.listeners(&sources, true)?;
    let plan = watched(plan, length.unwrap_or(WITHOUT_END))?;
    let (folder, mut recording, clock) = begin(&plan, setup.out.as_deref())?;
    let recorder = recording.recorder();
    started(&recorder, &folder, clock.origin_unix_ns());
    setup.tell_asked(&recorder);
    let mut sources = Sources::start(&sources, listeners, &mut recording)?;
    setup.watch_collector(&mut sources, &recorder)?;
    let otlp = sources.otlp_addresses();
    recorder.observe(Observation::TargetReady {
        url: setup.url.clone().unwrap_or_default(),
        otlp_grpc: otlp.map(|(grpc, _)| grpc.to_string()),
        otlp_http: otlp.map(|(_, http)| http.to_string()),
        pids: Vec::new(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let looked = runtime.block_on(async {
        let cluster = setup.watch_cluster(&plan, &recorder).await?;
        look(&plan, setup, length, &recorder, &sources, cluster).await
    });
    sources.stop();
    let interrupted = looked?;
    end(&plan, recording, &folder, clock.origin_unix_ns())?;
    Ok(Ended {
        folder,
        interrupted,
    })
}

/// Reads a file that a collector wrote, or a folder of such files.
///
/// # Errors
/// When there is none, it holds no trace, or the run folder can not be written.
pub fn read(plan: Plan, file: &Path, out: Option<&Path>) -> Result<RunFolder> {
    let plan = watched(plan, WITHOUT_END)?;
    let (folder, recording, _) = begin(&plan, out)?;
    let recorder = recording.recorder();
    Sources::read_file(file, &recorder)?;
    recorder.flush();
    let spans = read_rows::<Span>(&folder.span_rows())?;
    let began = spans.iter().map(|span| span.start_unix_ns).min();
    let began = began.with_context(|| format!("{} holds no span", file.display()))?;
    // The run's clock began with the first of them.
    let origin_unix_ns = began - recorder.clock().now_ns().min(began);
    started(&recorder, &folder, origin_unix_ns);
    recorder.observe(Observation::StageStarted { stage: 0 });
    end(&plan, recording, &folder, origin_unix_ns)?;
    Ok(folder)
}

/// The plan's expectations and thresholds, with one stage in place of its load.
fn watched(mut plan: Plan, duration: Duration) -> Result<Plan> {
    ensure!(
        plan.tasks.is_empty() && plan.search.is_none(),
        "whose task a request is, and what a search would ask next, can not be told of somebody else's load: choose a plan without"
    );
    ensure!(
        !plan.span_names().is_empty(),
        "the plan expects no span, so that there is nothing to watch for"
    );
    let stage = plan.stages.first().context("the plan has no stage")?;
    plan.stages = vec![Stage {
        name: "watched".to_owned(),
        duration,
        load: Load::Connections { connections: 1 },
        ..stage.clone()
    }];
    plan.seed = None;
    // Whoever only watches breaks nothing.
    plan.faults.clear();
    // Those of one stage speak of none that is here.
    plan.thresholds
        .retain(|threshold| threshold.stage.is_none());
    Ok(plan)
}

fn begin(plan: &Plan, out: Option<&Path>) -> Result<(RunFolder, Recording, Clock)> {
    let clock = Clock::start();
    let out = out.map_or_else(|| RunFolder::default_path("watched", clock), Path::to_owned);
    let folder = RunFolder::create(&out)?;
    write_whole(&folder.plan(), plan.to_toml()?.as_bytes())?;
    let key = RunKey::random()?;
    let mut recording = Recording::start(&folder, clock, key, &traces::expected(plan))?;
    recording.take_found()?;
    Ok((folder, recording, clock))
}

fn started(recorder: &Recorder, folder: &RunFolder, origin_unix_ns: u64) {
    let name = folder.path().file_name().unwrap_or_default();
    recorder.observe(Observation::RunStarted {
        run_id: name.to_string_lossy().into_owned(),
        run_key: recorder.key().to_string(),
        origin_unix_ns,
        verifier_version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
    });
}

/// Waits for the end and for what comes late; true when it was stopped before its time.
async fn look(
    plan: &Plan,
    setup: &Setup,
    length: Option<Duration>,
    recorder: &Recorder,
    sources: &Sources,
    cluster: Option<Cluster>,
) -> Result<bool> {
    let mut signals = Signals::new()?;
    let clock = recorder.clock();
    let from_unix_ns = clock.origin_unix_ns() + clock.now_ns();
    let pods = cluster.as_ref().map(Cluster::addresses);
    let books = match (&setup.url, &pods) {
        (None, None) => None,
        (url, _) => Some(target::books::Watch::start(url.as_deref(), pods, recorder).await),
    };
    recorder.observe(Observation::StageStarted { stage: 0 });
    let mut progress = Progress::watch(length, setup.headless);
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    let over = tokio::time::sleep(length.unwrap_or(WITHOUT_END));
    tokio::pin!(over);
    let interrupted = loop {
        tokio::select! {
            () = &mut over => break None,
            signal = signals.next() => {
                say(&format!("{signal}: judging what was seen"));
                break length.is_some().then_some(signal);
            }
            _ = tick.tick() => progress.spans(recorder),
        }
        if recorder.live().failure().is_some() {
            break None;
        }
    };
    if let Some(signal) = interrupted {
        let signal = signal.to_owned();
        recorder.observe(Observation::Interrupted { signal });
    }
    sources.load_ended(Window {
        from_unix_ns: from_unix_ns.saturating_sub(CLOCKS_APART_NS),
        to_unix_ns: clock.origin_unix_ns() + clock.now_ns() + CLOCKS_APART_NS,
    });
    settle(plan, recorder, sources, cluster.as_ref(), &mut signals).await;
    progress.end();
    if let Some(books) = books {
        books.last_words().await;
    }
    Ok(interrupted.is_some())
}

/// Until nothing has come for a while, at most for as long as the plan waits for traces, and pods take to end.
async fn settle(
    plan: &Plan,
    recorder: &Recorder,
    sources: &Sources,
    cluster: Option<&Cluster>,
    signals: &mut Signals,
) {
    // Pods that end have spans and last words to come.
    let behind = || sources.behind() || cluster.is_some_and(|cluster| !cluster.ending().is_empty());
    let spans = || {
        let sources = recorder.live().of_source.iter();
        sources
            .map(|source| source.spans.load(Relaxed))
            .sum::<u64>()
    };
    let clock = recorder.clock();
    let until_ns = clock.now_ns() + u64::try_from(plan.traces.drain.as_nanos()).unwrap_or(u64::MAX);
    let (mut last, mut since_ns) = (spans(), clock.now_ns());
    while behind() || clock.now_ns() < until_ns {
        if spans() != last || behind() {
            (last, since_ns) = (spans(), clock.now_ns());
        }
        if u128::from(clock.now_ns() - since_ns) > QUIET.as_nanos() {
            break;
        }
        tokio::select! {
            _ = signals.next() => break,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
}

/// Makes the requests' rows of the first source's spans, and closes the books.
fn end(plan: &Plan, recording: Recording, folder: &RunFolder, origin_unix_ns: u64) -> Result<()> {
    let recorder = &recording.recorder();
    recorder.flush();
    let mut spans = read_rows::<Span>(&folder.span_rows())?;
    spans.sort_unstable_by_key(|span| span.seq);
    let expected = plan.span_names().len();
    let kind = plan.traces.spans.first().map_or(0, |root| root.kind.code());
    let requests = spans.chunk_by(|a, b| a.seq == b.seq);
    let rows = requests.filter_map(|spans| request(spans, expected, kind, origin_unix_ns));
    let rows: Vec<Exchange> = rows.collect();
    recorder.observe(Observation::StageEnded {
        stage: 0,
        planned: rows.len() as u64,
    });
    for rows in rows.chunks(10_000) {
        recorder.exchanges(rows.to_vec());
    }
    recorder.flush();
    if let Err(error) = finish(recording, recorder, folder) {
        say(&format!(
            "the run could not be recorded to its end: {error:#}"
        ));
    }
    Ok(())
}

/// One request, from its trace: as long as its root span, or where that is missing from its first span to its last.
/// `None` of a trace that holds no span of those that the plan expects: it is of another kind of request.
fn request(spans: &[Span], expected: usize, kind: u8, origin_unix_ns: u64) -> Option<Exchange> {
    // Expected spans have the first numbers, the root the very first of them; a client's span may bear the same name.
    let of_plan = || {
        spans
            .iter()
            .filter(|span| usize::from(span.name) < expected)
    };
    let from = of_plan().map(|span| span.start_unix_ns).min()?;
    let to = of_plan().map(|span| span.end_unix_ns).max()?;
    let found = spans
        .iter()
        .find(|span| span.name == 0 && span.kind == kind);
    let (from, to) = found.map_or((from, to), |root| (root.start_unix_ns, root.end_unix_ns));
    let on_clock = |unix_ns: u64| unix_ns.saturating_sub(origin_unix_ns).max(1);
    let status = found.map_or(0, |root| root.http_status);
    Some(Exchange {
        seq: spans[0].seq,
        intended_ns: on_clock(from),
        sent_ns: on_clock(from),
        connected_ns: 0,
        first_byte_ns: on_clock(to),
        done_ns: on_clock(to),
        connection: 0,
        bytes: 0,
        stage: 0,
        status,
        outcome: if status >= 400 {
            Outcome::HttpError
        } else {
            Outcome::Ok
        },
        task: 0,
    })
}
