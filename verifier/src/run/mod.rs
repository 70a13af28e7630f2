//! DURING: the conductor. Starts the receiver, the target and the load, waits for them, drains the
//! traces, stops everything; what was seen is then in the run folder, ready to be judged.

mod barrier;
pub mod check;
pub mod cluster;
mod conductor;
mod exposition;
pub mod faults;
pub mod found;
mod keys;
pub mod kubernetes;
mod last_words;
pub mod load;
pub mod panel;
pub mod progress;
mod setup;
mod shard;
mod signals;
pub mod target;
pub mod terminal;
pub mod traces;
mod tty;
mod wishes;

pub use barrier::Peers;
pub use keys::Keys;
pub use setup::Setup;
pub use shard::ShardSetup;

use crate::plan::{Http, Plan};
use crate::record::{Clock, Host, Observation, Recorder, Recording, RunFolder, RunKey};
use anyhow::{Context, Result, anyhow, ensure};
use conductor::Conductor;
use faults::Faults;
use signals::Signals;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use target::Target;
use terminal::say;
use tokio_util::sync::CancellationToken;
use traces::{ClientSpans, Exported, OfRun, Sources};

/// A run that is over.
#[derive(Debug)]
pub struct Ended {
    /// Where it is recorded.
    pub folder: RunFolder,
    /// Somebody stopped it.
    pub interrupted: bool,
}

/// How far other machines' clocks may be off before a store that is asked by time hides spans of the load.
const CLOCKS_APART_NS: u64 = 5_000_000_000;

/// Runs the plan from start to end. Blocks; makes its own small runtime for signals and timers.
///
/// # Errors
/// Before any load: the run folder, the listeners or the target can not be had. Later failures are
/// in the journal, and the run can be judged on what was seen.
pub fn run(mut plan: Plan, setup: &Setup) -> Result<Ended> {
    let clock = Clock::start();
    setup.shard.check_plan(&plan)?;
    let seed = match plan.seed {
        Some(seed) => seed,
        None => getrandom::u64().map_err(|e| anyhow!("no randomness for a seed: {e}"))? >> 1,
    };
    plan.seed = Some(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let setup = &runtime.block_on(setup.with_target(&plan))?;
    let sources = setup.sources()?;
    setup.shard.check(setup.url.as_deref(), &sources)?;
    ensure!(
        setup.url.is_some() || plan.request.http == Http::One,
        "the service that is started here speaks HTTP/1.1: leave out --http2 (request.http), or name a target with --url"
    );
    if let Some(url) = &setup.url {
        // What is wrong with the URL, or the certificates, is said before anything is started.
        load::Target::trusting(&target::external::check(url)?, &setup.trust)?;
    }
    let client_spans = { setup.export_client_spans.as_deref() }
        .map(ClientSpans::to)
        .transpose()?;
    let out = setup
        .out
        .clone()
        .unwrap_or_else(|| RunFolder::default_path(&plan.name, clock));
    Sources::check(&sources, setup.collector.as_deref())?;
    let listeners = setup.listeners(&sources, setup.url.is_some())?;
    let own = setup.shard.own(&plan);
    let mut faults = runtime.block_on(Faults::prepare(
        &own,
        &setup.access,
        &format!("{}@{}", run_id(&out), host().name),
        clock,
        setup.url.is_none(),
    ))?;
    let folder = RunFolder::create(&out)?;
    crate::record::write_whole(&folder.plan(), plan.to_toml()?.as_bytes())?;

    let key = RunKey::from_seed(seed);
    let (expected, shard) = (traces::expected(&plan), setup.shard.part());
    let mut recording = Recording::start_shard(&folder, clock, key, shard, &expected)?;
    let recorder = recording.recorder();
    recorder.observe(Observation::RunStarted {
        run_id: run_id(&out),
        run_key: key.to_string(),
        origin_unix_ns: clock.origin_unix_ns(),
        verifier_version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
    });
    setup.shard.tell(&plan, &recorder);
    setup.tell_asked(&recorder);
    let mut sources = Sources::start(&sources, listeners, &mut recording)?;
    setup.watch_collector(&mut sources, &recorder)?;
    let cluster = runtime.block_on(async {
        let cluster = setup.watch_cluster(&own, &recorder).await?;
        // Before the lease, which is not renewed yet.
        setup.shard.wait(&recorder).await?;
        if let Some(faults) = &mut faults {
            faults.take_lease(clock).await?;
        }
        Ok(cluster)
    });
    let target = cluster.and_then(|cluster| {
        let target = start_target(setup, sources.otlp_addresses(), &folder, &recorder)?;
        Ok((target, cluster))
    });
    let (target, cluster) = match target {
        Ok(started) => started,
        Err(error) => {
            recorder.observe(Observation::TargetFailed {
                error: format!("{error:#}"),
            });
            sources.stop();
            recording.stop()?;
            return Err(error);
        }
    };
    let names = plan.client_span_names();
    let conductor = Conductor {
        plan: own,
        setup,
        recorder: recorder.clone(),
        cancel: CancellationToken::new(),
        interrupted: false,
        hand: load::Hand::default(),
        faults,
    };
    let (interrupted, target) = runtime.block_on(conductor.conduct(target, &sources, cluster))?;
    say("the load has ended; stopping the target, sealing the run folder, judging");
    target.stop(&recorder);
    sources.stop();
    recorder.flush();
    // No source is read any more: the own spans would come back as spans of the run.
    if let (Some(to), Some(url)) = (client_spans, &setup.export_client_spans) {
        let run = OfRun {
            rows: &folder.exchange_rows(),
            key,
            origin_unix_ns: clock.origin_unix_ns(),
            names: &names,
        };
        let exported = runtime.block_on(export(&to, &run))?;
        recorder.observe(told(url, exported));
    }
    runtime.shutdown_background();
    if let Err(error) = finish(recording, &recorder, &folder) {
        // Without run_ended in its journal the run is judged as what it is: not whole.
        say(&format!(
            "the run could not be recorded to its end: {error:#}"
        ));
    }
    terminal::flush();
    Ok(Ended {
        folder,
        interrupted,
    })
}

/// Prints what each fault of the plan would hit now, and touches nothing; whether every one could be done.
///
/// # Errors
/// When there is no way into the cluster, or a guard forbids all of it.
pub fn try_faults(plan: &Plan, setup: &Setup) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(faults::dry_run(plan, &setup.access))
}

