//! Folders that are not all the shards of one run: refused, with what is wrong.

use super::{Deal, PathBuf, Run, TempDir, join, whole};
use std::fs;
use std::time::Duration;
use verifier::record::{Observation, Shard, merge};

const DEAL: Deal = Deal {
    count: 3,
    receiver: 0,
    later_ns: 0,
};

/// Spoils some of three shards, and gives what joining them says.
fn said(spoil: impl Fn(u16, &mut Run) -> bool) -> String {
    let folder = TempDir::new().unwrap();
    let mut folders = Vec::new();
    for index in 0..3 {
        let mut part = DEAL.part(&Run::of(60), index);
        if spoil(index, &mut part) {
            let path = folder.path().join(format!("shard-{index}"));
            folders.push(part.write_to(&path).path().to_owned());
        }
    }
    let out = folder.path().join("joined");
    let error = join(&folders, &out).unwrap_err();
    assert!(!out.join("journal.jsonl").exists(), "a run folder was left");
    format!("{error:#}")
}

fn set_shard(run: &mut Run, shard: Shard) {
    run.journal[0].observation = Observation::Shard(shard);
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said:?}");
    }
}

#[test]
fn a_missing_shard_is_named() {
    let said = said(|index, _| index != 1);
    assert_says(
        &said,
        &["of 3 shards, there is none with index 1", "--wait"],
    );
}

#[test]
fn a_shard_that_is_there_twice_is_named() {
    let said = said(|index, run| {
        if index == 2 {
            *run = DEAL.part(&Run::of(60), 1);
        }
        true
    });
    assert_says(&said, &["shard 1/3 is there twice", "shard-1", "shard-2"]);
}

#[test]
fn other_seeds_plans_counts_and_versions_are_other_runs() {
    let seed = said(|index, run| {
        if index == 1 {
            run.plan.seed = Some(8);
            run.key = verifier::record::RunKey::from_seed(8);
        }
        true
    });
    assert_says(
        &seed,
        &["not of one run", "different seeds", "shard-0", "shard-1"],
    );
    let plan = said(|index, run| {
        if index == 2 {
            run.plan.stages[0].duration = Duration::from_millis(61);
        }
        true
    });
    assert_says(&plan, &["plans differ at line", "61ms", "60ms", "shard-2"]);
    let count = said(|index, run| {
        if index == 2 {
            set_shard(run, Shard { index: 2, count: 4 });
        }
        true
    });
    assert_says(&count, &["one is shard 0/3, the other shard 2/4"]);
    let sources = said(|index, run| {
        if index == 1 {
            run.journal.push(verifier::record::Entry {
                at_ns: 0,
                observation: Observation::TraceSource {
                    number: 0,
                    name: "jaeger".into(),
                    place: String::new(),
                },
            });
        }
        true
    });
    assert_says(&sources, &["different sources"]);
}

#[test]
fn a_shard_that_was_killed_is_named() {
    let said = said(|index, run| {
        if index == 1 {
            run.journal.pop();
        }
        true
    });
    assert_says(&said, &["shard 1/3", "has not come to its end", "killed"]);
}

#[test]
fn what_is_no_shard_is_said() {
    let folder = TempDir::new().unwrap();
    let run = Run::of(20).write_to(&folder.path().join("run"));
    let out = folder.path().join("joined");
    let error = join(&[run.path().to_owned()], &out).unwrap_err();
    assert_says(&format!("{error:#}"), &["is no shard of a run"]);
    // Within a folder, other runs are passed over.
    let error = join(&[folder.path().to_owned()], &out).unwrap_err();
    assert_says(&format!("{error:#}"), &["no run folder of a shard"]);
    let error = join(&[folder.path().join("nowhere")], &out).unwrap_err();
    assert_says(&format!("{error:#}"), &["cannot read", "nowhere"]);
}

#[test]
fn a_number_of_another_shard_is_damage() {
    let said = said(|index, run| {
        if index == 1 {
            run.exchanges[3].seq += 1;
        }
        true
    });
    assert_says(
        &said,
        &["exchange of shard 1/3 has number", "another shard's"],
    );
}

#[test]
fn a_torn_row_file_and_a_parquet_that_is_none() {
    let folder = TempDir::new().unwrap();
    let folders = DEAL.write(&whole(), folder.path());
    fs::write(folders[0].join("spans.parquet"), b"PAR1").unwrap();
    let error = join(&folders, &folder.path().join("joined")).unwrap_err();
    assert_says(&format!("{error:#}"), &["shard-0", "spans.parquet"]);
}

/// The last shard comes to its end while the others are waited for.
#[test]
fn waiting_ends_when_the_last_shard_is_sealed() {
    let folder = TempDir::new().unwrap();
    let shards = folder.path().join("shards");
    let write = |index: u16| {
        let path = shards.join(format!("shard-{index}"));
        DEAL.part(&Run::of(60), index)
            .write_to(&path)
            .seal()
            .unwrap();
    };
    write(2);
    let mut told: Vec<String> = Vec::new();
    let mut missing = vec![0, 1];
    let out = folder.path().join("joined");
    let mut tell = |what: &str| {
        told.push(what.to_owned());
        if let Some(index) = missing.pop() {
            write(index);
        }
    };
    let paths: [PathBuf; 1] = [shards.clone()];
    merge::merge(&paths, &out, Some(Duration::from_secs(60)), &mut tell).unwrap();
    assert_eq!(
        told[0],
        "1 of 3 shards have come to their end; waiting for 0, 1 (not there yet: 0, 1)"
    );
    assert_eq!(
        told[1],
        "2 of 3 shards have come to their end; waiting for 0 (not there yet: 0)"
    );
    assert!(told[2].starts_with("joining 3 shards: "), "{told:?}");
}
