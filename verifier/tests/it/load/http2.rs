//! HTTP/2 against real servers of it: the same rows as over HTTP/1.1, whatever they do.

mod bad;
mod loads;
mod secure;
pub(super) mod server;

use super::*;
use bytes::Bytes;
use server::{Act, Http2Server};
use std::sync::atomic::Ordering::SeqCst;

const CLOSED: &str = "kind = 'connections'\nconnections = 3";
const USERS: &str = "kind = 'users'\nusers = 3\nspawn_rate = 100\nwait = { constant = '20ms' }";
const OPEN: &str = "kind = 'rate'\nrate = 100\nconnections = 3";
const LOADS: [&str; 3] = [CLOSED, USERS, OPEN];

/// As [`plan`], over HTTP/2; of 300 ms, and with a timeout of 300 ms.
fn plan2(stage: &str) -> Plan {
    let mut plan = plan(&format!("{stage}\nduration = '300ms'"));
    plan.request.http = verifier::plan::Http::Two;
    plan
}

/// The same with time for a busy machine to answer.
fn patient2(stage: &str) -> Plan {
    let mut plan = plan2(stage);
    plan.request.timeout = Duration::from_secs(5);
    plan
}

fn answer() -> Act {
    Act::Answer(200, Bytes::from_static(b"{}"))
}

/// The bytes of an answer with that head and body: `:status` and its value, and the body.
fn answer_bytes(body: usize) -> u32 {
    u32::try_from(10 + body).unwrap()
}

fn traceparents(server: &Http2Server) -> Vec<String> {
    let requests = server.seen.requests.lock().unwrap();
    let traceparent = |(request, _): &(http::Request<()>, Bytes)| {
        let value = request.headers()["traceparent"].to_str().unwrap();
        value.to_owned()
    };
    requests.iter().map(traceparent).collect()
}

/// Whether the journal says that the target was given up, and why.
fn target_failed(recorded: &Recorded) -> Option<String> {
    recorded
        .journal
        .iter()
        .find_map(|entry| match &entry.observation {
            Observation::TargetFailed { error } => Some(error.clone()),
            _ => None,
        })
}
