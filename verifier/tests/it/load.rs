//! The load engine against scripted servers: whatever a server does, each planned request ends in
//! exactly one row with the right outcome, and the stage ends.

mod addresses;
mod answers;
mod bad_servers;
mod endings;
mod http2;
mod https;
mod limits;
mod reuse;
mod server;
mod shapes;
mod shards;
mod tasks;
mod users_by_hand;

use server::{Server, answer_ok};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use verifier::plan::Plan;
use verifier::record::{
    Clock, Exchange, Observation, Outcome, Recorded, Recorder, Recording, RunFolder, RunKey,
};
use verifier::run::load::{self, Hand, Options, Target};

/// A plan of one stage, with a short request timeout.
fn plan(stage: &str) -> Plan {
    let text =
        format!("name = 'test'\n[request]\ntimeout = '300ms'\n[[stage]]\nname = 'one'\n{stage}\n");
    Plan::parse(&text, "test").unwrap()
}

fn connections(count: u32, duration: &str) -> Plan {
    plan(&format!(
        "kind = 'connections'\nconnections = {count}\nduration = '{duration}'"
    ))
}

/// Drives the plan at the URL and reads back what was recorded. The books must balance.
fn drive(plan: &Plan, url: &str, workers: usize, cancel: &CancellationToken) -> Recorded {
    drive_target(plan, &Target::resolve(url).unwrap(), workers, cancel)
}

fn drive_target(
    plan: &Plan,
    target: &Target,
    workers: usize,
    cancel: &CancellationToken,
) -> Recorded {
    drive_by_hand(plan, target, workers, cancel, |_, _| {})
}

/// The same, with somebody who changes the users meanwhile.
fn drive_by_hand(
    plan: &Plan,
    target: &Target,
    workers: usize,
    cancel: &CancellationToken,
    person: impl FnOnce(&Hand, &Recorder) + Send,
) -> Recorded {
    let folder = TempDir::new().unwrap();
    let folder = RunFolder::create(folder.path()).unwrap();
    let key = RunKey::from_seed(1);
    let recording = Recording::start(&folder, Clock::start(), key, &[]).unwrap();
    let recorder = recording.recorder();
    recorder.observe(Observation::RunStarted {
        run_id: "test".into(),
        run_key: key.to_string(),
        origin_unix_ns: recorder.clock().origin_unix_ns(),
        verifier_version: String::new(),
        host: Default::default(),
    });
    let hand = Hand::default();
    let options = Options { workers, seed: 1 };
    std::thread::scope(|scope| {
        scope.spawn(|| person(&hand, &recorder));
        load::run(plan, target, &options, &recorder, cancel, &hand).unwrap();
    });
    recording.stop().unwrap();
    let recorded = folder.read().unwrap();
    let planned: u64 = recorded
        .journal
        .iter()
        .filter_map(|e| {
            if let Observation::StageEnded { planned, .. } = e.observation {
                Some(planned)
            } else {
                None
            }
        })
        .sum();
    assert_eq!(
        planned,
        recorded.exchanges.len() as u64,
        "requests planned, rows recorded"
    );
    let numbers: BTreeSet<u64> = recorded.exchanges.iter().map(|e| e.seq).collect();
    assert_eq!(
        numbers.len(),
        recorded.exchanges.len(),
        "a request has two rows"
    );
    recorded
}

fn run(plan: &Plan, url: &str) -> Vec<Exchange> {
    drive(plan, url, 1, &CancellationToken::new()).exchanges
}

fn outcomes(rows: &[Exchange]) -> BTreeMap<Outcome, usize> {
    let mut counts = BTreeMap::new();
    rows.iter()
        .for_each(|row| *counts.entry(row.outcome).or_default() += 1);
    counts
}

/// Every row has this outcome, and there is at least one.
fn assert_all(rows: &[Exchange], outcome: Outcome) {
    assert!(!rows.is_empty());
    assert!(
        rows.iter().all(|row| row.outcome == outcome),
        "{:?}",
        outcomes(rows)
    );
}

