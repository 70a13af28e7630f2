//! What becomes of connections: kept, fresh for each request, rotated; as the server sees them.

use super::server::{Server, answer_ok};
use super::*;

const LOADS: [&str; 3] = [
    "kind = 'connections'\nconnections = 3",
    "kind = 'rate'\nrate = 100\nconnections = 3",
    "kind = 'users'\nusers = 3\nspawn_rate = 1000\nwait = { constant = '10ms' }",
];

fn drive_with(load: &str, reuse: &str, duration: &str) -> (Vec<Exchange>, usize, usize) {
    let server = Server::start(answer_ok);
    let plan = plan(&format!("{load}\n{reuse}\nduration = '{duration}'"));
    let rows = drive(&plan, &server.url, 2, &CancellationToken::new()).exchanges;
    assert_all(&rows, Outcome::Ok);
    let (requests, opened) = server.seen();
    assert_eq!(requests.len(), rows.len());
    (rows, requests.len(), opened)
}

#[test]
fn a_fresh_connection_carries_one_request_and_its_latency_has_the_time_to_connect() {
    for load in LOADS {
        let (rows, requests, opened) = drive_with(load, "reuse = 'fresh'", "300ms");
        assert_eq!(opened, requests, "{load}");
        for row in rows {
            let connected = row.intended_ns <= row.connected_ns && row.connected_ns <= row.sent_ns;
            assert!(connected && row.connected_ns != 0, "{load}: {row:?}");
        }
    }
}

#[test]
fn kept_connections_are_opened_once() {
    for load in LOADS {
        let (_, requests, opened) = drive_with(load, "reuse = 'keep'", "300ms");
        assert!(
            requests > 3 && opened == 3,
            "{load}: {opened} of {requests}"
        );
    }
}

#[test]
fn rotated_connections_are_closed_between_requests_and_not_all_at_once() {
    for load in LOADS {
        let rotate = "reuse = 'rotate'\nconnection_lifetime = '100ms'";
        let (rows, requests, opened) = drive_with(load, rotate, "800ms");
        // Eight lifetimes of three connections, each between a half and one and a half.
        assert!(
            opened > 6 && opened < requests / 2,
            "{load}: {opened} of {requests}"
        );
        if load.contains("'connections'") {
            let connected: Vec<_> = rows.iter().filter(|r| r.connected_ns != 0).collect();
            assert_eq!(connected.len(), opened, "{load}");
        }
    }
}

#[test]
fn a_server_that_is_told_that_the_connection_ends_may_end_it_first() {
    let server = Server::start(|stream, _| {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}");
        false
    });
    let plan = plan("kind = 'connections'\nconnections = 2\nreuse = 'fresh'\nduration = '300ms'");
    let rows = run(&plan, &server.url);
    assert_all(&rows, Outcome::Ok);
    assert_eq!(server.seen().1, rows.len());
}

#[test]
fn fresh_connections_do_not_run_out_of_ports() {
    // More than there are ports from one address to another: each must be free again soon.
    let server = Server::start(answer_ok);
    let stage = "kind = 'connections'\nconnections = 4\nreuse = 'fresh'\nduration = '1s'";
    let plan = Plan {
        request: verifier::plan::Request {
            timeout: Duration::from_secs(5),
            ..Default::default()
        },
        ..plan(stage)
    };
    assert_all(&run(&plan, &server.url), Outcome::Ok);
    let waiting = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = server
        .url
        .rsplit_once(':')
        .unwrap()
        .1
        .parse::<u16>()
        .unwrap();
    let peer = format!("0100007F:{port:04X} 06");
    let left = waiting.lines().filter(|line| line.contains(&peer)).count();
    assert!(left < 10, "{left} connections hold their ports still");
}
