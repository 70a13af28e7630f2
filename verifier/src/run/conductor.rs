//! The part of a run that waits: for the load, for the traces, for somebody's Ctrl-C.

use super::progress::Progress;
use super::setup::Setup;
use super::signals::Signals;
use super::target::{self, Target};
use super::traces::{Sources, Window};
use super::{CLOCKS_APART_NS, load};
use crate::plan::Plan;
use crate::record::{Observation, Recorder};
use anyhow::Result;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Waits, and tells what it waits for.
pub(super) struct Conductor<'a> {
    pub(super) plan: Plan,
    pub(super) setup: &'a Setup,
    pub(super) recorder: Recorder,
    pub(super) cancel: CancellationToken,
    pub(super) interrupted: bool,
}

impl Conductor<'_> {
    pub(super) async fn conduct(
        mut self,
        mut target: Target,
        sources: &Sources,
    ) -> Result<(bool, Target)> {
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
        let to_the_end = self
            .setup
            .shard
            .drains_to_the_end(&self.setup.sources().unwrap_or_default());
        let mut left = self.plan.traces.drain;
        let mut last_ns = recorder.clock().now_ns();
        let mut look = tokio::time::interval(Duration::from_millis(10));
        loop {
            let (expected, complete) = counts();
            let whole = complete >= expected && !to_the_end;
            if whole || left.is_zero() || live.failure().is_some() {
                break;
            }
            tokio::select! {
                signal = signals.next() => self.interrupt(signal),
                _ = tick.tick() => match to_the_end {
                    true => progress.spans(&self.recorder),
                    false => progress.drain(&self.recorder),
                },
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