#[test]
fn each_request_has_its_row_and_its_own_trace() {
    for workers in [1, 3] {
        let server = Server::start(answer_ok);
        let recorded = drive(
            &connections(7, "300ms"),
            &server.url,
            workers,
            &CancellationToken::new(),
        );
        assert_all(&recorded.exchanges, Outcome::Ok);
        let sent: BTreeSet<String> = recorded
            .exchanges
            .iter()
            .map(|row| String::from_utf8(recorded.key.traceparent(row.seq).to_vec()).unwrap())
            .collect();
        let (requests, opened) = server.seen();
        assert_eq!(requests.len(), recorded.exchanges.len());
        assert_eq!(requests.into_iter().collect::<BTreeSet<_>>(), sent);
        assert_eq!(opened, 7, "connections");
        for row in &recorded.exchanges {
            assert!(
                row.intended_ns <= row.sent_ns
                    && row.sent_ns <= row.first_byte_ns
                    && row.first_byte_ns <= row.done_ns,
                "{row:?}"
            );
            assert_eq!(row.status, 200);
        }
        let connections: BTreeSet<u32> = recorded
            .exchanges
            .iter()
            .map(|row| row.connection)
            .collect();
        assert_eq!(connections, (0..7).collect());
    }
}

#[test]
fn answers_of_every_framing_are_whole() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n"[..],
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let server = Server::start(move |stream, _| stream.write_all(answer).is_ok());
        let rows = run(&connections(2, "100ms"), &server.url);
        assert_all(&rows, Outcome::Ok);
        assert!(
            rows.iter().all(|row| row.bytes as usize == answer.len()),
            "{:?}",
            rows[0]
        );
        assert_eq!(server.seen().1, 2, "the connections are kept");
    }
}

#[test]
fn one_byte_at_a_time_is_an_answer() {
    let server = Server::start(|stream, _| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
            .iter()
            .all(|byte| stream.write_all(&[*byte]).is_ok())
    });
    assert_all(&run(&connections(2, "100ms"), &server.url), Outcome::Ok);
}

#[test]
fn a_connection_that_the_server_closes_is_opened_again() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"[..],
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}surplus",
    ] {
        let server = Server::start(move |stream, _| {
            let _ = stream.write_all(answer);
            false
        });
        let rows = run(&connections(2, "100ms"), &server.url);
        assert_all(&rows, Outcome::Ok);
        let (requests, opened) = server.seen();
        assert_eq!(
            opened,
            requests.len(),
            "each request needs a connection of its own"
        );
        assert!(rows.iter().all(|row| row.connected_ns != 0));
    }
}

#[test]
fn what_is_no_whole_answer_is_a_reset() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ] {
        let server = Server::start(move |stream, _| {
            let _ = stream.write_all(answer);
            false
        });
        assert_all(&run(&connections(2, "100ms"), &server.url), Outcome::Reset);
    }
}

#[test]
fn an_endless_head_ends_as_a_reset() {
    let server = Server::start(|stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream
            .write_all(&b"x-filler: 0123456789\r\n".repeat(100))
            .is_ok()
        {}
        false
    });
    assert_all(&run(&connections(1, "100ms"), &server.url), Outcome::Reset);
}

#[test]
fn errors_of_the_server_are_rows_with_their_status() {
    let server = Server::start(|stream, number| {
        let status: &[u8] = if number % 2 == 0 {
            b"HTTP/1.1 200 OK"
        } else {
            b"HTTP/1.1 503 Busy"
        };
        stream
            .write_all(&[status, b"\r\ncontent-length: 0\r\n\r\n"].concat())
            .is_ok()
    });
    let rows = run(&connections(2, "200ms"), &server.url);
    let counts = outcomes(&rows);
    assert_eq!(
        counts.keys().copied().collect::<Vec<_>>(),
        [Outcome::Ok, Outcome::HttpError]
    );
    assert!(
        rows.iter()
            .all(|row| (row.status == 503) == (row.outcome == Outcome::HttpError))
    );
}

#[test]
fn a_server_that_never_answers_gives_timeouts_and_the_stage_ends() {
    for answer in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"] {
        let server = Server::start(move |stream, _| stream.write_all(answer).is_ok());
        let begun = Instant::now();
        let rows = run(&connections(3, "500ms"), &server.url);
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_all(&rows, Outcome::Timeout);
        assert!(rows.len() >= 6, "{}", rows.len());
        assert!(
            rows.iter()
                .all(|row| row.done_ns - row.sent_ns >= 300_000_000),
            "{rows:?}"
        );
    }
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_request_s() {
    // The first answer of each connection comes after its timeout; the second would be at once.
    let server = Server::start(|stream, number| {
        if number == 0 {
            std::thread::sleep(Duration::from_millis(450));
        }
        answer_ok(stream, number)
    });
    let rows = run(&connections(1, "800ms"), &server.url);
    assert_eq!(
        outcomes(&rows).keys().copied().collect::<Vec<_>>(),
        [Outcome::Timeout],
        "{rows:?}"
    );
}