/// Name of the run folder.
fn run_id(out: &Path) -> String {
    let name = out.file_name();
    name.map_or_else(
        || out.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Where the target is, started here or elsewhere; journalled.
fn start_target(
    setup: &Setup,
    otlp: Option<(SocketAddr, SocketAddr)>,
    folder: &RunFolder,
    recorder: &Recorder,
) -> Result<Target> {
    let target = match &setup.url {
        Some(url) => Target::external(url)?,
        None => {
            let (grpc, _) = otlp.context("the service started here exports to the verifier")?;
            Target::embedded(setup.replicas, grpc, folder.path())?
        }
    };
    recorder.observe(Observation::TargetReady {
        url: target.url().to_owned(),
        otlp_grpc: otlp.map(|(grpc, _)| grpc.to_string()),
        otlp_http: otlp.map(|(_, http)| http.to_string()),
        pids: target.pids(),
    });
    if setup.trust.insecure && target.url().starts_with("https:") {
        recorder.observe(Observation::TargetUnverified);
    }
    Ok(target)
}

/// Exports the verifier's own spans; somebody's Ctrl-C ends only that.
async fn export(to: &ClientSpans, run: &OfRun<'_>) -> Result<Exported> {
    let mut signals = Signals::new()?;
    let stop = CancellationToken::new();
    let export = to.export(run, &stop);
    tokio::pin!(export);
    loop {
        tokio::select! {
            exported = &mut export => return Ok(exported),
            _ = signals.next() => stop.cancel(),
        }
    }
}

/// Says what became of the verifier's own spans, and gives the line of the journal.
fn told(url: &str, Exported { sent, lost, error }: Exported) -> Observation {
    match &error {
        None => say(&format!("{sent} client spans exported to {url}")),
        Some(error) => {
            say(&format!(
                "{sent} client spans exported to {url}, {lost} lost: {error}"
            ));
        }
    }
    Observation::ClientSpansExported {
        url: url.to_owned(),
        sent,
        lost,
        error,
    }
}

/// Closes the books: last journal line, last rows, Parquet.
fn finish(recording: Recording, recorder: &Recorder, folder: &RunFolder) -> Result<()> {
    if let Some(error) = recorder.live().failure() {
        recorder.observe(Observation::RunError { error });
    }
    recorder.observe(Observation::DrainEnded {
        expected: recorder.live().traces_expected.load(Relaxed),
        complete: recorder.live().traces_complete(),
    });
    recording.stop()?;
    recorder.observe(Observation::RunEnded);
    match recorder.live().failure() {
        Some(error) => Err(anyhow!(error)),
        None => folder.seal(),
    }
}

/// The machine that generates the load.
fn host() -> Host {
    let uname = rustix::system::uname();
    Host {
        name: uname.nodename().to_string_lossy().into_owned(),
        kernel: uname.release().to_string_lossy().into_owned(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
    }
}
