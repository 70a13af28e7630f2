//! One shard's run folder, as far as its journal tells; and whether several are all the shards of one run.

use crate::record::{Dictionary, Entry, Host, Observation, RunFolder, RunKey, Shard};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::Path;

/// A shard.
pub(super) struct Part {
    pub(super) folder: RunFolder,
    pub(super) shard: Shard,
    pub(super) run_id: String,
    pub(super) key: RunKey,
    pub(super) origin_unix_ns: u64,
    pub(super) version: String,
    pub(super) host: Host,
    pub(super) journal: Vec<Entry>,
    pub(super) dictionary: Dictionary,
}

impl Part {
    /// Reads a shard's journal.
    ///
    /// # Errors
    /// When it is no shard, has not come to its end, or its journal is damaged.
    pub(super) fn read(path: &Path) -> Result<Part> {
        let folder = RunFolder::open(path)?;
        let recorded = folder.read_journal()?;
        let shown = path.display();
        let observations = || recorded.journal.iter().map(|entry| &entry.observation);
        let shard = observations().find_map(|o| match o {
            Observation::Shard(shard) => Some(*shard),
            _ => None,
        });
        let shard = shard.with_context(|| {
            format!("{shown} is no shard of a run: it was made without `verifier run --shard`")
        })?;
        ensure!(
            observations().any(|o| *o == Observation::RunEnded),
            "shard {shard} in {shown} has not come to its end: it was killed, or still runs (--wait 10m waits for it)"
        );
        let (run_id, version, host) = observations()
            .find_map(|o| match o {
                Observation::RunStarted {
                    run_id,
                    verifier_version,
                    host,
                    ..
                } => Some((run_id.clone(), verifier_version.clone(), host.clone())),
                _ => None,
            })
            .unwrap_or_default();
        Ok(Part {
            shard,
            run_id,
            key: recorded.key,
            origin_unix_ns: recorded.origin_unix_ns,
            version,
            host,
            journal: recorded.journal,
            dictionary: recorded.dictionary,
            folder,
        })
    }

    pub(super) fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.journal.iter().map(|entry| &entry.observation)
    }

    /// Its sources of traces.
    pub(super) fn sources(&self) -> Vec<(u8, String)> {
        crate::record::sources(&self.journal)
    }

    fn path(&self) -> std::path::Display<'_> {
        self.folder.path().display()
    }
}

/// All shards of one run, in order; what is wrong, for a person, where they are not.
///
/// # Errors
/// When one is missing or there twice, or they are not of one run.
pub(super) fn all_of_one_run(mut parts: Vec<Part>) -> Result<Vec<Part>> {
    parts.sort_by_key(|part| part.shard.index);
    let first = parts.first().context("there is no shard to join")?;
    for part in &parts[1..] {
        same_run(first, part)?;
    }
    for pair in parts.windows(2) {
        ensure!(
            pair[0].shard != pair[1].shard,
            "shard {} is there twice, in {} and in {}: leave out the one that is not of this run. Where a shard was started again, its first attempt's requests bear the same trace ids, and the run has to be repeated as a whole",
            pair[0].shard,
            pair[0].path(),
            pair[1].path()
        );
    }
    let is_there = |index: &u16| parts.iter().any(|part| part.shard.index == *index);
    let missing = (0..first.shard.count).filter(|index| !is_there(index));
    let missing: Vec<String> = missing.map(|index| index.to_string()).collect();
    ensure!(
        missing.is_empty(),
        "of {} shards, there is none with index {}: name its run folder, too, or wait for it with --wait 10m",
        first.shard.count,
        missing.join(", ")
    );
    Ok(parts)
}

/// Two shards have the same count, seed, plan, verifier and sources of traces.
fn same_run(a: &Part, b: &Part) -> Result<()> {
    let both = || format!("{} and {} are not of one run", a.path(), b.path());
    ensure!(
        a.shard.count == b.shard.count,
        "{}: one is shard {}, the other shard {}",
        both(),
        a.shard,
        b.shard
    );
    ensure!(
        a.key == b.key,
        "{}: they were run with different seeds (--seed), so that their trace ids differ",
        both()
    );
    ensure!(
        a.version == b.version,
        "{}: one was recorded by verifier {}, the other by {}",
        both(),
        a.version,
        b.version
    );
    same_plan(a, b).with_context(both)?;
    ensure!(
        a.sources() == b.sources(),
        "{}: they read traces from different sources (--traces)",
        both()
    );
    Ok(())
}

fn same_plan(a: &Part, b: &Part) -> Result<()> {
    let read = |part: &Part| {
        let path = part.folder.plan();
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (a, b) = (read(a)?, read(b)?);
    if a == b {
        return Ok(());
    }
    let (mut a, mut b, mut line) = (a.lines(), b.lines(), 1);
    loop {
        match (a.next(), b.next()) {
            (None, None) => bail!("their plans differ in how their lines end"),
            (a, b) if a == b => line += 1,
            (a, b) => bail!(
                "their plans differ at line {line} of plan.toml: {:?} and {:?}",
                a.unwrap_or(""),
                b.unwrap_or("")
            ),
        }
    }
}
