//! The load engine at its limits: more workers than connections, addresses that do not answer, servers
//! that send too much, too early or nothing, and stops in the middle.

use super::server::{Server, answer_ok};
use super::*;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn read_head(stream: &mut std::net::TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
        head.push(byte[0]);
    }
}

fn opened(recorded: &Recorded) -> u32 {
    let opened = |observation: &Observation| match observation {
        Observation::Worker { opened, .. } => *opened,
        _ => 0,
    };
    recorded
        .journal
        .iter()
        .map(|e| opened(&e.observation))
        .sum()
}

#[test]
fn more_workers_than_connections_lose_no_request() {
    for stage in [
        "kind = 'rate'\nrate = 100\nconnections = 2",
        "kind = 'connections'\nconnections = 2",
        "kind = 'users'\nusers = 2\nspawn_rate = 100\nwait = { constant = '10ms' }",
    ] {
        let server = Server::start(answer_ok);
        let plan = plan(&format!("{stage}\nduration = '300ms'"));
        let recorded = drive(&plan, &server.url, 5, &CancellationToken::new());
        assert_all(&recorded.exchanges, Outcome::Ok);
        assert_eq!(opened(&recorded), 2);
        if stage.contains("'rate'") {
            assert_eq!(recorded.exchanges.len(), 30);
        }
    }
}

#[test]
fn an_address_where_nobody_listens_costs_no_request() {
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = Server::start(answer_ok);
    let alive = server.address();
    for addresses in [vec![dead, alive], vec![alive, dead]] {
        let target = Target {
            addresses,
            host: "two.addresses".into(),
            tls: None,
        };
        for stage in [
            "kind = 'connections'\nconnections = 4",
            "kind = 'rate'\nrate = 50\nconnections = 4",
        ] {
            let plan = plan(&format!("{stage}\nduration = '200ms'"));
            let recorded = drive_target(&plan, &target, 2, &CancellationToken::new());
            assert_all(&recorded.exchanges, Outcome::Ok);
            assert_eq!(opened(&recorded), 4);
        }
    }
}

#[test]
fn a_body_without_end_is_a_timeout_and_starves_nobody() {
    let server = Server::raw(|mut stream| {
        let first = stream.set_nodelay(true).is_ok();
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while first && stream.write_all(&[b'x'; 1 << 18]).is_ok() {}
    });
    let begun = Instant::now();
    let rows = run(&connections(2, "500ms"), &server.url);
    assert_all(&rows, Outcome::Timeout);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(server.seen().1 >= 2);
    let connections: BTreeSet<u32> = rows.iter().map(|row| row.connection).collect();
    assert_eq!(connections.len(), 2, "one connection had all the turns");
}

#[test]
fn the_end_of_a_long_body_is_not_missed() {
    // More than a turn's reads may be there when the end is: who forgets it waits for the timeout. The first part
    // makes the kernel's windows large, so that the last one comes all at once, on all connections.
    let (first, last) = (vec![b'x'; 12 << 20], vec![b'x'; 4 << 20]);
    let server = Server::start(move |stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        let _ = stream.write_all(&first);
        std::thread::sleep(Duration::from_millis(150));
        let _ = stream.write_all(&last);
        false
    });
    let mut plan = connections(16, "100ms");
    plan.request.timeout = Duration::from_secs(5);
    assert_all(&run(&plan, &server.url), Outcome::Ok);
}

#[test]
fn an_answer_before_the_whole_request_ends_the_connection() {
    // Nobody reads the body: the kernel takes a part of it, and the answer comes all the same.
    let server = Server::raw(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
        while stream.read(&mut [0; 1]).is_ok_and(|n| n > 0) {
            std::thread::park_timeout(Duration::from_secs(1));
        }
    });
    let mut plan = connections(1, "100ms");
    plan.request.bodies = vec!["x".repeat(32 << 20)];
    let rows = run(&plan, &server.url);
    assert_all(&rows, Outcome::HttpError);
    assert_eq!(
        server.seen().1,
        rows.len(),
        "half a request ran into the next"
    );
}

#[test]
fn an_open_loop_does_not_storm_a_server_that_closes_what_it_accepts() {
    let server = Server::raw(drop);
    let plan = plan("kind = 'rate'\nrate = 10\nconnections = 10\nduration = '500ms'");
    let rows = run(&plan, &server.url);
    assert_eq!(rows.len(), 5);
    assert!(
        rows.iter().all(|row| row.outcome != Outcome::Ok),
        "{:?}",
        outcomes(&rows)
    );
    let accepted = server.seen().1;
    assert!(accepted < 500, "{accepted} connections in half a second");
}

#[test]
fn an_open_loop_at_a_server_that_hangs_ends_on_time_with_every_row() {
    let server = Server::start(|_, _| true);
    let begun = Instant::now();
    let rows = run(
        &plan("kind = 'rate'\nrate = 200\nconnections = 3\nduration = '500ms'"),
        &server.url,
    );
    // Duration, then a grace and a timeout of 300 ms each; the rest is for a busy machine.
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(rows.len(), 100);
    let counts = outcomes(&rows);
    assert!(
        counts[&Outcome::Timeout] >= 3 && counts[&Outcome::Unsent] > 50,
        "{counts:?}"
    );
    assert_eq!(counts.len(), 2, "{counts:?}");
}

#[test]
fn cancelled_an_open_loop_sends_nothing_of_its_backlog() {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let served = Arc::new(AtomicUsize::new(0));
    let at_stop = Arc::new(AtomicUsize::new(0));
    let (counted, noted) = (Arc::clone(&served), Arc::clone(&at_stop));
    let server = Server::start(move |stream, number| {
        if counted.fetch_add(1, Relaxed) == 5 {
            stop.cancel();
            noted.store(6, Relaxed);
        }
        std::thread::sleep(Duration::from_millis(100));
        answer_ok(stream, number)
    });
    let begun = Instant::now();
    let plan = plan("kind = 'rate'\nrate = 1000\nconnections = 1\nduration = '60s'");
    let recorded = drive(&plan, &server.url, 1, &cancel);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let counts = outcomes(&recorded.exchanges);
    assert!(counts[&Outcome::Unsent] > 50, "{counts:?}");
    // The sixth was in flight when the run was stopped; a seventh may have been on its way already.
    assert!(
        served.load(Relaxed) <= at_stop.load(Relaxed) + 1,
        "{counts:?}"
    );
}
