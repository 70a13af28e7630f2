//! `verifier run` on a plan that searches: the answer, its record, and its judgement again.

use super::*;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

/// What it takes without a pause, requests per second.
const RATE: f64 = 200.0;
/// What it takes beyond that in one go. A probe of 0.6 s at 226/s is 16 above the rate, one at 269/s is 41: the search
/// probes no rate so near to the edge that a busy machine decides.
const BURST: f64 = 28.0;

/// How many requests the server has taken and not paid off yet, and as of when.
type Bucket = Mutex<(f64, Instant)>;

/// Answers 503 to whatever exceeds its rate and burst.
fn limited_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let bucket = Arc::new(Mutex::new((0.0, Instant::now())));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let bucket = Arc::clone(&bucket);
            std::thread::spawn(move || serve(stream, &bucket));
        }
    });
    url
}

fn serve(mut stream: TcpStream, bucket: &Bucket) {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        request.extend_from_slice(&part[..read]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let status = if taken(bucket) { "200 OK" } else { "503 Full" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn taken(bucket: &Bucket) -> bool {
    let mut bucket = bucket.lock().unwrap();
    let now = Instant::now();
    let paid = now.duration_since(bucket.1).as_secs_f64() * RATE;
    *bucket = ((bucket.0 - paid).max(0.0), now);
    let room = bucket.0 + 1.0 <= BURST;
    bucket.0 += f64::from(u8::from(room));
    room
}

const SEARCH: &str = "
    thresholds = ['error_rate==0']
    [request]\nmethod = 'GET'\npath = '/'\nheaders = {}\nbodies = ['']
    [traces]\nspans = []
    [search]\nstart_rate = 40.0\nprobe = '600ms'\nprecision = 0.4\nrepeats = 2\nconnections = 8\n";

#[test]
fn the_knee_is_found_recorded_and_judged_again() {
    let folder = TempDir::new().unwrap();
    let plan = plan(&folder, &format!("name = 'knee'\n{SEARCH}"));
    let output = run_at(&folder, &limited_server(), &[&plan]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let verdict = verdict(&folder);
    assert_books_balance(&verdict);
    let answer = &verdict["saturation"];
    let (rate, upper) = (
        answer["rate"].as_f64().unwrap(),
        answer["upper"].as_f64().unwrap(),
    );
    // 200 a second; a little more passes, since a probe is short, and less where the machine is busy.
    assert!((40.0..=500.0).contains(&rate), "{answer:#}");
    assert!(rate < upper && upper / rate <= 1.4, "{answer:#}");
    assert_eq!(answer["limit"], "target");
    // How sure it is rests on what the machine did meanwhile; the figure itself is held by the judge's own tests.
    let confidence = answer["confidence"].as_f64().unwrap();
    assert!(confidence > 0.0 && confidence < 1.0, "{answer:#}");
    let probes = answer["probes"].as_array().unwrap();
    assert_eq!(probes.len(), verdict["stages"].as_array().unwrap().len());
    assert_eq!(verdict["stages"][0]["requested_per_second"], 40.0);
    assert!(
        text(&output).contains("requests/s meet the thresholds"),
        "{}",
        text(&output)
    );
    let report = fs::read_to_string(run_folder(&folder).join("report.html")).unwrap();
    assert!(report.contains("\"saturation\":{"));

    let before = fs::read(run_folder(&folder).join("verdict.json")).unwrap();
    let judged = Command::new(VERIFIER)
        .args(["judge", run_folder(&folder).to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(judged.status.code(), Some(0), "{}", text(&judged));
    let after = fs::read(run_folder(&folder).join("verdict.json")).unwrap();
    assert!(before == after, "judged again, the verdict differs");
}

#[test]
fn a_search_that_is_stopped_is_judged_on_the_probes_that_it_made() {
    let folder = TempDir::new().unwrap();
    let plan = plan(&folder, &format!("name = 'knee'\n{SEARCH}"));
    let url = limited_server();
    let mut child = verifier(
        &folder,
        &[
            "run",
            "--headless",
            &plan,
            "--url",
            &url,
            "--otlp-grpc",
            "127.0.0.1:0",
            "--otlp-http",
            "127.0.0.1:0",
        ],
    )
    .stderr(Stdio::null())
    .stdout(Stdio::null())
    .spawn()
    .unwrap();
    let journal = run_folder(&folder).join("journal.jsonl");
    wait_until("a second probe is planned", || {
        fs::read_to_string(&journal).is_ok_and(|text| text.matches("stage_planned").count() > 1)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let judged = Command::new(VERIFIER)
        .args(["judge", run_folder(&folder).to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(judged.status.code(), Some(3), "{}", text(&judged));
    let verdict = verdict(&folder);
    assert_eq!(verdict["saturation"]["rate"], 40.0);
    assert_eq!(verdict["saturation"]["limit"], "unknown");
}
