//! Users that a person adds and takes away while a stage runs: who works when, and what is recorded of it.

use super::http2::server::{Act, Http2Server};
use super::server::{Server, answer_ok};
use super::*;
use bytes::Bytes;

const STAGE: &str = "kind = 'users'\nusers_from = 2\nusers = 2\nwait = { constant = '5ms' }";

/// Waits until something has been seen of the load.
fn after(recorder: &Recorder, mut seen: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !seen() {
        assert!(Instant::now() < deadline, "waited 30 s in vain");
        assert_eq!(recorder.live().failure(), None);
        std::thread::yield_now();
    }
}

fn stage_runs(recorder: &Recorder) {
    after(recorder, || recorder.live().stage().is_some());
}

fn changes(recorded: &Recorded) -> Vec<(u64, u16, u32)> {
    let changes = recorded.journal.iter().filter_map(|e| match e.observation {
        Observation::UsersChanged { stage, users } => Some((e.at_ns, stage, users)),
        _ => None,
    });
    changes.collect()
}

/// Users whose requests were intended within the time.
fn users(recorded: &Recorded, from_ns: u64, to_ns: u64) -> BTreeSet<u32> {
    let rows = recorded.exchanges.iter();
    let rows = rows.filter(|row| (from_ns..to_ns).contains(&row.intended_ns));
    rows.map(|row| row.connection).collect()
}

/// Two users, then twelve, then two again: as a server and as the record has it.
fn two_twelve_two(plan: &Plan, url: &str, workers: usize, opened: impl Fn() -> usize + Sync) {
    let target = Target::resolve(url).unwrap();
    let cancel = CancellationToken::new();
    let recorded = drive_by_hand(plan, &target, workers, &cancel, |hand, recorder| {
        after(recorder, || opened() == 2);
        assert_eq!(hand.change(10, recorder), Ok(12));
        after(recorder, || opened() == 12);
        assert_eq!(hand.change(-10, recorder), Ok(2));
    });
    assert_all(&recorded.exchanges, Outcome::Ok);
    let changes = changes(&recorded);
    let (grown_ns, shrunk_ns) = (changes[0].0, changes[1].0);
    assert_eq!(changes, [(grown_ns, 0, 12), (shrunk_ns, 0, 2)]);
    assert_eq!(users(&recorded, 0, grown_ns), BTreeSet::from([0, 1]));
    assert_eq!(users(&recorded, grown_ns, u64::MAX), (0..12).collect());
    // A worker looks every few milliseconds.
    let later = users(&recorded, shrunk_ns + 100_000_000, u64::MAX);
    assert_eq!(later, BTreeSet::from([0, 1]));
    assert_eq!(opened(), 12, "whoever stays keeps his connection");
    let held = recorded.journal.iter().filter_map(|e| match e.observation {
        Observation::Worker { connections, .. } => Some(connections),
        _ => None,
    });
    assert_eq!(held.sum::<u32>(), 12);
}

#[test]
fn users_come_at_once_and_go_after_their_request() {
    let plan = plan(&format!("{STAGE}\nduration = '900ms'"));
    for workers in [1, 3] {
        let server = Server::start(answer_ok);
        two_twelve_two(&plan, &server.url, workers, || server.seen().1);
    }
}

#[test]
fn users_come_and_go_over_http2_as_well() {
    let mut plan = plan(&format!("{STAGE}\nduration = '900ms'"));
    plan.request.http = verifier::plan::Http::Two;
    for workers in [1, 3] {
        let server = Http2Server::start(|_| Act::Answer(200, Bytes::new()));
        two_twelve_two(&plan, &server.url(), workers, || server.opened());
    }
}

#[test]
fn users_who_are_taken_away_come_back_under_their_numbers() {
    let server = Server::start(answer_ok);
    let plan = plan(&format!("{STAGE}\nduration = '900ms'"));
    let target = Target::resolve(&server.url).unwrap();
    let cancel = CancellationToken::new();
    let opened = || server.seen().1;
    let recorded = drive_by_hand(&plan, &target, 2, &cancel, |hand, recorder| {
        after(recorder, || opened() == 2);
        assert_eq!(hand.change(-10, recorder), Ok(0));
        assert!(hand.change(-1, recorder).is_err(), "there is nobody left");
        let requests = || server.seen().0.len();
        let mut last = (requests(), Instant::now());
        after(recorder, || {
            if requests() != last.0 {
                last = (requests(), Instant::now());
            }
            last.1.elapsed() > Duration::from_millis(100)
        });
        assert_eq!(hand.change(1, recorder), Ok(1));
    });
    assert_all(&recorded.exchanges, Outcome::Ok);
    let back_ns = changes(&recorded)[1].0;
    assert_eq!(users(&recorded, back_ns, u64::MAX), BTreeSet::from([0]));
    assert_eq!(opened(), 3, "who came back has a new connection");
}

#[test]
fn a_ramp_ends_where_a_hand_takes_it_over() {
    let server = Server::start(answer_ok);
    let stage = "kind = 'users'\nusers = 40\nspawn_rate = 20\nwait = { constant = '5ms' }\nduration = '900ms'";
    let target = Target::resolve(&server.url).unwrap();
    let cancel = CancellationToken::new();
    let recorded = drive_by_hand(&plan(stage), &target, 2, &cancel, |hand, recorder| {
        after(recorder, || server.seen().1 >= 4);
        let users = hand.change(1, recorder).unwrap();
        assert!((5..20).contains(&users), "{users}");
    });
    assert_all(&recorded.exchanges, Outcome::Ok);
    let (at_ns, _, now) = changes(&recorded)[0];
    let later = users(&recorded, at_ns + 100_000_000, u64::MAX);
    assert_eq!(later, (0..now).collect());
}

#[test]
fn only_users_can_be_changed_and_only_while_they_work() {
    let server = Server::start(answer_ok);
    let target = Target::resolve(&server.url).unwrap();
    let cancel = CancellationToken::new();
    let mut why = Vec::new();
    let words = [
        "no stage runs",
        "one is a stage of connections, not of users",
    ];
    let load = connections(3, "200ms");
    let recorded = drive_by_hand(&load, &target, 1, &cancel, |hand, recorder| {
        why.extend(hand.change(1, recorder).err());
        stage_runs(recorder);
        after(recorder, || {
            why.extend(hand.change(1, recorder).err());
            why.last().is_some_and(|why| why.contains("connections"))
        });
    });
    // Whether the stage has begun when the first change is asked for is the machine's choice.
    assert!(
        why.iter().all(|why| words.contains(&why.as_str())),
        "{why:?}"
    );
    assert_eq!(why.last().unwrap(), words[1]);
    assert_eq!(changes(&recorded), []);
}
