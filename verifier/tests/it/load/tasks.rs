//! Several kinds of requests in one load: each row knows its own, each answer is read as its request asks.

use super::*;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// First line, traceparent and body of every request.
type Seen = Arc<Mutex<Vec<[String; 3]>>>;

/// Answers anything with five bytes, which after a HEAD request do not come.
fn serve(stream: TcpStream, seen: &Seen) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut first, mut traceparent, mut length) = (String::new(), String::new(), 0);
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                break;
            }
            match line.trim().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("traceparent", value)) => value.clone_into(&mut traceparent),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let head = first.starts_with("HEAD");
        let body = String::from_utf8(body).unwrap();
        let request = [first.trim().to_owned(), traceparent, body];
        seen.lock().unwrap().push(request);
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        let body = if head { "" } else { "hello" };
        if stream
            .write_all(format!("{answer}{body}").as_bytes())
            .is_err()
        {
            return;
        }
    }
}

fn start() -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let all = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let all = Arc::clone(&all);
            std::thread::spawn(move || serve(stream, &all));
        }
    });
    (url, seen)
}

const TASKS: &str = "
    [[task]]\nname = 'predict'\nweight = 6\nmethod = 'POST'\npath = '/predict'\nbodies = ['a', 'bc']\n
    [[task]]\nname = 'look'\nweight = 3\npath = '/healthz?full=1'\nheaders = { accept = 'text/plain' }\n
    [[task]]\nname = 'head'\nmethod = 'HEAD'\npath = '/docs'\n";

#[test]
fn each_row_knows_its_task_by_weight_and_by_seed() {
    let lines = [
        "POST /predict HTTP/1.1",
        "GET /healthz?full=1 HTTP/1.1",
        "HEAD /docs HTTP/1.1",
    ];
    let chosen = |workers| {
        let (url, seen) = start();
        let stage = "kind = 'rate'\nrate = 1000\nconnections = 4\nduration = '600ms'";
        let plan = plan(&format!("{stage}\n{TASKS}"));
        let recorded = drive(&plan, &url, workers, &CancellationToken::new());
        assert_all(&recorded.exchanges, Outcome::Ok);
        let seen = seen.lock().unwrap();
        let by_trace: BTreeMap<&str, &[String; 3]> = seen
            .iter()
            .map(|request| (request[1].as_str(), request))
            .collect();
        for row in &recorded.exchanges {
            let traceparent = recorded.key.traceparent(row.seq);
            let request = by_trace[std::str::from_utf8(&traceparent).unwrap()];
            assert_eq!(request[0], lines[usize::from(row.task)]);
            let body = match (row.task, row.seq % 2) {
                (0, 0) => "a",
                (0, _) => "bc",
                _ => "",
            };
            assert_eq!(request[2], body);
        }
        let tasks: BTreeMap<u64, u8> = recorded
            .exchanges
            .iter()
            .map(|row| (row.seq, row.task))
            .collect();
        tasks
    };
    let tasks = chosen(1);
    assert_eq!(tasks.len(), 600);
    let count = |task| tasks.values().filter(|t| **t == task).count();
    // 360, 180 and 60, give or take five standard deviations.
    assert!(
        count(0).abs_diff(360) < 60 && count(1).abs_diff(180) < 57,
        "{tasks:?}"
    );
    assert!(count(2).abs_diff(60) < 37, "{tasks:?}");
    assert_eq!(
        tasks,
        chosen(3),
        "the number of workers changes who does what"
    );
}

#[test]
fn an_unsent_request_is_of_a_task_too() {
    let stage = "kind = 'rate'\nrate = 1000\nconnections = 1\nduration = '300ms'";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rows = run(&plan(&format!("{stage}\n{TASKS}")), &url);
    assert!(rows.len() == 300 && rows.iter().any(|row| row.outcome == Outcome::Unsent));
    let tasks: BTreeSet<u8> = rows.iter().map(|row| row.task).collect();
    assert_eq!(tasks.len(), 3);
}
