//! `/events`: what comes, after a loss too; slow, vanished and many clients.

use super::browser::Events;
use super::*;
use std::io::Write;
use std::net::TcpStream;

/// A run that goes on until it is stopped.
const LONG: &str = r#"{"plan":"quick","connections":[2],"run_time":"60s","replicas":1}"#;

fn rows(page: &Value) -> usize {
    page["series"]["at_seconds"].as_array().unwrap().len()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

#[test]
fn a_run_is_seen_from_its_begin_and_taken_up_again_after_a_loss() {
    let page = Page::open();
    let mut events = Events::open(page.address, None);
    let idle = events.next();
    assert_eq!(
        (
            idle.data["run"]["state"].as_str(),
            idle.data["run"]["id"].as_str()
        ),
        (Some("idle"), Some(""))
    );
    assert_eq!(idle.data["schema"], "page/1");

    let run = page.start(LONG);
    let first = events.next_with(|page| page["run"]["id"] == *run);
    assert_eq!(first.data["series"]["from"], 0);
    let grown = events.next_with(|page| rows(page) > 1);
    assert_eq!(grown.data["run"]["state"], "running");
    assert_eq!(grown.data["run"]["plan"], "quick");
    assert!(
        grown.data["statistics"][0]["requests"].as_u64() > Some(0),
        "{}",
        grown.raw
    );
    assert_eq!(grown.data["exact"], false);
    let (_, count) = grown.id.rsplit_once(':').unwrap();
    assert_eq!(grown.id, format!("{run}:{count}"));

    // Far enough that not all of the series is sent again.
    let far = events.next_with(|page| page["series"]["from"].as_u64() > Some(0));
    let has: usize = far.id.rsplit_once(':').unwrap().1.parse().unwrap();
    assert_eq!(number(&far.data["series"]["from"]) + rows(&far.data), has);
    drop(events);

    let again = Events::open(page.address, Some(&far.id)).next();
    let from = number(&again.data["series"]["from"]);
    assert!(from > 0 && from <= has, "{from}, and {has} rows are known");
    let stranger = Events::open(page.address, Some("another-run:5000")).next();
    assert_eq!(stranger.data["series"]["from"], 0);
    assert_eq!(
        stranger.data["series"]["at_seconds"][0],
        grown.data["series"]["at_seconds"][0]
    );
    // A number from nowhere does no harm.
    for odd in [
        format!("{run}:18446744073709551615"),
        format!("{run}:-1"),
        run.clone(),
        ":".to_owned(),
    ] {
        Events::open(page.address, Some(&odd)).next();
    }
    page.post("/api/stop", "");
    page.wait_for("ended");
}

#[test]
fn a_slow_and_a_vanished_client_are_nobody_elses_trouble() {
    let page = Page::open();
    page.start(LONG);
    // One asks and never reads, one goes away without a word, one stops in the middle of its head.
    let request = format!("GET /events HTTP/1.1\r\nhost: {}\r\n\r\n", page.address);
    let mut slow = TcpStream::connect(page.address).unwrap();
    slow.write_all(request.as_bytes()).unwrap();
    let mut gone = TcpStream::connect(page.address).unwrap();
    gone.write_all(request.as_bytes()).unwrap();
    drop(gone);
    let mut half = TcpStream::connect(page.address).unwrap();
    half.write_all(&request.as_bytes()[..20]).unwrap();

    let mut events = Events::open(page.address, None);
    events.next_with(|page| rows(page) > 2);
    let before = Instant::now();
    for _ in 0..3 {
        events.next();
    }
    let mean = before.elapsed() / 3;
    assert!(mean < Duration::from_secs(5), "an event each {mean:?}");
    page.post("/api/stop", "{}");
    page.wait_for("ended");
}

#[test]
fn many_watch_and_one_too_many_is_told_so() {
    let page = Page::open();
    let mut all: Vec<Events> = (0..64).map(|_| Events::open(page.address, None)).collect();
    let (status, _) = Events::tried(page.address, None);
    assert_eq!(status, 503);
    let run = page.start(r#"{"connections":[1],"run_time":"1s"}"#);
    for events in &mut all {
        events.next_with(|page| page["run"]["id"] == *run);
    }
    // Whoever leaves makes room.
    drop(all);
    wait_until("a place", || Events::tried(page.address, None).0 == 200);
    page.wait_for("ended");
}
