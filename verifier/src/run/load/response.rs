//! An HTTP/1.x response, parsed as its bytes come: the status and where the message ends. The body is
//! counted, not kept; whatever a server sends, memory stays bounded.
//!
//! Message framing: RFC 9112 sections 6 and 7.

use super::chunked::Chunked;
use super::framing::framing;
use std::mem::MaybeUninit;

/// Longest head.
const LONGEST_HEAD: usize = 64 << 10;
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
    Chunked(Chunked),
}

enum Step {
    Again,
    Done,
    Broken(&'static str),
}

enum Head {
    /// Not all of it is there.
    Part,
    /// It is so long, and this follows from it.
    Whole(usize, Step),
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

    /// Memory held for the answer: at most 128 KiB, twice the longest head.
    pub fn held_bytes(&self) -> usize {
        self.head.capacity()
    }

    /// Takes in the next bytes. However the answer is cut into pieces, what they amount to is the same.
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
            State::Chunked(mut body) => {
                let taken = body.take(data);
                self.state = State::Chunked(body);
                match taken {
                    Ok(false) => {}
                    Ok(true) => return Step::Done,
                    Err(why) => return Step::Broken(why),
                }
            }
        }
        Step::Again
    }

    fn take_head(&mut self, data: &mut &[u8]) -> Step {
        let before = self.head.len();
        // The usual case: the whole head is in one read, and nothing is copied.
        let read = match before {
            0 => self.read_head(data),
            _ => self.gather_head(data),
        };
        match read {
            Head::Whole(used, step) => {
                self.head.clear();
                *data = &data[used - before..];
                return step;
            }
            Head::Broken(why) => return Step::Broken(why),
            Head::Part if before == 0 => self.keep_head(data),
            Head::Part => {}
        }
        *data = &[];
        match self.head.len() {
            ..=LONGEST_HEAD => Step::Again,
            _ => Step::Broken("the head is larger than 64 KiB"),
        }
    }

    fn keep_head(&mut self, piece: &[u8]) {
        let room = LONGEST_HEAD + 1 - self.head.len();
        self.head.extend_from_slice(&piece[..room.min(piece.len())]);
    }

    /// A head that comes in pieces is looked at whenever a line has ended: at each byte, the server that sends
    /// one at a time would cost most.
    fn gather_head(&mut self, piece: &[u8]) -> Head {
        self.keep_head(piece);
        if !piece.contains(&b'\n') {
            return Head::Part;
        }
        let head = std::mem::take(&mut self.head);
        let read = self.read_head(&head);
        self.head = head;
        read
    }

    /// Reads a head and decides how the body is framed. Only whole lines make it broken.
    fn read_head(&mut self, bytes: &[u8]) -> Head {
        let bytes = &bytes[..bytes.len().min(LONGEST_HEAD)];
        let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            bytes,
            &mut headers,
        );
        match parsed {
            Ok(httparse::Status::Complete(used)) => Head::Whole(used, self.frame(&response)),
            Ok(httparse::Status::Partial) => Head::Part,
            Err(_) => match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(end) if end + 1 < bytes.len() => self.read_head(&bytes[..=end]),
                Some(_) => Head::Broken("the head is not HTTP/1.x"),
                None => Head::Part,
            },
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
                State::Chunked(Chunked::START)
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
}

fn skip(data: &mut &[u8], left: u64) -> u64 {
    let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
    *data = &data[skipped..];
    left - skipped as u64
}

#[cfg(test)]
mod tests;
