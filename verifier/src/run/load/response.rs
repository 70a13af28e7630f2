//! An HTTP/1.x response, parsed as its bytes come: the status and where the message ends. The body is
//! counted, not kept; whatever a server sends, memory stays bounded.
//!
//! Message framing: RFC 9112 sections 6 and 7.

use super::framing::framing;
use std::mem::MaybeUninit;

/// Longest head, and longest trailer section.
const LONGEST_HEAD: usize = 64 << 10;
/// Longest chunk-size line.
const LONGEST_LINE: usize = 4 << 10;
const MOST_HEADERS: usize = 128;

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The answer goes on.
    More,
    /// The answer is whole; whether the connection can carry another.
    Whole {
        /// HTTP status.
        status: u16,
        /// The connection stays open, and nothing unasked-for came behind the answer.
        keep_alive: bool,
    },
    /// This is no HTTP answer.
    Broken(&'static str),
}

/// Parses one answer at a time.
#[derive(Debug, Default)]
pub struct Parser {
    /// The request was HEAD: the answer has no body whatever its head says.
    head_only: bool,
    state: State,
    head: Vec<u8>,
    status: u16,
    keep_alive: bool,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Length(u64),
    UntilClose,
    ChunkSize {
        size: u64,
        digits: u8,
        in_extension: bool,
        line: usize,
    },
    ChunkData(u64),
    ChunkEnd,
    Trailers {
        line: usize,
        total: usize,
    },
}

const FIRST_CHUNK: State = State::ChunkSize {
    size: 0,
    digits: 0,
    in_extension: false,
    line: 0,
};

enum Step {
    Again,
    Done,
    Broken(&'static str),
}

impl Parser {
    /// A parser for answers to one kind of request.
    pub fn new(head_only: bool) -> Parser {
        Parser {
            head_only,
            ..Parser::default()
        }
    }

    /// Makes ready for the next answer.
    pub fn reset(&mut self) {
        self.head.clear();
        if self.head.capacity() > 4096 {
            self.head = Vec::new(); // one oversized head must not stay with every connection
        }
        *self = Parser {
            head_only: self.head_only,
            head: std::mem::take(&mut self.head),
            ..Parser::default()
        };
    }

    /// Makes ready for the answer to another kind of request.
    pub fn reset_for(&mut self, head_only: bool) {
        self.head_only = head_only;
        self.reset();
    }

    /// Bytes of the answer so far, interim answers included.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes in the next bytes.
    pub fn feed(&mut self, mut data: &[u8]) -> Answer {
        self.bytes += data.len() as u64;
        loop {
            if data.is_empty() {
                return Answer::More;
            }
            match self.step(&mut data) {
                Step::Again => {}
                Step::Done => {
                    return Answer::Whole {
                        status: self.status,
                        keep_alive: self.keep_alive && data.is_empty(),
                    };
                }
                Step::Broken(why) => return Answer::Broken(why),
            }
        }
    }

    /// The connection has ended.
    pub fn end(&mut self) -> Answer {
        match self.state {
            State::UntilClose => Answer::Whole {
                status: self.status,
                keep_alive: false,
            },
            _ => Answer::Broken("the connection ended before the answer did"),
        }
    }

    fn step(&mut self, data: &mut &[u8]) -> Step {
        match self.state {
            State::Head => return self.take_head(data),
            State::UntilClose => *data = &[],
            State::Length(left) => {
                let left = skip(data, left);
                self.state = State::Length(left);
                if left == 0 {
                    return Step::Done;
                }
            }
            State::ChunkData(left) => {
                let left = skip(data, left);
                self.state = if left == 0 {
                    State::ChunkEnd
                } else {
                    State::ChunkData(left)
                };
            }
            State::ChunkEnd => match take_byte(data) {
                b'\r' => {}
                b'\n' => self.state = FIRST_CHUNK,
                _ => return Step::Broken("a chunk does not end where it said"),
            },
            State::ChunkSize { .. } => return self.take_chunk_size(data),
            State::Trailers { .. } => return self.take_trailers(data),
        }
        Step::Again
    }