#[test]
fn nobody_listening_ends_within_seconds_with_rows() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for stage in [
        "kind = 'connections'\nconnections = 4",
        "kind = 'rate'\nrate = 50",
        "kind = 'users'\nusers = 4",
    ] {
        let begun = Instant::now();
        let plan = plan(&format!("{stage}\nduration = '60s'"));
        let recorded = drive(
            &plan,
            &format!("http://127.0.0.1:{port}"),
            2,
            &CancellationToken::new(),
        );
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{:?}",
            begun.elapsed()
        );
        let failed = recorded
            .journal
            .iter()
            .any(|e| matches!(e.observation, Observation::TargetFailed { .. }));
        assert!(failed, "the journal does not say so");
        let counts = outcomes(&recorded.exchanges);
        assert!(counts[&Outcome::ConnectError] > 0, "{counts:?}");
        assert!(
            counts
                .keys()
                .all(|o| matches!(o, Outcome::ConnectError | Outcome::Unsent)),
            "{counts:?}"
        );
        assert!(
            recorded.exchanges.len() < 5000,
            "no back-off: {} rows",
            recorded.exchanges.len()
        );
    }
}

#[test]
fn an_open_loop_plans_exactly_its_rate_and_counts_the_queue_as_latency() {
    let server = Server::start(|stream, number| {
        std::thread::sleep(Duration::from_millis(20));
        answer_ok(stream, number)
    });
    // One connection carries 50 a second; 100 a second are wanted for half a second.
    let rows = run(
        &plan("kind = 'rate'\nrate = 100\nconnections = 1\nduration = '500ms'"),
        &server.url,
    );
    assert_eq!(rows.len(), 50);
    let counts = outcomes(&rows);
    assert!(
        counts
            .keys()
            .all(|o| matches!(o, Outcome::Ok | Outcome::Unsent)),
        "{counts:?}"
    );
    let ok: Vec<_> = rows.iter().filter(|r| r.outcome == Outcome::Ok).collect();
    let last = ok.iter().max_by_key(|r| r.intended_ns).unwrap();
    assert!(
        last.latency_ns() > 2 * last.service_time_ns(),
        "the wait for a connection is missing: {last:?}"
    );
    let mut intended: Vec<u64> = rows.iter().map(|row| row.intended_ns).collect();
    intended.sort_unstable();
    assert!(
        intended
            .windows(2)
            .all(|pair| pair[1] - pair[0] == 10_000_000),
        "not evenly spaced: {intended:?}"
    );
}

#[test]
fn users_are_spawned_and_wait() {
    let server = Server::start(answer_ok);
    let stage = "kind = 'users'\nusers = 10\nspawn_rate = 50\nwait = { constant = '40ms' }\nduration = '600ms'";
    let rows = run(&plan(stage), &server.url);
    assert_all(&rows, Outcome::Ok);
    let mut first: BTreeMap<u32, u64> = BTreeMap::new();
    rows.iter().for_each(|row| {
        let at = first.entry(row.connection).or_insert(row.intended_ns);
        *at = (*at).min(row.intended_ns);
    });
    let first: Vec<u64> = first.into_values().collect();
    assert_eq!(first.len(), 10);
    assert!(
        first.windows(2).all(|pair| pair[1] - pair[0] == 20_000_000),
        "{first:?}"
    );
    assert!(
        rows.len() <= 10 * 16,
        "users do not wait: {} rows",
        rows.len()
    );
}

#[test]
fn a_connection_closed_while_its_user_waits_costs_no_request() {
    let server = Server::start(|stream, number| {
        answer_ok(stream, number);
        false
    });
    let stage = "kind = 'users'\nusers = 3\nwait = { constant = '50ms' }\nduration = '300ms'";
    assert_all(&run(&plan(stage), &server.url), Outcome::Ok);
}

#[test]
fn cancelled_it_ends_soon_and_what_was_planned_has_its_rows() {
    let server = Server::start(|stream, number| number > 20 || answer_ok(stream, number));
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let begun = Instant::now();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        stop.cancel();
    });
    let recorded = drive(&connections(3, "60s"), &server.url, 2, &cancel);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let counts = outcomes(&recorded.exchanges);
    assert!(
        counts
            .keys()
            .all(|o| matches!(o, Outcome::Ok | Outcome::Timeout)),
        "{counts:?}"
    );
}
