//! The load of one shard of several: its share, its numbers, its patience.

use super::server::{Server, answer_ok};
use super::*;
use verifier::record::Shard;

/// Drives one shard's part of the plan.
fn drive_shard(plan: &Plan, url: &str, shard: Shard, workers: usize) -> Recorded {
    let folder = TempDir::new().unwrap();
    let folder = RunFolder::create(folder.path()).unwrap();
    let (clock, key) = (Clock::start(), RunKey::from_seed(1));
    let recording = Recording::start_shard(&folder, clock, key, shard, &[]).unwrap();
    let recorder = recording.recorder();
    recorder.observe(Observation::RunStarted {
        run_id: "test".into(),
        run_key: key.to_string(),
        origin_unix_ns: 0,
        verifier_version: String::new(),
        host: Default::default(),
    });
    let target = Target::resolve(url).unwrap();
    let options = Options { workers, seed: 1 };
    load::run(
        plan,
        &target,
        &options,
        &recorder,
        &CancellationToken::new(),
        &Hand::default(),
    )
    .unwrap();
    recording.stop().unwrap();
    folder.read().unwrap()
}

#[test]
fn shards_have_the_plans_requests_between_them() {
    let server = Server::start(answer_ok);
    let plan = plan("kind = 'rate'\nrate = 200\nconnections = 5\nduration = '500ms'");
    let mut numbers = BTreeSet::new();
    let mut rows = 0;
    for (index, workers) in [(0, 1), (1, 3), (2, 2)] {
        let shard = Shard { index, count: 3 };
        let recorded = drive_shard(&plan, &server.url, shard, workers);
        assert_all(&recorded.exchanges, Outcome::Ok);
        assert!(recorded.exchanges.iter().all(|e| shard.holds(e.seq)));
        rows += recorded.exchanges.len();
        numbers.extend(recorded.exchanges.iter().map(|e| e.seq));
    }
    assert_eq!((rows, numbers.len()), (100, 100));
    assert_eq!(server.seen().1, 5, "connections");
}

/// Longer than a target that nobody answers at is waited for: what was not tried has not failed.
#[test]
fn a_shard_without_a_connection_sits_the_stage_out() {
    let server = Server::start(answer_ok);
    let text = "name = 'test'
        [[stage]]\nname = 'others'\nkind = 'connections'\nconnections = 1\nduration = '3100ms'
        [[stage]]\nname = 'all'\nkind = 'connections'\nconnections = 2\nduration = '200ms'\n";
    let plan = Plan::parse(text, "test").unwrap();
    let recorded = drive_shard(&plan, &server.url, Shard { index: 1, count: 2 }, 2);
    assert_all(&recorded.exchanges, Outcome::Ok);
    assert!(recorded.exchanges.iter().all(|e| e.stage == 1));
    let started = |stage: u16| {
        let started = |o: &Observation| *o == Observation::StageStarted { stage };
        let entry = recorded.journal.iter().find(|e| started(&e.observation));
        entry.unwrap().at_ns
    };
    assert!(
        started(1) - started(0) >= 3_100_000_000,
        "the others' stage was cut short"
    );
    let planned: Vec<u64> = recorded
        .journal
        .iter()
        .filter_map(|e| match e.observation {
            Observation::StageEnded { planned, .. } => Some(planned),
            _ => None,
        })
        .collect();
    assert_eq!(planned, [0, recorded.exchanges.len() as u64]);
}
