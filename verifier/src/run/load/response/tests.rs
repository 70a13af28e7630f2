//! The parser on its own: framings, bounds, and bytes cut anywhere.

use super::*;
use proptest::prelude::*;

fn whole(bytes: &[u8]) -> Answer {
    Parser::new(false).feed(bytes)
}

fn ok(keep_alive: bool) -> Answer {
    Answer::Whole {
        status: 200,
        keep_alive,
    }
}

#[test]
fn framings() {
    for (bytes, answer) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"[..], ok(true)),
        (b"HTTP/1.1 200 OK\ncontent-length: 2\n\n{}", ok(true)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}", ok(false)),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}", ok(false)),
        (b"HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\n{}", ok(true)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}surplus", ok(false)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ok(true)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer::Whole { status: 204, keep_alive: true }),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\na: b\r\n\r\n", ok(true)),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", ok(true)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}", Answer::More),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil close", Answer::More),
        (b"HTTP/1.1 200", Answer::More),
    ] {
        assert_eq!(whole(bytes), answer, "{}", String::from_utf8_lossy(bytes));
    }
    for broken in [
        &b"garbage\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 999 ?\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\r\n folded: c\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0, 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\rx\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        assert!(
            matches!(whole(broken), Answer::Broken(_)),
            "{}: {:?}",
            String::from_utf8_lossy(broken),
            whole(broken)
        );
    }
}

#[test]
fn the_end_of_the_connection_ends_only_what_has_no_length() {
    let mut parser = Parser::new(false);
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\nbody");
    assert_eq!(parser.end(), ok(false));
    let mut parser = Parser::new(false);
    parser.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbody");
    assert!(matches!(parser.end(), Answer::Broken(_)));
}

#[test]
fn an_endless_head_is_bounded() {
    let mut parser = Parser::new(false);
    parser.feed(b"HTTP/1.1 200 OK\r\n");
    let answers: Vec<_> = (0..10_000)
        .map(|_| parser.feed(b"x-filler: 0123456789abcdef\r\n"))
        .collect();
    assert!(matches!(answers.last(), Some(Answer::Broken(_))));
    assert!(parser.held_bytes() <= 2 * LONGEST_HEAD);
}

#[test]
fn bytes_cut_before_and_after_a_head_mean_what_they_mean_in_one_piece() {
    let long = [
        b"HTTP/1.1 200 OK\r\nx: ".to_vec(),
        vec![b'y'; LONGEST_HEAD],
        b"\r\n\r\n".to_vec(),
    ]
    .concat();
    let full = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: ".to_vec(),
        vec![b'y'; LONGEST_HEAD - 45],
        b"\r\n\r\n".to_vec(),
    ]
    .concat();
    for (bytes, answer) in [
        (&b"\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..], ok(true)),
        (b"HTTX/1.1 200 OK\r\n", Answer::Broken("the head is not HTTP/1.x")),
        (b"HTTX/1.1 200 OK", Answer::More),
        (&full, ok(true)),
        (&long, Answer::Broken("the head is larger than 64 KiB")),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", ok(false)),
    ] {
        assert_eq!(whole(bytes), answer);
        for piece in [1, 7] {
            let mut parser = Parser::new(false);
            let answers = bytes.chunks(piece).map(|piece| parser.feed(piece));
            let first = answers.into_iter().find(|answer| *answer != Answer::More);
            assert_eq!(first.unwrap_or(Answer::More), answer, "in pieces of {piece}");
        }
    }
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_changes_nothing(cuts in proptest::collection::vec(1_usize..9, 1..200), kind in 0_usize..4) {
        let bytes: &[u8] = [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\nx: y\r\n\r\nhello world"[..],
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nA \r\n0123456789\r\n0\r\nt: u\r\n\r\n",
            b"HTTP/1.0 200 OK\nconnection: keep-alive\ncontent-length: 3\n\nabc",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nxyz\r\nQ",
        ][kind];
        let mut parser = Parser::new(false);
        let (mut rest, mut answer, mut cuts) = (bytes, Answer::More, cuts.into_iter().cycle());
        while !rest.is_empty() && answer == Answer::More {
            let (piece, after) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            answer = parser.feed(piece);
            rest = after;
        }
        prop_assert_eq!(answer, whole(bytes));
    }

    #[test]
    fn noise_never_panics(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let mut parser = Parser::new(false);
        parser.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for piece in &pieces {
            parser.feed(piece);
            whole(piece);
        }
        parser.end();
    }
}
