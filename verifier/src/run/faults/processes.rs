//! Replicas that the verifier started itself: asked for and signalled through whoever started them, who alone knows
//! that a process id is still theirs.

use super::deed::{Deed, Undo};
use super::pick::pick;
use super::turn::Turn;
use crate::plan::Action;
use crate::record::cluster::Hit;
use rustix::process::Signal;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, oneshot};

/// What a fault asks of whoever started the replicas.
#[derive(Debug)]
pub enum Ask {
    /// Process ids of those that serve, the oldest first.
    Serving(oneshot::Sender<Vec<u32>>),
    /// Sends a signal.
    Signal {
        /// To this process.
        pid: u32,
        /// Which.
        signal: Signal,
        /// Whether it was sent, or why not.
        answer: oneshot::Sender<Result<(), String>>,
    },
}

/// The way there.
#[derive(Clone)]
pub(super) struct Processes(pub(super) mpsc::Sender<Ask>);

impl Processes {
    async fn serving(&self) -> Vec<u32> {
        let (answer, serving) = oneshot::channel();
        // Where nobody listens any more, nothing serves any more.
        let _ = self.0.send(Ask::Serving(answer)).await;
        serving.await.unwrap_or_default()
    }

    async fn signal(&self, pid: u32, signal: Signal) -> Result<(), String> {
        let (answer, sent) = oneshot::channel();
        let ask = Ask::Signal {
            pid,
            signal,
            answer,
        };
        let _ = self.0.send(ask).await;
        sent.await
            .unwrap_or_else(|_| Err("the run has ended".to_owned()))
    }

    /// Signals `count` of the replicas that serve, by the plan's seed, but for those that stand still already.
    pub(super) async fn hit(
        &self,
        action: Action,
        count: u16,
        stopped: &BTreeSet<u32>,
        turn: &Turn<'_>,
    ) -> Deed {
        let (signal, name) = signal_of(action);
        let mut serving = self.serving().await;
        serving.retain(|pid| !stopped.contains(pid));
        let picked = pick(serving.len(), usize::from(count), turn.seed);
        let mut deed = Deed {
            asked_ns: turn.now_ns(),
            ..Deed::default()
        };
        if picked.len() < usize::from(count) {
            let of = serving.len();
            deed.errors
                .push(format!("only {of} of {count} replicas: no more serve"));
        }
        let mut hit = Vec::new();
        for at in picked {
            let pid = serving[at];
            turn.tell(&format!("{name} to replica {pid}"));
            match self.signal(pid, signal).await {
                Ok(()) => {
                    hit.push(pid);
                    deed.hits.push(Hit {
                        name: pid.to_string(),
                        uid: String::new(),
                        what: format!("{name}, number {} by age of {}", at + 1, serving.len()),
                    });
                }
                Err(error) => deed.errors.push(format!("replica {pid}: {error}")),
            }
        }
        let lasts = action == Action::Sigstop && !hit.is_empty();
        deed.undo = lasts.then_some(Undo::Stop(hit));
        deed
    }

    /// Lets them go on.
    pub(super) async fn go_on(&self, pids: &[u32], turn: &Turn<'_>) -> Deed {
        let mut deed = Deed {
            asked_ns: turn.now_ns(),
            ..Deed::default()
        };
        for pid in pids {
            turn.tell(&format!("SIGCONT to replica {pid}"));
            match self.signal(*pid, Signal::CONT).await {
                Ok(()) => deed.hits.push(Hit {
                    name: pid.to_string(),
                    uid: String::new(),
                    what: "SIGCONT".to_owned(),
                }),
                Err(error) => deed.errors.push(format!("replica {pid}: {error}")),
            }
        }
        deed
    }
}

/// The signal of an action on processes, and its name.
fn signal_of(action: Action) -> (Signal, &'static str) {
    match action {
        Action::Sigterm => (Signal::TERM, "SIGTERM"),
        Action::Sigstop => (Signal::STOP, "SIGSTOP"),
        _ => (Signal::KILL, "SIGKILL"),
    }
}
