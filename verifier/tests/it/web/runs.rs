//! Runs from the page: started, stopped, changed, refused; and what becomes of them when the page's process ends.

use super::browser::Events;
use super::*;
use rustix::process::Signal;
use std::fs;

const USERS: &str = r#"{"users":[5],"spawn_rate":100,"run_time":"60s"}"#;

#[test]
fn a_run_is_started_changed_stopped_and_judged() {
    let page = Page::open();
    assert_eq!(page.post("/api/stop", "").status, 409);
    let run = page.start(USERS);
    assert!(run.starts_with("quick-"), "{run}");
    let second = page.post("/api/runs", USERS);
    assert_eq!(second.status, 409);
    assert!(
        second.error().contains("a run goes on already"),
        "{}",
        second.text()
    );
    let show = page.post("/api/show", r#"{"run":"other"}"#);
    assert_eq!(show.status, 404);

    let mut events = Events::open(page.address, None);
    let users = |page: &Value| {
        page["series"]["users"]
            .as_array()
            .unwrap()
            .last()
            .and_then(Value::as_f64)
    };
    // All have come: a hand takes a ramp over where it is.
    let running =
        events.next_with(|page| page["run"]["users_change"] == true && users(page) == Some(5.0));
    assert_eq!(running.data["run"]["stages"][0]["kind"], "users");
    assert_eq!(page.post("/api/users", r#"{"change":2}"#).status, 400);
    assert_eq!(page.post("/api/users", r#"{"change":10}"#).status, 202);
    assert_eq!(page.post("/api/users", r#"{"change":-1}"#).status, 202);
    events.next_with(|page| users(page) == Some(14.0));

    assert_eq!(page.post("/api/stop", "{}").status, 202);
    // Asked again, it is not ended the hard way.
    assert_eq!(page.post("/api/stop", "{}").status, 202);
    let ended = events.next_with(|page| page["run"]["state"] == "ended");
    assert_eq!(ended.data["run"]["id"], *run);
    assert!(page.run_folder(&run).join("verdict.json").is_file());
    assert!(
        page.said().contains("SIGINT: stopping the load"),
        "{}",
        page.said()
    );
    assert_eq!(page.post("/api/users", r#"{"change":1}"#).status, 409);

    // The next one.
    let other = page.start(r#"{"connections":[1],"run_time":"1s","plan":"quick"}"#);
    assert_ne!(other, run);
    page.wait_for("ended");
    page.signal(Signal::INT);
    assert_eq!(page.ended(), 0);
}

#[test]
fn what_is_wrong_is_said_before_anything_is_started() {
    let page = Page::open();
    for (body, words) in [
        ("", "not the JSON"),
        ("{", "not the JSON"),
        ("[]", "not the JSON"),
        (r#"{"usres":[1]}"#, "usres"),
        (r#"{"plan":"nothing"}"#, "no plan \"nothing\""),
        (r#"{"plan":"../../etc/passwd"}"#, "no plan"),
        (r#"{"host":"10.0.0.7"}"#, "write it like http://"),
        (r#"{"host":"--help"}"#, "write it like http://"),
        (r#"{"users":[0]}"#, "users"),
        (r#"{"run_time":"soon"}"#, "run_time"),
        (r#"{"users":[-1]}"#, "not the JSON"),
    ] {
        let answer = page.post("/api/runs", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.error().contains(words), "{body}: {}", answer.text());
    }
    assert_eq!(page.post("/api/show", r#"{"run":".."}"#).status, 404);
    assert_eq!(page.post("/api/show", r#"{"path":"a"}"#).status, 400);
    assert_eq!(page.state(), "idle");
    assert!(!page.folder.path().join("runs").exists());
}

#[test]
fn a_target_that_is_down_is_shown_as_what_it_is() {
    let page = Page::started(
        TempDir::new().unwrap(),
        &[
            "web",
            "--listen",
            "127.0.0.1:0",
            "--",
            "--otlp-grpc",
            "127.0.0.1:0",
            "--otlp-http",
            "127.0.0.1:0",
        ],
    );
    let down = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    page.start(&format!(
        r#"{{"host":"http://{down}","connections":[2],"run_time":"1s"}}"#
    ));
    let mut events = Events::open(page.address, None);
    let ended = events.next_with(|page| page["run"]["state"] == "ended");
    assert_eq!(
        ended.data["failures"][0]["outcome"], "connect_error",
        "{}",
        ended.raw
    );
}

#[test]
fn a_run_that_can_not_begin_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let grpc = taken.local_addr().unwrap().to_string();
    let page = Page::started(
        TempDir::new().unwrap(),
        &["web", "--listen", "127.0.0.1:0", "--", "--otlp-grpc", &grpc],
    );
    page.start(r#"{"connections":[1],"run_time":"1s"}"#);
    let mut events = Events::open(page.address, None);
    let failed = events.next_with(|page| {
        page["run"]["errors"]
            .as_array()
            .is_some_and(|e| !e.is_empty())
    });
    assert_eq!(failed.data["run"]["state"], "idle");
    let why = failed.data["run"]["errors"][0].as_str().unwrap();
    assert!(
        why.contains("cannot listen for traces") && why.contains("--otlp-grpc"),
        "{why}"
    );
}

/// Processes whose command line names that folder.
fn processes_of(folder: &std::path::Path) -> usize {
    let name = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(name))
        .count()
}

#[test]
fn a_run_does_not_outlive_the_page_that_started_it() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("mine");
    let out = out.to_str().unwrap().to_owned();
    let mut page = Page::started(
        folder,
        &[
            "run",
            "--web=127.0.0.1:0",
            "-c",
            "2",
            "-d",
            "60s",
            "--out",
            &out,
        ],
    );
    page.wait_for("running");
    let out = PathBuf::from(out);
    assert!(processes_of(&out) > 1);
    page.child.kill().unwrap();
    page.child.wait().unwrap();
    // It judges what it has, as after SIGTERM, and is gone.
    wait_until("the end of the run", || processes_of(&out) == 0);
    assert!(out.join("verdict.json").is_file());
    let journal = fs::read_to_string(out.join("journal.jsonl")).unwrap();
    assert!(
        journal.contains("\"interrupted\"") && journal.contains("the end of stdin"),
        "{journal}"
    );
}

#[test]
fn the_exit_code_is_the_runs() {
    let folder = TempDir::new().unwrap();
    let args = [
        "run",
        "--headless",
        "--web=127.0.0.1:0",
        "-c",
        "2",
        "-d",
        "1s",
        "--threshold",
        "p50>1h",
    ];
    let page = Page::started(folder, &args);
    assert_eq!(page.ended(), 1);
    let args = [
        "run",
        "--headless",
        "--web=127.0.0.1:0",
        "-c",
        "2",
        "-d",
        "1s",
    ];
    let page = Page::started(TempDir::new().unwrap(), &args);
    assert_eq!(page.ended(), 0);
}

#[test]
fn one_ctrl_c_stops_the_run_and_the_next_one_the_page() {
    let folder = TempDir::new().unwrap();
    let page = Page::started(
        folder,
        &["run", "--web=127.0.0.1:0", "-c", "2", "-d", "60s"],
    );
    page.wait_for("running");
    page.signal(Signal::INT);
    page.wait_for("ended");
    wait_until("the words", || {
        page.said().contains("the page stays at http://127.0.0.1:")
    });
    assert!(page.said().contains("report: "), "{}", page.said());
    page.signal(Signal::INT);
    assert_eq!(page.ended(), 130);

    // SIGTERM is somebody who waits for the end.
    let folder = TempDir::new().unwrap();
    let page = Page::started(
        folder,
        &["run", "--web=127.0.0.1:0", "-c", "2", "-d", "60s"],
    );
    page.wait_for("running");
    page.signal(Signal::TERM);
    let runs = page.folder.path().join("runs");
    let found = || {
        fs::read_dir(&runs)
            .unwrap()
            .flatten()
            .next()
            .unwrap()
            .path()
    };
    let run = found();
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("report");
    wait_until("the report", || run.join("verdict.json").is_file());
    fs::copy(run.join("verdict.json"), kept).unwrap();
    assert_eq!(page.ended(), 130);
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    // Traces that nobody sends are waited for: a run that is long about its end.
    let (folder, target) = (TempDir::new().unwrap(), silent_target());
    let plan = folder.path().join("plan.toml");
    fs::write(&plan, "name = 'slow-end'\n[traces]\ndrain = '60s'\n[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nduration = '60s'\n").unwrap();
    let plan = plan.to_str().unwrap().to_owned();
    let args = [
        "run",
        &plan,
        "--web=127.0.0.1:0",
        "--url",
        &target,
        "--otlp-grpc",
        "127.0.0.1:0",
        "--otlp-http",
        "127.0.0.1:0",
    ];
    let page = Page::started(folder, &args);
    // The plan's file can be chosen on the page.
    assert_eq!(page.get("/api/plans").json()[0]["name"], "slow-end");
    page.wait_for("running");
    page.signal(Signal::INT);
    page.wait_for("draining");
    page.signal(Signal::INT);
    let said = Arc::clone(&page.said);
    assert_eq!(page.ended(), 130);
    wait_until("the words", || {
        said.lock().unwrap().contains("stopped at once")
    });
}

/// Answers every request with 200, and exports nothing.
fn silent_target() -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
                }
            });
        }
    });
    url
}
