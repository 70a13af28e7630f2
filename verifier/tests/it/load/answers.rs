//! The parser of answers, fuzzed: valid and mutated answers, cut at random borders, must mean what they mean in
//! one piece, and what httparse and plain arithmetic say of them; nothing panics or holds more than its bound.

mod making;

use making::{Expected, Random, mutate, valid};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use verifier::run::load::{Answer, Parser};

/// What a parser may hold: twice its longest head.
const MOST_HELD: usize = 128 << 10;
const LONGEST_HEAD: usize = 64 << 10;

/// What became of an answer whose connection has then ended.
#[derive(Debug, PartialEq)]
enum End {
    Whole {
        status: u16,
        keep_alive: bool,
    },
    /// Whole, because the connection ended.
    ByClose {
        status: u16,
    },
    Broken,
    Cut,
}

fn parse(pieces: &[&[u8]]) -> End {
    let (mut parser, mut fed) = (Parser::new(false), 0);
    for (index, piece) in pieces.iter().enumerate() {
        let answer = parser.feed(piece);
        assert!(
            parser.held_bytes() <= MOST_HELD,
            "{} held",
            parser.held_bytes()
        );
        fed += piece.len();
        assert_eq!(parser.bytes(), fed as u64);
        match answer {
            Answer::More => {}
            Answer::Whole { status, keep_alive } => {
                let surplus = pieces[index + 1..].iter().any(|piece| !piece.is_empty());
                return End::Whole {
                    status,
                    keep_alive: keep_alive && !surplus,
                };
            }
            Answer::Broken(_) => return End::Broken,
        }
    }
    match parser.end() {
        Answer::Whole {
            status,
            keep_alive: false,
        } => End::ByClose { status },
        Answer::Broken(_) => End::Cut,
        other => panic!("at the connection's end: {other:?}"),
    }
}

fn cut<'b>(bytes: &'b [u8], random: &mut Random) -> Vec<&'b [u8]> {
    let longest = [1, 3, 40, 3000][random.below(4)];
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// What httparse says of the last head and of those before it; `None`: as far as its lines go, it is not whole.
fn head(mut bytes: &[u8]) -> Option<Result<(u16, Option<usize>), ()>> {
    let mut before = 0;
    loop {
        let capped = &bytes[..bytes.len().min(LONGEST_HEAD)];
        let lines = capped
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |at| at + 1);
        let mut headers = [httparse::EMPTY_HEADER; 128];
        let mut response = httparse::Response::new(&mut headers);
        let used = match response.parse(&capped[..lines]) {
            Ok(httparse::Status::Complete(used)) => used,
            Ok(httparse::Status::Partial) if bytes.len() > LONGEST_HEAD => return Some(Err(())),
            Ok(httparse::Status::Partial) => return None,
            Err(_) => return Some(Err(())),
        };
        let status = response.code.unwrap();
        if !(100..200).contains(&status) || status == 101 {
            return Some(Ok((
                status,
                plain_length(&response).map(|length| before + used + length),
            )));
        }
        if framing_headers(&response).count() > 0 {
            return Some(Ok((status, None))); // its framing may be what is wrong
        }
        before += used;
        bytes = &bytes[used..];
    }
}

fn framing_headers<'r>(
    response: &'r httparse::Response<'_, '_>,
) -> impl Iterator<Item = &'r httparse::Header<'r>> {
    let framing = ["content-length", "transfer-encoding"];
    response
        .headers
        .iter()
        .filter(move |h| framing.contains(&h.name.to_ascii_lowercase().as_str()))
}

/// The body's length where there can be no two opinions about it.
fn plain_length(response: &httparse::Response<'_, '_>) -> Option<usize> {
    let mut framing = framing_headers(response);
    let (header, none) = (framing.next()?, framing.next());
    let text = std::str::from_utf8(header.value).ok()?;
    let plain = none.is_none() && header.name.eq_ignore_ascii_case("content-length");
    let plain = plain
        && !matches!(response.code, Some(204 | 304))
        && text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|length| plain && *length < 1 << 40)
}

/// Checks one answer; says what it ended as.
fn check(bytes: &[u8], expected: Option<&Expected>, random: &mut Random) -> End {
    let shown = || {
        String::from_utf8_lossy(bytes)
            .chars()
            .take(2000)
            .collect::<String>()
    };
    let whole = parse(&[bytes]);
    for _ in 0..3 {
        let pieces = cut(bytes, random);
        assert_eq!(parse(&pieces), whole, "in pieces {pieces:?}: {}", shown());
    }
    if let Some(Expected {
        status,
        keep_alive,
        by_close,
    }) = expected
    {
        let end = match by_close {
            true => End::ByClose { status: *status },
            false => End::Whole {
                status: *status,
                keep_alive: *keep_alive,
            },
        };
        assert_eq!(whole, end, "{}", shown());
    }
    match head(bytes) {
        None => assert_eq!(whole, End::Cut, "no whole head: {}", shown()),
        Some(Err(())) => assert_eq!(whole, End::Broken, "a broken head: {}", shown()),
        Some(Ok((code @ 200..=599, length))) => {
            if let End::Whole { status, .. } | End::ByClose { status } = whole {
                assert_eq!(status, code, "{}", shown());
            }
            if let Some(length) = length {
                let all_there = bytes.len() >= length;
                assert_eq!(
                    matches!(whole, End::Whole { .. }),
                    all_there,
                    "{whole:?}: {}",
                    shown()
                );
                assert_eq!(whole == End::Cut, !all_there, "{whole:?}: {}", shown());
            }
        }
        Some(Ok(_)) => {}
    }
    whole
}

/// One valid answer and three mutants of it.
fn round(seed: u64) -> [End; 4] {
    let mut random = Random::new(seed);
    let (mut bytes, expected) = valid(&mut random);
    let first = check(&bytes, Some(&expected), &mut random);
    let mut mutant = || {
        mutate(&mut bytes, &mut random);
        check(&bytes, None, &mut random)
    };
    [first, mutant(), mutant(), mutant()]
}

proptest! {
    #[test]
    fn answers_cut_anywhere_mean_what_they_mean_whole(seed in any::<u64>()) {
        round(seed);
    }
}

/// `just fuzz-answers SECONDS` runs this one.
#[test]
#[ignore = "runs for FUZZ_SECONDS"]
fn for_as_long_as_told() {
    let told = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let seconds = told("FUZZ_SECONDS").unwrap_or(10);
    let first = told("FUZZ_SEED").unwrap_or_else(|| getrandom::u64().unwrap());
    println!(
        "seed {first}, {seconds} s; the same again: FUZZ_SEED={first} just fuzz-answers {seconds}"
    );
    let (begun, mut rounds, mut ends) = (Instant::now(), 0_u64, [0_u64; 4]);
    while begun.elapsed() < Duration::from_secs(seconds) {
        for end in round(first.wrapping_add(rounds)) {
            ends[match end {
                End::Whole { .. } => 0,
                End::ByClose { .. } => 1,
                End::Broken => 2,
                End::Cut => 3,
            }] += 1;
        }
        rounds += 1;
    }
    let [whole, by_close, broken, cut] = ends;
    println!(
        "{} answers: {whole} whole, {by_close} whole by the connection's end, {broken} broken, {cut} cut",
        rounds * 4
    );
    assert!(
        ends.iter().all(|count| *count > 0),
        "one kind never came up"
    );
}
