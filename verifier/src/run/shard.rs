//! What a run that is one shard of several needs beside its plan, and what it can not be.

use super::barrier::{self, Peers};
use super::terminal::say;
use super::traces::Source;
use crate::plan::Plan;
use crate::record::{Observation, Recorder, Shard};
use anyhow::{Result, ensure};
use std::time::Duration;

/// Which shard, and how it waits for the others.
#[derive(Clone, Debug)]
pub struct ShardSetup {
    /// Which one this is; `None`: nobody spoke of shards.
    pub shard: Option<Shard>,
    /// Where the others' trace receivers are; `None`: the load begins at once.
    pub peers: Option<Peers>,
    /// How long to wait for them.
    pub wait: Duration,
}

impl Default for ShardSetup {
    fn default() -> ShardSetup {
        ShardSetup {
            shard: None,
            peers: None,
            wait: Duration::from_secs(120),
        }
    }
}

impl ShardSetup {
    /// Which part of the plan this is.
    pub(super) fn part(&self) -> Shard {
        self.shard.unwrap_or(Shard::WHOLE)
    }

    /// The plan as this process follows it: of several shards the first alone watches the cluster and breaks things.
    pub(super) fn own(&self, plan: &Plan) -> Plan {
        let mut own = plan.clone();
        if self.part().index > 0 {
            own.cluster = None;
            own.faults.clear();
        }
        own
    }

    /// Says what is wrong before anything is started.
    ///
    /// # Errors
    /// When the plan can not be dealt to shards, or they would not be one run.
    pub(super) fn check_plan(&self, plan: &Plan) -> Result<()> {
        let Some(shard) = self.shard else {
            return Ok(());
        };
        ensure!(
            plan.search.is_none(),
            "a plan with a [search] can not be dealt to shards: the rate of each probe depends on the answers to the one before. Probe with one verifier, or write the rates as [[stage]]"
        );
        ensure!(
            plan.seed.is_some(),
            "--shard needs --seed NUMBER, the same for all {} shards (or `seed = NUMBER` in the plan): it makes them one run, with one set of trace ids",
            shard.count
        );
        Ok(())
    }

    /// The same, once the target and the sources of traces are known.
    ///
    /// # Errors
    /// When the shards would not load one target, or could not find each other.
    pub(super) fn check(&self, url: Option<&str>, sources: &[Source]) -> Result<()> {
        ensure!(
            self.shard.is_none() || url.is_some(),
            "--shard needs --url: all shards load the same target"
        );
        ensure!(
            self.peers.is_none() || sources.contains(&Source::Otlp),
            "--shard-peers needs the verifier's own trace receiver, which the others wait for: add --traces otlp, or leave it out"
        );
        Ok(())
    }

    /// Says in the journal, and to whoever looks on, which part of the plan this is.
    pub(super) fn tell(&self, plan: &Plan, recorder: &Recorder) {
        let Some(shard) = self.shard else {
            return;
        };
        recorder.observe(Observation::Shard(shard));
        for stage in &plan.stages {
            let all = u64::from(stage.load.connections());
            if shard.share(all) == 0 {
                say(&format!(
                    "shard {shard}: stage {} has {all} connections, none for this shard: it sits out",
                    stage.name
                ));
            }
        }
    }

    /// Waits for the others, if it is known where they are.
    pub(super) async fn wait(&self, recorder: &Recorder) -> Result<()> {
        match &self.peers {
            Some(peers) => barrier::pass(peers, self.part(), self.wait, recorder).await,
            None => Ok(()),
        }
    }

    /// Spans of others' requests come to this shard's receiver as long as it is there, so that its own being complete
    /// says nothing: it is there for as long as the plan says.
    pub(super) fn drains_to_the_end(&self, sources: &[Source]) -> bool {
        self.part().is_part() && sources.contains(&Source::Otlp)
    }
}
