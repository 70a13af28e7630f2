//! The little of a browser that the tests need: requests as bytes, chunked answers, server-sent events.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Nothing that is awaited takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Names in small letters.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }

    /// `{"error": ...}`.
    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

/// Asks once; `headers` go before those that every request has.
pub(super) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut reader = send(address, method, path, headers, body);
    let (status, headers) = head(&mut reader);
    let is = |name: &str, value: &str| headers.iter().any(|(n, v)| n == name && v == value);
    let mut whole = Vec::new();
    if is("transfer-encoding", "chunked") {
        while let Some(chunk) = chunk(&mut reader) {
            whole.extend(chunk);
        }
    } else {
        reader.read_to_end(&mut whole).unwrap();
    }
    Answer {
        status,
        headers,
        body: whole,
    }
}

fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        text += &format!("host: {address}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    (&stream).write_all((text + body).as_bytes()).unwrap();
    BufReader::new(stream)
}

fn head(reader: &mut impl BufRead) -> (u16, Vec<(String, String)>) {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {line:?}"));
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return (status, headers);
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let length = usize::from_str_radix(line.trim(), 16).ok()?;
    let mut chunk = vec![0; length + 2];
    reader.read_exact(&mut chunk).ok()?;
    chunk.truncate(length);
    (length > 0).then_some(chunk)
}

/// One event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) data: Value,
    /// As it came.
    pub(super) raw: String,
}

/// An open `/events`.
pub(super) struct Events {
    reader: BufReader<TcpStream>,
    rest: String,
}

impl Events {
    /// Opens it; `last_id` as a browser says it when it comes back.
    pub(super) fn open(address: SocketAddr, last_id: Option<&str>) -> Events {
        let (status, events) = Events::tried(address, last_id);
        assert_eq!(status, 200);
        events
    }

    /// The same, refused or not.
    pub(super) fn tried(address: SocketAddr, last_id: Option<&str>) -> (u16, Events) {
        let last_id: Vec<(&str, &str)> = last_id
            .map(|id| ("last-event-id", id))
            .into_iter()
            .collect();
        let mut reader = send(address, "GET", "/events", &last_id, "");
        let (status, _) = head(&mut reader);
        let rest = String::new();
        (status, Events { reader, rest })
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Event {
        self.next_with(|_| true)
    }

    /// The next that satisfies it. A stream that only keeps itself alive is not waited for without end.
    pub(super) fn next_with(&mut self, wanted: impl Fn(&Value) -> bool) -> Event {
        let deadline = Instant::now() + 4 * PATIENCE;
        let mut last = Value::Null;
        loop {
            while let Some((block, rest)) = self.rest.split_once("\n\n") {
                let found = event(block);
                self.rest = rest.to_owned();
                match found {
                    Some(event) if wanted(&event.data) => return event,
                    Some(event) => last = event.data["run"].clone(),
                    None => {}
                }
            }
            assert!(
                Instant::now() < deadline,
                "no such event in time; the last was of {last:#}"
            );
            let chunk = chunk(&mut self.reader).expect("an event, not the stream's end");
            self.rest += std::str::from_utf8(&chunk).unwrap();
        }
    }
}

fn event(block: &str) -> Option<Event> {
    let (mut id, mut data, mut named) = (String::new(), Vec::new(), false);
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("id", value)) => value.clone_into(&mut id),
            Some(("data", value)) => data.push(value),
            Some(("event", value)) => named = value == "page",
            _ => {}
        }
    }
    named.then(|| {
        let raw = data.join("\n");
        Event {
            id,
            data: serde_json::from_str(&raw).unwrap(),
            raw,
        }
    })
}
