//! Answers for the fuzzed parser: valid ones with what they must be read as, and ways to spoil them.

/// xorshift64 (Marsaglia 2003).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.below(256) as u8).collect()
    }
}

/// How a valid answer must be read.
pub struct Expected {
    pub status: u16,
    pub keep_alive: bool,
    pub by_close: bool,
}

/// A valid answer: interim answers, a head, a body of any framing.
pub fn valid(random: &mut Random) -> (Vec<u8>, Expected) {
    let eol = random.of(&["\r\n", "\r\n", "\r\n", "\n"]);
    let mut out = eol.repeat(random.below(8) / 6).into_bytes();
    for _ in 0..random.below(8) / 5 {
        let interim = random.of(&["100 Continue", "102 Processing", "103 Early Hints"]);
        out.extend_from_slice(format!("HTTP/1.1 {interim}{eol}").as_bytes());
        fillers(&mut out, eol, random);
        out.extend_from_slice(eol.as_bytes());
    }
    let new = random.below(4) > 0;
    let status = [200, 201, 204, 302, 304, 404, 413, 500, 503, 599][random.below(10)];
    let reason = random.of(&["", " ", " OK", " Service Unavailable"]);
    out.extend_from_slice(format!("HTTP/1.{} {status}{reason}{eol}", u8::from(new)).as_bytes());
    fillers(&mut out, eol, random);
    let asked = random.of(&[
        "",
        "",
        "close",
        "Keep-Alive",
        "x, CLOSE",
        "close, keep-alive",
    ]);
    if !asked.is_empty() {
        out.extend_from_slice(format!("Connection: {asked}{eol}").as_bytes());
    }
    let asked = asked.to_ascii_lowercase();
    let mut keep_alive = match new {
        true => !asked.contains("close"),
        false => asked.ends_with("keep-alive"),
    };
    let mut by_close = false;
    let bodiless = matches!(status, 204 | 304);
    let (of_200, of_64k) = (random.below(200), random.below(70_000));
    let length = if random.below(100) == 0 {
        of_64k
    } else {
        of_200
    };
    let body = random.bytes(length);
    match random.below(3) {
        0 => {
            out.extend_from_slice(format!("content-length: {}{eol}{eol}", body.len()).as_bytes());
            out.extend(body.iter().filter(|_| !bodiless));
        }
        1 if new => {
            let coding = random.of(&["chunked", "Chunked", "gzip, chunked"]);
            out.extend_from_slice(format!("Transfer-Encoding: {coding}{eol}{eol}").as_bytes());
            if !bodiless {
                chunks(&mut out, &body, random);
            }
        }
        _ => {
            out.extend_from_slice(eol.as_bytes());
            out.extend(body.iter().filter(|_| !bodiless));
            by_close = !bodiless;
        }
    }
    keep_alive &= !by_close;
    (
        out,
        Expected {
            status,
            keep_alive,
            by_close,
        },
    )
}

fn fillers(out: &mut Vec<u8>, eol: &str, random: &mut Random) {
    for _ in 0..random.below(12) {
        let name = random.of(&["x-a", "Server", "date", "Link", "content-type"]);
        let length = if random.below(300) == 0 {
            9000
        } else {
            random.below(40)
        };
        let value: Vec<u8> = (0..length)
            .map(|_| b" !aZ~\x80\xff\t:;,="[random.below(12)])
            .collect();
        out.extend_from_slice(format!("{name}: ").as_bytes());
        out.extend_from_slice(&value);
        out.extend_from_slice(eol.as_bytes());
    }
}

fn chunks(out: &mut Vec<u8>, body: &[u8], random: &mut Random) {
    let mut rest = body;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at((1 + random.below(60)).min(rest.len()));
        let zeros = "0".repeat(random.below(4));
        let extension = random.of(&["", "", ";a", "; a=\"b;c\"", " ;x", "\t"]);
        let size = match random.below(2) {
            0 => format!("{:x}", chunk.len()),
            _ => format!("{:X}", chunk.len()),
        };
        out.extend_from_slice(format!("{zeros}{size}{extension}\r\n").as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    let end = random.of(&[
        "0\r\n\r\n",
        "000\r\n\r\n",
        "0;end\r\nx: y\r\n\r\n",
        "0\r\na: \r\nb: c\r\n\r\n",
    ]);
    out.extend_from_slice(end.as_bytes());
}

/// Spoils an answer a little.
pub fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let to = (at + random.below(20)).min(bytes.len());
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            1 => bytes.insert(at, b"\r\n:;, 0f9H-\0\xff"[random.below(13)]),
            2 => drop(bytes.drain(at..to)),
            3 => {
                let copy = bytes[at..to].to_vec();
                bytes.splice(at..at, copy);
            }
            4 if random.below(3) == 0 => bytes.truncate(at),
            5 => {
                let line = random.of(&[
                    "content-length: 7\r\n",
                    "content-length: -1\r\n",
                    "transfer-encoding: chunked\r\n",
                    "\r\n",
                    " folded\r\n",
                    "HTTP/1.1 100 Continue\r\n\r\n",
                    "content-length: 18446744073709551616\r\n",
                ]);
                let line_start = bytes[..at]
                    .iter()
                    .rposition(|b| *b == b'\n')
                    .map_or(0, |at| at + 1);
                bytes.splice(line_start..line_start, line.bytes());
            }
            6 if random.below(20) == 0 => {
                let long = [
                    b"x: ".to_vec(),
                    vec![b'y'; 50_000 + random.below(30_000)],
                    b"\r\n".to_vec(),
                ]
                .concat();
                bytes.splice(at..at, long);
            }
            _ => {}
        }
    }
}
