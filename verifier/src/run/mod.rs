//! DURING: the conductor. Starts the receiver, the target and the load, waits for them, drains the
//! traces, stops everything; what was seen is then in the run folder, ready to be judged.

mod exposition;
pub mod found;
pub mod load;
pub mod progress;
pub mod target;
pub mod traces;

use crate::plan::{Http, Plan};
use crate::record::{Asked, Clock, Host, Observation, Recorder, Recording, RunFolder, RunKey};
use anyhow::{Context, Result, anyhow, bail, ensure};
use progress::Progress;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use target::Target;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use traces::{ClientSpans, Exported, OfRun, Source, Sources, Window};

/// How a run is set up, beside its plan.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The target; `None`: the iris service is started here.
    pub url: Option<String>,
    /// Replicas to start here.
    pub replicas: u16,
    /// Where traces come from; the first is judged, the others are held against it. Empty: the own receiver.
    pub traces: Vec<Source>,
    /// Where the collector on the way shows its own books; `None`: the usual place with a URL and sources that are read,
    /// if something answers there.
    pub collector: Option<String>,
    /// Where OTLP/gRPC is listened for; `None`: the well-known port with a URL, else a free one.
    pub otlp_grpc: Option<SocketAddr>,
    /// Where OTLP/HTTP is listened for.
    pub otlp_http: Option<SocketAddr>,
    /// Where the verifier's own spans are exported to after the load, by OTLP/HTTP.
    pub export_client_spans: Option<String>,
    /// What was asked of the reports.
    pub asked: Asked,
    /// The run folder; `None`: `runs/<plan>-<time>`.
    pub out: Option<PathBuf>,
    /// Load threads; `None`: half of the CPUs.
    pub workers: Option<u16>,
    /// Plain progress lines, even on a terminal.
    pub headless: bool,
    /// Whose certificates an `https://` target may show.
    pub trust: load::Trust,
}

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

impl Setup {
    fn sources(&self) -> Result<Vec<Source>> {
        if self.traces.is_empty() {
            return Ok(vec![Source::Otlp]);
        }
        let of_others = self.traces.iter().find(|source| **source != Source::Otlp);
        if let (None, Some(source)) = (&self.url, of_others) {
            bail!(
                "--traces {} needs --url: the service that is started here exports to the verifier itself",
                source.name()
            );
        }
        Ok(self.traces.clone())
    }

    /// The listeners of the verifier's own receiver, where it is a source.
    fn listeners(&self, sources: &[Source]) -> Result<Option<(TcpListener, TcpListener)>> {
        if !sources.contains(&Source::Otlp) {
            return Ok(None);
        }
        Ok(Some((
            self.listen(self.otlp_grpc, "--otlp-grpc", 4317)?,
            self.listen(self.otlp_http, "--otlp-http", 4318)?,
        )))
    }

    fn tell_asked(&self, recorder: &Recorder) {
        if self.asked != Asked::default() {
            recorder.observe(Observation::ReportsAsked(self.asked.clone()));
        }
    }

