//! The start of a shard's load: waits until the trace receivers of all other shards answer, so that all begin within
//! some hundred milliseconds and no span comes to a shard that is not there yet.

use super::signals::Signals;
use super::terminal::say;
use crate::record::{Observation, Recorder, Shard};
use anyhow::{Result, bail};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long one attempt to connect may take.
const ATTEMPT_WITHIN: Duration = Duration::from_millis(500);
/// Pause between two attempts: all shards begin within about as much of each other.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Where a shard's trace receiver is, with `{}` in place of its index: `verifier-{}.verifier:4317`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers(String);

impl Peers {
    fn of(&self, index: u16) -> String {
        self.0.replace("{}", &index.to_string())
    }
}

impl FromStr for Peers {
    type Err = String;

    fn from_str(text: &str) -> Result<Peers, String> {
        let like = "write it like verifier-{}.verifier:4317, where {} stands for a shard's index";
        let port = text.rsplit_once(':').map(|(_, port)| port);
        // The index may be part of the port: shards on one machine.
        let port = port.map(|port| port.replace("{}", "0").parse::<u16>());
        if !text.contains("{}") {
            return Err(format!("{text:?} has no {{}} in it: {like}"));
        }
        match port {
            Some(Ok(_)) => Ok(Peers(text.to_owned())),
            _ => Err(format!("{text:?} has no port: {like}")),
        }
    }
}

/// Waits for the other shards; journalled.
///
/// # Errors
/// When one does not answer in time, or somebody asks the run to stop meanwhile.
pub(super) async fn pass(
    peers: &Peers,
    shard: Shard,
    within: Duration,
    recorder: &Recorder,
) -> Result<()> {
    let others: Vec<String> = shard.others().map(|index| peers.of(index)).collect();
    say(&format!(
        "shard {shard}: waiting for {} other shards",
        others.len()
    ));
    let begun_ns = recorder.clock().now_ns();
    let mut signals = Signals::new()?;
    // Those that have not answered yet, and why.
    let absent = Mutex::new(BTreeMap::new());
    let answers = join_all(others.iter().map(|address| answers(address, &absent)));
    tokio::select! {
        _ = answers => {}
        () = tokio::time::sleep(within) => bail!("{}", complaint(&absent, within)),
        signal = signals.next() => bail!("{signal} while shard {shard} waited for the others: nothing was sent"),
    }
    recorder.observe(Observation::ShardsReady {
        peers: others,
        waited_ns: recorder.clock().now_ns() - begun_ns,
    });
    Ok(())
}

/// Tries until a connection is accepted.
async fn answers(address: &str, absent: &Mutex<BTreeMap<String, String>>) {
    let lock = || absent.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let error = match tokio::time::timeout(ATTEMPT_WITHIN, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                lock().remove(address);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        lock().insert(address.to_owned(), error);
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

fn complaint(absent: &Mutex<BTreeMap<String, String>>, within: Duration) -> String {
    let absent = absent.lock().unwrap_or_else(PoisonError::into_inner);
    let each = absent
        .iter()
        .map(|(address, error)| format!("{address} ({error})"));
    format!(
        "not all shards are there: no connection within {} to {}; are all of them started, and is --shard-peers where their OTLP/gRPC is taken?",
        crate::plan::format_duration(within),
        each.collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_have_an_index_and_a_port() {
        let peers: Peers = "verifier-{}.verifier:4317".parse().unwrap();
        assert_eq!(peers.of(12), "verifier-12.verifier:4317");
        assert_eq!(
            "127.0.0.1:431{}".parse::<Peers>().unwrap().of(7),
            "127.0.0.1:4317"
        );
        for wrong in ["", "verifier:4317", "verifier-{}", "verifier-{}:otlp", "{}"] {
            assert!(wrong.parse::<Peers>().is_err(), "{wrong}");
        }
    }
}
