//! Bad servers, one line each: whatever they do, under each kind of load every planned request ends in exactly one
//! row with the right outcome, the run ends on time, and what a server sends is not taken in beyond its bound.

use super::server::{Server, answer_ok, reset_at_the_end};
use super::*;
use Outcome::{HttpError, Ok as Good, Reset, Timeout};
use std::net::TcpStream;
use std::thread::sleep;

/// Stages last 200 ms, and the request timeout is 300 ms where one is expected; the rest is for a busy machine.
const LATEST_END: Duration = Duration::from_secs(10);

const LOADS: [&str; 3] = [
    "kind = 'connections'\nconnections = 3",
    "kind = 'users'\nusers = 3\nspawn_rate = 100\nwait = { constant = '20ms' }",
    "kind = 'rate'\nrate = 100\nconnections = 3",
];

type Script = fn(&mut TcpStream, usize) -> bool;

/// What a server sends as its answer; whether it keeps the connection then; as what requests end.
const ANSWERS: &[(&str, &[u8], bool, Outcome)] = &[
    ("silence", b"", true, Timeout),
    ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le", true, Timeout),
    ("half a head, closed", b"HTTP/1.1 200 OK\r\ncontent-le", false, Reset),
    ("half a body", b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}", true, Timeout),
    ("half a body, closed", b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}", false, Reset),
    ("a content-length too small", b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{}", true, Good),
    ("a huge content-length", b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n{}", true, Timeout),
    ("a huger one", b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n{}", true, Reset),
    ("a negative one", b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}", true, Reset),
    ("a signed one", b"HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\n{}", true, Reset),
    ("two different", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", true, Reset),
    ("two equal", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}", true, Good),
    ("interim answers", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", true, Good),
    ("only interim ones, closed", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n", false, Reset),
    ("switched protocols", b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", true, Reset),
    ("chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;a=\"b\"\r\n{\r\n01\r\n}\r\n0\r\nx: y\r\n\r\n", true, Good),
    ("chunks and a content-length", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true, Good),
    ("chunks with a broken size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n", true, Reset),
    ("chunks with a huge size", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n", true, Reset),
    ("chunks longer than they say", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", true, Reset),
    ("chunks without their last", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", false, Reset),
    ("no length, closed", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", false, Good),
    ("no length, kept", b"HTTP/1.1 200 OK\r\n\r\nuntil the end", true, Timeout),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", false, Good),
    ("HTTP/1.0, kept", b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\n{}", true, Good),
    ("connection: close", b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}", false, Good),
    ("a folded header", b"HTTP/1.1 200 OK\r\nx: y\r\n content-length: 9\r\ncontent-length: 2\r\n\r\n{}", true, Reset),
    ("a space before the colon", b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\n{}", true, Reset),
    ("a NUL", b"HTTP/1.1 200 OK\r\nx: \0\r\ncontent-length: 2\r\n\r\n{}", true, Reset),
    ("a bare carriage return", b"HTTP/1.1 200 OK\r\nx: a\rcontent-length: 9\r\ncontent-length: 2\r\n\r\n{}", true, Reset),
    ("a body where none may be", b"HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\n{}", true, Good),
    ("a status of two digits", b"HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\n{}", true, Reset),
    ("a status of 600", b"HTTP/1.1 600 ?\r\ncontent-length: 2\r\n\r\n{}", true, Reset),
    ("HTTP/0.9", b"<html>hello</html>\n", false, Reset),
    ("another protocol, which waits", b"220 mail.example ESMTP\r\n", true, Reset),
    ("HTTP/2", b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x0a", false, Reset),
    ("503", b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}", true, HttpError),
];

/// What needs more than one write.
const SCRIPTS: &[(&str, Script, &[Outcome])] = &[
    ("a byte a second", a_byte_a_second, &[Timeout]),
    (
        "interim answers for ever",
        |s, _| forever(s, b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        &[Timeout],
    ),
    (
        "a body for ever",
        |s, _| forever(s, b"HTTP/1.1 200 OK\r\n\r\n", b"more and more and"),
        &[Timeout],
    ),
    (
        "chunks for ever",
        |s, _| forever(s, CHUNKED, b"1\r\nx\r\n"),
        &[Timeout],
    ),
    (
        "a header of 1 GiB",
        |s, _| a_gibibyte(s, b"HTTP/1.1 200 OK\r\nx: ", b"x"),
        &[Reset],
    ),
    (
        "1 GiB of headers",
        |s, _| a_gibibyte(s, b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        &[Reset],
    ),
    (
        "1 GiB of a status line",
        |s, _| a_gibibyte(s, b"HTTP/1.1 200 ", b"OK "),
        &[Reset],
    ),
    (
        "1 GiB of a chunk's extension",
        |s, _| a_gibibyte(s, CHUNKED_1, b";x=y"),
        &[Reset],
    ),
    (
        "1 GiB of trailers",
        |s, _| a_gibibyte(s, CHUNKED_0, b"x: y\r\n"),
        &[Reset],
    ),
    ("chunks cut at every border", chunks_cut, &[Good]),
    ("a reset after n bytes", a_reset, &[Reset]),
    ("bursts of 503", bursts, &[Good, HttpError]),
    // Who closes without a word may do so while the next request is on its way: that one is a reset, and says so.
    (
        "closed without a word",
        |s, n| {
            answer_ok(s, n);
            false
        },
        &[Good, Reset],
    ),
];

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNKED_1: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1";
const CHUNKED_0: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";

fn a_byte_a_second(stream: &mut TcpStream, _: usize) -> bool {
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
        .iter()
        .all(|byte| {
            sleep(Duration::from_secs(1));
            stream.write_all(&[*byte]).is_ok()
        })
}

fn forever(stream: &mut TcpStream, first: &[u8], then: &[u8]) -> bool {
    let many = then.repeat(1000);
    let mut going = stream.write_all(first).is_ok();
    while going {
        going = stream.write_all(&many).is_ok();
        sleep(Duration::from_millis(1)); // several of these runs share the machine
    }
    false
}

/// All of it must not be taken: where it stops is in the sockets' buffers.
fn a_gibibyte(stream: &mut TcpStream, first: &[u8], then: &[u8]) -> bool {
    let many = then.repeat((64 << 10) / then.len());
    let mut sent = first.len();
    let mut going = stream.write_all(first).is_ok();
    while going && sent < 1 << 30 {
        going = stream.write_all(&many).is_ok();
        sent += many.len();
    }
    if going {
        let _ = stream.write_all(b"\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    }
    false
}

fn chunks_cut(stream: &mut TcpStream, number: usize) -> bool {
    let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nA;b=c\r\n0123456789\r\n0\r\nx: y\r\n\r\n";
    let (first, second) = answer.split_at(1 + number % (answer.len() - 1));
    let first = stream.write_all(first);
    sleep(Duration::from_millis(1));
    first.and_then(|()| stream.write_all(second)).is_ok()
}

fn a_reset(stream: &mut TcpStream, _: usize) -> bool {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n01234567890123456789";
    let port = usize::from(stream.peer_addr().unwrap().port());
    let _ = stream.write_all(&answer[..port % answer.len()]);
    sleep(Duration::from_millis(5));
    reset_at_the_end(stream);
    false
}

fn bursts(stream: &mut TcpStream, number: usize) -> bool {
    let status = if number % 4 < 2 { "200 OK" } else { "503 Busy" };
    stream
        .write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())
        .is_ok()
}

/// Runs one load at a server; every complaint names both.
fn check(name: &str, url: &str, load: &str, outcomes_allowed: &[Outcome]) {
    let begun = Instant::now();
    let mut plan = plan(&format!("{load}\nduration = '200ms'"));
    if !outcomes_allowed.contains(&Timeout) {
        // No busy machine makes a timeout of what is none; what is one still shows.
        plan.request.timeout = Duration::from_secs(5);
    }
    let rows = run(&plan, url);
    let took = begun.elapsed();
    let counts = outcomes(&rows);
    let what = format!("{name}, {load:?}: {counts:?} in {took:?}");
    assert!(took < LATEST_END, "{what}");
    let open = load.contains("'rate'");
    if open {
        assert_eq!(rows.len(), 20, "{what}");
    }
    for outcome in outcomes_allowed.iter().take(1) {
        assert!(counts.contains_key(outcome), "{what}");
    }
    for outcome in counts.keys() {
        let unsent = open && *outcome == Outcome::Unsent;
        assert!(unsent || outcomes_allowed.contains(outcome), "{what}");
    }
    for row in &rows {
        assert_eq!(row.status != 0, row.outcome.answered(), "{what}: {row:?}");
        let head_bound = name.contains("1 GiB") && row.bytes > 256 << 10;
        assert!(!head_bound, "{what}: {} bytes were taken in", row.bytes);
    }
}

/// A few cases at once: most of their time is waiting.
fn check_all<'a>(cases: impl Iterator<Item = (&'a str, Server, &'a [Outcome])>) {
    let cases: Vec<_> = cases.collect();
    for some in cases.chunks(6) {
        std::thread::scope(|scope| {
            for (name, server, outcomes) in some {
                for load in LOADS {
                    scope.spawn(move || check(name, &server.url, load, outcomes));
                }
            }
        });
    }
}

#[test]
fn whatever_a_server_answers_has_its_outcome() {
    check_all(ANSWERS.iter().map(|(name, answer, keep, outcome)| {
        let server = Server::start(|stream, _| stream.write_all(answer).is_ok() && *keep);
        (*name, server, std::slice::from_ref(outcome))
    }));
}

#[test]
fn however_a_server_behaves_the_run_ends_with_every_row() {
    check_all(
        SCRIPTS
            .iter()
            .map(|(name, script, outcomes)| (*name, Server::start(script), *outcomes)),
    );
}