    fn watch_collector(&self, sources: &mut Sources, recorder: &Recorder) -> Result<()> {
        match &self.collector {
            Some(url) => sources.watch_collector(url, recorder),
            // Without its books the verdict knows of fewer hops, and says so.
            None if self.traces.iter().any(|source| *source != Source::Otlp) => {
                let _ = sources.watch_collector(traces::COLLECTOR, recorder);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Binds one of the two OTLP listeners: where it was asked for, else on the well-known port when
    /// the target is somebody else's (it must know where to export to), else on a free one.
    fn listen(
        &self,
        asked: Option<SocketAddr>,
        flag: &str,
        known_port: u16,
    ) -> Result<TcpListener> {
        let port = if self.url.is_some() { known_port } else { 0 };
        let address = asked.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
        TcpListener::bind(address).with_context(|| {
            format!("cannot listen for traces on {address}: choose another with {flag}")
        })
    }
}

/// Runs the plan from start to end. Blocks; makes its own small runtime for signals and timers.
///
/// # Errors
/// Before any load: the run folder, the listeners or the target can not be had. Later failures are
/// in the journal, and the run can be judged on what was seen.
pub fn run(mut plan: Plan, setup: &Setup) -> Result<Ended> {
    let clock = Clock::start();
    let seed = match plan.seed {
        Some(seed) => seed,
        None => getrandom::u64().map_err(|e| anyhow!("no randomness for a seed: {e}"))? >> 1,
    };
    plan.seed = Some(seed);
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
        .unwrap_or_else(|| default_folder(&plan.name, clock));
    let sources = setup.sources()?;
    Sources::check(&sources, setup.collector.as_deref())?;
    let listeners = setup.listeners(&sources)?;
    let folder = RunFolder::create(&out)?;
    crate::record::write_whole(&folder.plan(), plan.to_toml()?.as_bytes())?;

    let key = RunKey::from_seed(seed);
    let mut recording = Recording::start(&folder, clock, key, &traces::expected(&plan))?;
    let recorder = recording.recorder();
    recorder.observe(Observation::RunStarted {
        run_id: out.file_name().map_or_else(
            || out.display().to_string(),
            |n| n.to_string_lossy().into_owned(),
        ),
        run_key: key.to_string(),
        origin_unix_ns: clock.origin_unix_ns(),
        verifier_version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
    });
    setup.tell_asked(&recorder);
    let mut sources = Sources::start(&sources, listeners, &mut recording)?;
    setup.watch_collector(&mut sources, &recorder)?;
    let target = match start_target(setup, sources.otlp_addresses(), &folder, &recorder) {
        Ok(target) => target,
        Err(error) => {
            recorder.observe(Observation::TargetFailed {
                error: format!("{error:#}"),
            });
            sources.stop();
            recording.stop()?;
            return Err(error);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let names = plan.client_span_names();
    let conductor = Conductor {
        plan,
        setup,
        recorder: recorder.clone(),
        cancel: CancellationToken::new(),
        interrupted: false,
    };
    let (interrupted, target) = runtime.block_on(conductor.conduct(target, &sources))?;
    eprintln!("verifier: the load has ended; stopping the target, sealing the run folder, judging");
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
        eprintln!("verifier: the run could not be recorded to its end: {error:#}");
    }
    Ok(Ended {
        folder,
        interrupted,
    })
}

/// `runs/<plan>-<time>`, with a number behind it if two runs begin in the same second.
fn default_folder(plan: &str, clock: Clock) -> PathBuf {
    let started = std::time::UNIX_EPOCH + Duration::from_nanos(clock.origin_unix_ns());
    let started = humantime::format_rfc3339_seconds(started)
        .to_string()
        .replace([':', '-'], "");
    let folder = PathBuf::from("runs").join(format!("{plan}-{started}"));
    let numbered = (2..).map(|number| folder.with_file_name(format!("{plan}-{started}-{number}")));
    std::iter::once(folder.clone())
        .chain(numbered)
        .find(|path| !path.exists())
        .unwrap_or(folder)
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
        None => eprintln!("verifier: {sent} client spans exported to {url}"),
        Some(error) => {
            eprintln!("verifier: {sent} client spans exported to {url}, {lost} lost: {error}");
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

/// The part of a run that waits: for the load, for the traces, for somebody's Ctrl-C.
struct Conductor<'a> {
    plan: Plan,
    setup: &'a Setup,
    recorder: Recorder,
    cancel: CancellationToken,
    interrupted: bool,
}

impl Conductor<'_> {
    async fn conduct(mut self, mut target: Target, sources: &Sources) -> Result<(bool, Target)> {
        let mut signals = Signals::new()?;
        let mut progress = Progress::start(&self.plan, target.url(), self.setup.headless);
        let from_unix_ns = self.unix_now_ns();
        let books = target::books::Watch::start(target.url(), &self.recorder).await;
        let load = self.start_load(target.url())?;
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        tokio::pin!(load);
        let loaded = loop {
            tokio::select! {
                ended = &mut load => break ended,
                signal = signals.next() => self.interrupt(signal),
                _ = tick.tick() => {
                    target.poll(&self.recorder);
                    progress.show(&self.recorder);
                    if self.recorder.live().failure().is_some() {
                        self.cancel.cancel();
                    }
                }
            }
        };
        match loaded {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.recorder.observe(Observation::RunError {
                error: format!("{error:#}"),
            }),
            Err(panic) => self.recorder.observe(Observation::RunError {
                error: format!("the load's thread panicked: {panic}"),
            }),
        }
        sources.load_ended(Window {
            from_unix_ns: from_unix_ns.saturating_sub(CLOCKS_APART_NS),
            to_unix_ns: self.unix_now_ns() + CLOCKS_APART_NS,
        });
        self.drain(sources, &mut signals, &mut progress, &mut tick)
            .await;
        books.last_words().await;
        Ok((self.interrupted, target))
    }

    fn unix_now_ns(&self) -> u64 {
        let clock = self.recorder.clock();
        clock.origin_unix_ns() + clock.now_ns()
    }

    fn start_load(&self, url: &str) -> Result<JoinHandle<Result<()>>> {
        let address = load::Target::trusting(url, &self.setup.trust)?;
        let options = load::Options {
            workers: self
                .setup
                .workers
                .map_or_else(load::default_workers, usize::from),
            seed: self.plan.seed.unwrap_or_default(),
        };
        let (plan, recorder, cancel) = (
            self.plan.clone(),
            self.recorder.clone(),
            self.cancel.clone(),
        );
        Ok(tokio::task::spawn_blocking(move || {
            load::run(&plan, &address, &options, &recorder, &cancel)
        }))
    }

    /// Waits until every exchange has its trace, or the plan's deadline, which does not run while a source that holds
    /// everything is still being read.
    async fn drain(
        &mut self,
        sources: &Sources,
        signals: &mut Signals,
        progress: &mut Progress,
        tick: &mut tokio::time::Interval,
    ) {
        self.recorder.flush();
        let recorder = self.recorder.clone();
        let live = recorder.live();
        let counts = || (live.traces_expected.load(Relaxed), live.traces_complete());
        let (expected, complete) = counts();
        self.recorder
            .observe(Observation::DrainStarted { expected, complete });
        if self.plan.span_names().is_empty() {
            return;
        }
        let mut left = self.plan.traces.drain;
        let mut last_ns = recorder.clock().now_ns();
        let mut look = tokio::time::interval(Duration::from_millis(10));
        loop {
            let (expected, complete) = counts();
            if complete >= expected || left.is_zero() || live.failure().is_some() {
                break;
            }
            tokio::select! {
                signal = signals.next() => self.interrupt(signal),
                _ = tick.tick() => progress.drain(&self.recorder),
                _ = look.tick() => {}
            }
            let now_ns = recorder.clock().now_ns();
            if self.interrupted || !sources.behind() {
                left = left.saturating_sub(Duration::from_nanos(now_ns - last_ns));
            }
            last_ns = now_ns;
        }
        progress.end();
    }

    /// The first signal ends the load and keeps the books; the second ends the process at once.
    fn interrupt(&mut self, signal: &'static str) {
        if self.interrupted {
            eprintln!("\nverifier: stopped at once; `verifier judge` reads what was recorded");
            std::process::exit(130);
        }
        self.interrupted = true;
        eprintln!(
            "\nverifier: {signal}: stopping the load, then judging what was seen (again to stop at once)"
        );
        self.recorder.observe(Observation::Interrupted {
            signal: signal.to_owned(),
        });
        self.cancel.cancel();
    }
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
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
