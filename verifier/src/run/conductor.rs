//! The part of a run that waits: for the load, for the traces, for somebody's Ctrl-C.

use super::cluster::Cluster;
use super::faults::{Ask, Faults, Running};
use super::progress::Progress;
use super::setup::Setup;
use super::target::{self, Target};
use super::terminal::{self, say};
use super::traces::{Sources, Window};
use super::wishes::{Wish, Wishes};
use super::{CLOCKS_APART_NS, load};
use crate::plan::Plan;
use crate::record::{Observation, Recorder};
use anyhow::Result;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Waits, and tells what it waits for.
pub(super) struct Conductor<'a> {
    pub(super) plan: Plan,
    pub(super) setup: &'a Setup,
    pub(super) recorder: Recorder,
    pub(super) cancel: CancellationToken,
    pub(super) interrupted: bool,
    /// By it, users come and go while the load runs.
    pub(super) hand: load::Hand,
    /// What the plan breaks.
    pub(super) faults: Option<Faults>,
}

/// Asks of faults that may wait while the conductor is at something else.
const MOST_ASKS: usize = 16;

impl Conductor<'_> {
    pub(super) async fn conduct(
        mut self,
        mut target: Target,
        sources: &Sources,
        cluster: Option<Cluster>,
    ) -> Result<(bool, Target)> {
        let mut progress = Progress::start(&self.plan, target.url(), self.setup);
        let mut wishes = Wishes::new(progress.keys())?;
        let from_unix_ns = self.unix_now_ns();
        let pods = cluster.as_ref().map(Cluster::addresses);
        let books = target::books::Watch::start(Some(target.url()), pods, &self.recorder).await;
        let load = self.start_load(target.url())?;
        let (asks_in, mut asks) = mpsc::channel(MOST_ASKS);
        let faults = self.faults.take();
        let faults = faults.map(|faults| faults.start(&self.recorder, asks_in));
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        tokio::pin!(load);
        let loaded = loop {
            tokio::select! {
                ended = &mut load => break ended,
                wish = wishes.next() => self.grant(wish, faults.as_ref()),
                Some(ask) = asks.recv() => obey(&mut target, ask, &self.recorder),
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
        if let Some(faults) = faults {
            let asked = (&mut asks, &mut target);
            self.end_faults(faults, asked, &mut wishes, &mut progress, &mut tick)
                .await;
        }
        sources.load_ended(Window {
            from_unix_ns: from_unix_ns.saturating_sub(CLOCKS_APART_NS),
            to_unix_ns: self.unix_now_ns() + CLOCKS_APART_NS,
        });
        let loaded_ns = self.recorder.clock().now_ns();
        self.drain(sources, &mut wishes, &mut progress, &mut tick)
            .await;
        books.last_words().await;
        if let Some(cluster) = cluster {
            let settled_ns = loaded_ns + self.settle_ns();
            self.settle(&cluster, settled_ns, &mut wishes, &mut progress)
                .await;
        }
        Ok((self.interrupted, target))
    }

    /// Waits until what faults have changed is as it was found.
    async fn end_faults(
        &mut self,
        mut faults: Running,
        (asks, target): (&mut mpsc::Receiver<Ask>, &mut Target),
        wishes: &mut Wishes,
        progress: &mut Progress,
        tick: &mut tokio::time::Interval,
    ) {
        let left = faults.left();
        if !left.is_empty() {
            say("the load has ended; putting back what faults have changed");
        }
        let ended = faults.end();
        tokio::pin!(ended);
        loop {
            tokio::select! {
                () = &mut ended => return,
                Some(ask) = asks.recv() => obey(target, ask, &self.recorder),
                wish = wishes.next() => self.grant_with(wish, &left),
                _ = tick.tick() => progress.faults(&self.recorder),
            }
        }
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
        let (plan, recorder) = (self.plan.clone(), self.recorder.clone());
        let (cancel, hand) = (self.cancel.clone(), self.hand.clone());
        Ok(tokio::task::spawn_blocking(move || {
            load::run(&plan, &address, &options, &recorder, &cancel, &hand)
        }))
    }

    /// Waits until every exchange has its trace, or the plan's deadline, which does not run while a source that holds
    /// everything is still being read.
    async fn drain(
        &mut self,
        sources: &Sources,
        wishes: &mut Wishes,
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
                wish = wishes.next() => self.grant(wish, None),
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

    fn settle_ns(&self) -> u64 {
        let settle = self.plan.cluster.as_ref().map(|cluster| cluster.settle);
        u64::try_from(settle.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Watches the cluster on, as long as the plan wants, and until the pods that are ending have said their last words.
    /// Somebody's signal ends it.
    async fn settle(
        &mut self,
        cluster: &Cluster,
        settled_ns: u64,
        wishes: &mut Wishes,
        progress: &mut Progress,
    ) {
        let recorder = self.recorder.clone();
        let mut look = tokio::time::interval(Duration::from_millis(200));
        while !self.interrupted && recorder.live().failure().is_none() {
            let left_ns = settled_ns.saturating_sub(recorder.clock().now_ns());
            let ending = cluster.ending();
            if left_ns == 0 && ending.is_empty() {
                break;
            }
            tokio::select! {
                wish = wishes.next() => self.grant(wish, None),
                _ = look.tick() => progress.settle(&recorder, Duration::from_nanos(left_ns), &ending),
            }
        }
        progress.end();
    }

    fn grant(&mut self, wish: Wish, faults: Option<&Running>) {
        let left = faults.map(Running::left).unwrap_or_default();
        self.grant_with(wish, &left);
    }

    /// The first wish that the run ends ends the load and keeps the books; the second ends the process at once.
    fn grant_with(&mut self, wish: Wish, left: &[String]) {
        match wish {
            Wish::Stop(signal) => self.interrupt(signal, left),
            Wish::Gone if self.interrupted => {}
            Wish::Gone => self.interrupt("the end of stdin", left),
            Wish::Users(by) => match self.hand.change(by, &self.recorder) {
                Ok(1) => say("1 user from now on"),
                Ok(users) => say(&format!("{users} users from now on")),
                Err(why) => say(&format!("the users stay as they are: {why}")),
            },
        }
    }

    /// `left` is what has to be done by hand if the process ends now.
    fn interrupt(&mut self, signal: &'static str, left: &[String]) {
        if self.interrupted {
            terminal::release();
            say("stopped at once; `verifier judge` reads what was recorded");
            for by_hand in left {
                say(&format!("a fault was not undone: {by_hand}"));
            }
            std::process::exit(130);
        }
        self.interrupted = true;
        say(&format!(
            "{signal}: stopping the load, then judging what was seen (again to stop at once)"
        ));
        self.recorder.observe(Observation::Interrupted {
            signal: signal.to_owned(),
        });
        self.cancel.cancel();
    }
}

/// Answers a fault that asks for replicas started here.
fn obey(target: &mut Target, ask: Ask, recorder: &Recorder) {
    match ask {
        // Whoever asked and is gone needs no answer.
        Ask::Serving(answer) => drop(answer.send(target.serving())),
        Ask::Signal {
            pid,
            signal,
            answer,
        } => drop(answer.send(target.signal(pid, signal, recorder))),
    }
}
