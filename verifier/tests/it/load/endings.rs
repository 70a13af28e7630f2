//! How connections end: resets in place of ends, servers that stay open though they said they would not,
//! and ends that come while nobody is asking.

use super::server::{Server, answer_ok, reset_at_the_end};
use super::*;

#[test]
fn a_reset_is_never_the_end_of_a_whole_answer() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end", // an orderly end would make this one whole
    ] {
        let server = Server::start(move |stream, _| {
            let _ = stream.write_all(answer);
            // What was written arrives on its own, before the reset.
            std::thread::sleep(Duration::from_millis(30));
            reset_at_the_end(stream);
            false
        });
        let rows = run(&connections(2, "200ms"), &server.url);
        assert_all(&rows, Outcome::Reset);
        assert!(
            rows.iter().all(|row| row.bytes as usize == answer.len()),
            "{rows:?}"
        );
    }
}

#[test]
fn a_connection_that_must_not_be_reused_is_left_even_if_the_server_keeps_it() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"[..],
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}surplus",
    ] {
        let server = Server::start(move |stream, _| stream.write_all(answer).is_ok());
        let rows = run(&connections(2, "100ms"), &server.url);
        assert_all(&rows, Outcome::Ok);
        let (requests, opened) = server.seen();
        assert_eq!(requests.len(), rows.len());
        assert_eq!(opened, rows.len(), "connections for as many requests");
    }
}

#[test]
fn ends_and_resets_between_the_requests_of_a_user_cost_none() {
    for reset in [false, true] {
        let server = Server::start(move |stream, number| {
            answer_ok(stream, number);
            // Well after the answer, well before the user's next request.
            std::thread::sleep(Duration::from_millis(50));
            if reset {
                reset_at_the_end(stream);
            }
            false
        });
        let stage = "kind = 'users'\nusers = 3\nwait = { constant = '400ms' }\nduration = '1s'";
        let rows = run(&plan(stage), &server.url);
        assert_all(&rows, Outcome::Ok);
        assert!(rows.len() > 3, "nobody asked twice: {rows:?}");
        let (requests, opened) = server.seen();
        assert_eq!((requests.len(), opened), (rows.len(), rows.len()));
    }
}

#[test]
fn a_burst_of_errors_does_not_cost_the_connection() {
    let server = Server::start(|stream, number| {
        let status: &[u8] = if (20..40).contains(&number) {
            b"HTTP/1.1 503 Busy"
        } else {
            b"HTTP/1.1 200 OK"
        };
        stream
            .write_all(&[status, b"\r\ncontent-length: 0\r\n\r\n"].concat())
            .is_ok()
    });
    let rows = run(&connections(1, "500ms"), &server.url);
    let counts = outcomes(&rows);
    assert_eq!(counts[&Outcome::HttpError], 20, "{counts:?}");
    assert!(counts[&Outcome::Ok] > 20, "{counts:?}");
    assert_eq!(counts.len(), 2, "{counts:?}");
    assert_eq!(server.seen().1, 1, "the connection was not kept");
}
