//! Recorded runs: listed, shown, their files fetched, and nothing else's.

use super::browser::Events;
use super::*;
use std::fs;
use std::path::Path;

/// A recorded run in `runs/NAME` of a folder.
fn recorded(folder: &Path, name: &str) {
    let out = folder.join("runs").join(name);
    let out = out.to_str().unwrap();
    let run = Command::new(VERIFIER)
        .args(["run", "--headless", "-c", "2", "-d", "1s", "--out", out])
        .output()
        .unwrap();
    assert_eq!(
        run.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_recorded_run_is_shown_and_those_beside_it_are_listed() {
    let folder = TempDir::new().unwrap();
    recorded(folder.path(), "one");
    recorded(folder.path(), "two");
    fs::create_dir_all(folder.path().join("runs/no-run")).unwrap();
    std::os::unix::fs::symlink("one", folder.path().join("runs/link")).unwrap();
    let page = Page::started(folder, &["show", "runs/one", "--web=127.0.0.1:0"]);
    let mut events = Events::open(page.address, None);
    let shown = events.next_with(|page| page["run"]["state"] == "ended");
    assert_eq!(shown.data["run"]["id"], "one");
    assert_eq!(shown.data["verdict"]["outcome"], "pass", "{}", shown.raw);
    let statistics = shown.data["statistics"].as_array().unwrap();
    let verdict: Value =
        serde_json::from_slice(&fs::read(page.run_folder("one").join("verdict.json")).unwrap())
            .unwrap();
    assert_eq!(
        statistics.last().unwrap()["requests"],
        verdict["stages"][0]["exchanges"]["planned"]
    );

    let runs = page.get("/api/runs").json();
    let line = &runs[0];
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(
        (
            line["id"].as_str(),
            line["plan"].as_str(),
            line["outcome"].as_str()
        ),
        (Some("two"), Some("quick"), Some("pass"))
    );
    assert!(
        line["started_unix_ms"].as_u64() > Some(1_600_000_000_000),
        "{line}"
    );
    for outside in ["link", "no-run", "..", "../runs/two", "/", ""] {
        let body = serde_json::json!({ "run": outside }).to_string();
        assert_eq!(page.post("/api/show", &body).status, 404, "{outside}");
    }
    assert_eq!(page.post("/api/show", r#"{"run":"two"}"#).status, 202);
    events.next_with(|page| page["run"]["id"] == "two" && page["run"]["state"] == "ended");

    // Locust's tables of an ended run are the files of legacy/.
    for (path, file) in [
        ("/stats/requests/csv", "locust_stats.csv"),
        (
            "/stats/requests_full_history/csv",
            "locust_stats_history.csv",
        ),
        ("/stats/failures/csv", "locust_failures.csv"),
        ("/exceptions/csv", "locust_exceptions.csv"),
    ] {
        let answer = page.get(path);
        assert_eq!(answer.header("content-type"), Some("text/csv"));
        let file = page.run_folder("two").join("legacy").join(file);
        assert_eq!(answer.body, fs::read(file).unwrap(), "{path}");
    }
    let requests = page.get("/stats/requests").json();
    assert_eq!(requests["state"], "stopped");
    let planned = &page.page()["statistics"][0]["requests"];
    assert_eq!(&requests["stats"][0]["num_requests"], planned);
    let report = page.get("/stats/report");
    assert_eq!(
        report.body,
        fs::read(page.run_folder("two").join("report.html")).unwrap()
    );
    assert!(
        report
            .header("content-security-policy")
            .unwrap()
            .contains("sandbox")
    );
    let kept = page.get("/stats/report?download=1");
    assert!(
        kept.header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
}

#[test]
fn a_run_of_before_there_were_pages_is_shown_like_any_other() {
    let folder = TempDir::new().unwrap();
    recorded(folder.path(), "old");
    let run = folder.path().join("runs/old");
    let written = fs::read_to_string(run.join("page.json")).unwrap();
    fs::remove_file(run.join("page.json")).unwrap();
    let page = Page::started(folder, &["show", "runs/old", "--web=127.0.0.1:0"]);
    let mut events = Events::open(page.address, None);
    let shown = events.next_with(|page| page["exact"] == true);
    let (mut shown, mut written): (Value, Value) =
        (shown.data, serde_json::from_str(&written).unwrap());
    // There is a file less.
    let files = shown["files"].take();
    let before = written["files"].take();
    assert_eq!(
        files.as_array().unwrap().len() + 1,
        before.as_array().unwrap().len()
    );
    assert!(
        shown == written,
        "another page than the one that was written"
    );
    assert!(!run.join("page.json").exists(), "looking changes nothing");
}

#[test]
fn the_page_of_an_ended_run_is_sent_as_it_was_written_and_once() {
    let folder = TempDir::new().unwrap();
    recorded(folder.path(), "one");
    let page = Page::started(folder, &["show", "runs/one", "--web=127.0.0.1:0"]);
    let shown = Events::open(page.address, None).next();
    let written = fs::read_to_string(page.run_folder("one").join("page.json")).unwrap();
    assert_eq!(shown.raw, written);
    // Whoever has it gets it again only when another run was shown meanwhile.
    let mut again = Events::open(page.address, Some(&shown.id));
    page.start(r#"{"connections":[1],"run_time":"1s"}"#);
    assert_ne!(again.next().data["run"]["id"], "one");
    again.next_with(|page| page["exact"] == true && page["run"]["state"] == "ended");
}

#[test]
fn files_are_fetched_from_the_run_folder_alone() {
    let folder = TempDir::new().unwrap();
    recorded(folder.path(), "one");
    fs::write(folder.path().join("secret.txt"), "secret").unwrap();
    let run = folder.path().join("runs/one");
    std::os::unix::fs::symlink("../../secret.txt", run.join("link.txt")).unwrap();
    std::os::unix::fs::symlink("/etc", run.join("etc")).unwrap();
    let page = Page::started(folder, &["show", "runs/one", "--web=127.0.0.1:0"]);
    let shown = page.page();
    let files = shown["files"].as_array().unwrap();
    assert!(
        files
            .iter()
            .any(|file| file["path"] == "legacy/locust_stats.csv"),
        "{files:?}"
    );
    assert!(
        !files.iter().any(|file| file["path"] == "link.txt"),
        "{files:?}"
    );
    for file in files {
        let path = file["path"].as_str().unwrap();
        let answer = page.get(&format!("/files/{path}"));
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.body, fs::read(run.join(path)).unwrap(), "{path}");
        assert_eq!(
            file["bytes"].as_u64(),
            Some(answer.body.len() as u64),
            "{path}"
        );
        assert!(
            answer
                .header("content-disposition")
                .unwrap()
                .starts_with("attachment"),
            "{path}"
        );
    }
    for outside in [
        "link.txt",
        "etc/passwd",
        "../../secret.txt",
        "..%2F..%2Fsecret.txt",
        "%2e%2e/%2e%2e/secret.txt",
        "legacy/../../../secret.txt",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "legacy",
        "plan.toml%00",
        "",
        "nothing.txt",
    ] {
        let answer = page.get(&format!("/files/{outside}"));
        assert_eq!(answer.status, 404, "{outside}: {}", answer.text());
        assert!(
            !answer.text().contains("root:") && !answer.text().contains("secret\n"),
            "{outside}"
        );
    }
}

#[test]
fn what_a_killed_run_has_left_is_shown() {
    let folder = TempDir::new().unwrap();
    let run = folder.path().join("runs/killed");
    let mut child = Command::new(VERIFIER)
        .args([
            "run",
            "--headless",
            "-c",
            "2",
            "-d",
            "30s",
            "--out",
            run.to_str().unwrap(),
        ])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let rows = run.join("exchanges.rows");
    wait_until("some exchanges", || {
        fs::metadata(&rows).is_ok_and(|rows| rows.len() > 100_000)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let page = Page::started(folder, &["show", "runs/killed", "--web=127.0.0.1:0"]);
    let shown = page.page();
    assert_eq!(shown["run"]["id"], "killed");
    assert!(
        shown["statistics"][0]["requests"].as_u64() > Some(1000),
        "{shown}"
    );
    assert_eq!(shown["verdict"], Value::Null);
    let no_report = page.get("/stats/report");
    assert_eq!(no_report.status, 404);
    assert!(
        no_report.error().contains("when the run has ended"),
        "{}",
        no_report.text()
    );
}

#[test]
fn what_is_no_run_folder_is_not_shown() {
    let folder = TempDir::new().unwrap();
    let none = Command::new(VERIFIER)
        .args(["show", folder.path().to_str().unwrap(), "--web=127.0.0.1:0"])
        .output()
        .unwrap();
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("is not a run folder"));
}