    fn take_head(&mut self, data: &mut &[u8]) -> Step {
        // The usual case: the whole head is in one read, and nothing is copied.
        if self.head.is_empty()
            && let Some((used, step)) = self.read_head(data)
        {
            *data = &data[used..];
            return step;
        }
        let before = self.head.len();
        let room = (LONGEST_HEAD + 1 - before).min(data.len());
        self.head.extend_from_slice(&data[..room]);
        let Some(end) = head_end(&self.head, before.saturating_sub(3)) else {
            *data = &data[room..];
            return match self.head.len() {
                ..=LONGEST_HEAD => Step::Again,
                _ => Step::Broken("the head is larger than 64 KiB"),
            };
        };
        *data = &data[end - before..];
        let mut head = std::mem::take(&mut self.head);
        let step = self.read_head(&head[..end]);
        head.clear();
        self.head = head;
        step.map_or(Step::Broken("the head is not HTTP/1.x"), |(_, step)| step)
    }

    /// Reads a head and decides how the body is framed; gives its length, or `None` if it is not whole.
    fn read_head(&mut self, bytes: &[u8]) -> Option<(usize, Step)> {
        let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            bytes,
            &mut headers,
        );
        match parsed {
            Ok(httparse::Status::Complete(used)) => Some((used, self.frame(&response))),
            Ok(httparse::Status::Partial) => None,
            Err(_) => Some((0, Step::Broken("the head is not HTTP/1.x"))),
        }
    }

    fn frame(&mut self, response: &httparse::Response<'_, '_>) -> Step {
        self.status = response.code.unwrap_or(0);
        let framing = match framing(response) {
            Ok(framing) => framing,
            Err(why) => return Step::Broken(why),
        };
        self.keep_alive = framing.keep_alive;
        match self.status {
            101 => return Step::Broken("the server switched protocols"),
            100..=199 => return Step::Again, // interim: the real head follows
            200..=599 => {}
            _ => return Step::Broken("the status is not between 100 and 599"),
        }
        if self.head_only || matches!(self.status, 204 | 304) {
            return Step::Done;
        }
        self.state = match (framing.chunked, framing.length) {
            (true, length) => {
                self.keep_alive &= length.is_none(); // both framings: RFC 9112 6.3 says to close afterwards
                FIRST_CHUNK
            }
            (false, Some(0)) => return Step::Done,
            (false, Some(length)) => State::Length(length),
            (false, None) => {
                self.keep_alive = false;
                State::UntilClose
            }
        };
        Step::Again
    }

    fn take_chunk_size(&mut self, data: &mut &[u8]) -> Step {
        let State::ChunkSize {
            mut size,
            mut digits,
            mut in_extension,
            mut line,
        } = self.state
        else {
            return Step::Again;
        };
        let byte = take_byte(data);
        line += 1;
        match byte {
            b'\n' if digits == 0 => return Step::Broken("a chunk has no size"),
            b'\n' => {
                self.state = if size == 0 {
                    State::Trailers { line: 0, total: 0 }
                } else {
                    State::ChunkData(size)
                };
                return Step::Again;
            }
            b'\r' => in_extension = true, // nothing but the line's end may follow; an extension is skipped as well
            b';' | b' ' | b'\t' if digits > 0 => in_extension = true,
            _ if in_extension => {}
            _ => match char::from(byte).to_digit(16) {
                Some(digit) if digits < 15 => {
                    (size, digits) = (size << 4 | u64::from(digit), digits + 1)
                }
                _ => return Step::Broken("a chunk's size is not a number"),
            },
        }
        if line > LONGEST_LINE {
            return Step::Broken("a chunk's size line is too long");
        }
        self.state = State::ChunkSize {
            size,
            digits,
            in_extension,
            line,
        };
        Step::Again
    }

    fn take_trailers(&mut self, data: &mut &[u8]) -> Step {
        let State::Trailers { line, total } = self.state else {
            return Step::Again;
        };
        if total > LONGEST_HEAD {
            return Step::Broken("the trailers are larger than 64 KiB");
        }
        let line = match take_byte(data) {
            b'\n' if line == 0 => return Step::Done,
            b'\n' => 0,
            b'\r' => line,
            _ => line + 1,
        };
        self.state = State::Trailers {
            line,
            total: total + 1,
        };
        Step::Again
    }
}

fn take_byte(data: &mut &[u8]) -> u8 {
    match data.split_first() {
        Some((&byte, rest)) => {
            *data = rest;
            byte
        }
        None => 0, // `feed` never steps without data
    }
}

fn skip(data: &mut &[u8], left: u64) -> u64 {
    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
    *data = &data[skipped..];
    left - skipped as u64
}

/// The length of the head: up to and with the first empty line, looking from `from` on.
fn head_end(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = data.get(at..)?.iter().position(|b| *b == b'\n') {
        at += found + 1;
        match data.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
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
        assert!(parser.head.capacity() <= 2 * LONGEST_HEAD);
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
}
