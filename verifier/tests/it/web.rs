//! The page's server, end to end: the real binary, real sockets, and what browsers and scripts would send.

mod browser;
mod events;
mod guard;
mod locust;
mod recorded;
mod runs;
mod traces;

use browser::{Answer, ask};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const VERIFIER: &str = env!("CARGO_BIN_EXE_verifier");

/// A verifier that serves the page, in a folder of its own.
struct Page {
    child: Child,
    address: SocketAddr,
    /// As it printed it.
    url: String,
    folder: TempDir,
    /// What it has printed so far.
    said: Arc<Mutex<String>>,
}

impl Page {
    /// `verifier web`.
    fn open() -> Page {
        Page::started(TempDir::new().unwrap(), &["web", "--listen", "127.0.0.1:0"])
    }

    /// With these arguments, in that folder.
    fn started(folder: TempDir, args: &[&str]) -> Page {
        let mut child = Command::new(VERIFIER)
            .args(args)
            .current_dir(folder.path())
            .env_remove("VERIFIER_WEB_TOKEN")
            .env_remove("VERIFIER_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let url = first.strip_prefix("verifier: the page: ");
        let url = url.unwrap_or_else(|| panic!("{first}")).to_owned();
        let authority = url.trim_start_matches("http://");
        let authority = authority
            .split('/')
            .next()
            .unwrap()
            .replace("localhost", "127.0.0.1");
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut heard = heard.lock().unwrap();
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Page {
            address: authority.parse().unwrap(),
            child,
            url,
            folder,
            said,
        }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path, &[], "")
    }

    fn post(&self, path: &str, body: &str) -> Answer {
        ask(self.address, "POST", path, &[], body)
    }

    /// Starts a run, and gives its name.
    fn start(&self, form: &str) -> String {
        let answer = self.post("/api/runs", form);
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["run"].as_str().unwrap().to_owned()
    }

    fn run_folder(&self, run: &str) -> PathBuf {
        self.folder.path().join("runs").join(run)
    }

    /// The page as it is now.
    fn page(&self) -> Value {
        browser::Events::open(self.address, None).next().data
    }

    fn state(&self) -> String {
        self.page()["run"]["state"].as_str().unwrap().to_owned()
    }

    fn wait_for(&self, state: &str) {
        wait_until(state, || self.state() == state);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    /// Waits for its end, and gives the exit code.
    fn ended(mut self) -> i32 {
        let end = Mutex::new(None);
        let child = Mutex::new(&mut self.child);
        wait_until("the end of the page's process", || {
            *end.lock().unwrap() = child.lock().unwrap().try_wait().unwrap();
            end.lock().unwrap().is_some()
        });
        let end = end.into_inner().unwrap();
        end.unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited a minute in vain: {what}");
        std::thread::yield_now();
    }
}
