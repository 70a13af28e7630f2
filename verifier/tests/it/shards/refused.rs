//! What can not be a shard is said before anything is sent.

use super::{TempDir, free_port, shard, text, verifier};
use std::process::Output;

/// Shard 0 of 3 with these arguments, against a target that need not be there.
fn run(args: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let output = shard(folder.path(), 0, free_port(), "http://127.0.0.1:9", args).output();
    output.unwrap()
}

#[track_caller]
fn assert_refused(output: &Output, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(2), "{}", text(output));
    for part in parts {
        assert!(
            text(output).contains(part),
            "no {part:?} in {}",
            text(output)
        );
    }
}

#[test]
fn shards_without_a_common_seed_are_no_run() {
    assert_refused(
        &run(&["quick"]),
        &["--shard needs --seed", "the same for all 3 shards"],
    );
}

#[test]
fn a_search_is_not_dealt() {
    let output = run(&["saturate", "--seed", "1"]);
    assert_refused(&output, &["[search]", "can not be dealt to shards"]);
}

#[test]
fn an_absent_shard_is_named() {
    let port = free_port();
    let folder = TempDir::new().unwrap();
    let peers = format!("127.0.1.{{}}:{port}");
    let args = [
        "quick",
        "--seed",
        "1",
        "--shard-peers",
        &peers,
        "--shard-wait",
        "300ms",
    ];
    let output = shard(folder.path(), 0, port, "http://127.0.0.1:9", &args)
        .output()
        .unwrap();
    let absent = [1, 2].map(|index| format!("127.0.1.{index}:{port}"));
    assert_refused(
        &output,
        &["not all shards are there", "300ms", &absent[0], &absent[1]],
    );
}

#[test]
fn words_that_are_wrong() {
    assert_refused(
        &verifier(&["run", "--shard", "3/3"]),
        &["last of 3 shards is 2/3"],
    );
    let peers = ["run", "--shard-peers", "a-{}:1"];
    assert_refused(&verifier(&peers), &["--shard <INDEX/COUNT>"]);
    let no_index = ["run", "--shard", "0/2", "--shard-peers", "a:1"];
    assert_refused(&verifier(&no_index), &["has no {} in it"]);
    assert_refused(
        &verifier(&["run", "--shard", "0/2", "--seed", "1"]),
        &["--shard needs --url"],
    );
}
