//! A run as a child process: started in a group of its own, so that Ctrl-C in the terminal is for its parent, which passes
//! it on once; its stdin is held open, and its end, whatever ended the parent, ends the run.

use super::logs::{Logs, pass_on};
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io::{stderr, stdout};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child as Process, Command};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Orders that may wait.
const MOST_ORDERS: usize = 64;
/// How long what a process has printed may still come after its end: whoever inherited its output may live on.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a run is told.
pub(super) enum Order {
    /// Stop the load, then judge; the second time: end at once.
    Signal(Signal),
    /// Keys, as if typed.
    Keys(Vec<u8>),
}

/// A run's process.
pub(super) struct Child {
    orders: Sender<Order>,
}

impl Child {
    /// Starts the program, and gives with it what waits for its end.
    ///
    /// # Errors
    /// When it can not be started.
    pub(super) fn start(
        program: &Path,
        args: &[OsString],
        logs: &Logs,
    ) -> Result<(
        Child,
        impl Future<Output = Option<ExitStatus>> + Send + use<>,
    )> {
        let mut process = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut copies = Vec::new();
        if let Some(errors) = process.stderr.take() {
            copies.push(logs.pass_on(errors.into_owned_fd()?, stderr())?);
        }
        if let Some(output) = process.stdout.take() {
            copies.push(pass_on(output.into_owned_fd()?, stdout())?);
        }
        let (orders, ordered) = channel(MOST_ORDERS);
        let end = async move {
            let status = wait(process, ordered).await;
            let copied = tokio::task::spawn_blocking(move || {
                for copy in copies {
                    // A copier has nothing to say.
                    let _ = copy.join();
                }
            });
            let _ = tokio::time::timeout(LAST_WORDS, copied).await;
            status
        };
        Ok((Child { orders }, end))
    }

    /// Tells it; whether it could be told.
    pub(super) fn tell(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }
}

/// Passes orders on until the process ends.
async fn wait(mut process: Process, mut orders: Receiver<Order>) -> Option<ExitStatus> {
    // Waiting would close it.
    let stdin = process
        .stdin
        .take()
        .and_then(|stdin| stdin.into_owned_fd().ok());
    let mut open = true;
    let status = loop {
        tokio::select! {
            status = process.wait() => break status,
            order = orders.recv(), if open => match order {
                Some(order) => obey(&process, stdin.as_ref(), order),
                None => open = false,
            },
        }
    };
    drop(stdin);
    status.ok()
}

fn obey(process: &Process, stdin: Option<&std::os::fd::OwnedFd>, order: Order) {
    match order {
        Order::Signal(signal) => {
            // Its id is its own until its end was waited for.
            let id = process.id().and_then(|id| i32::try_from(id).ok());
            if let Some(pid) = id.and_then(Pid::from_raw) {
                // Fails only when it has ended in this very moment.
                let _ = kill_process(pid, signal);
            }
        }
        Order::Keys(keys) => {
            if let Some(stdin) = stdin {
                // A pipe takes some kilobytes of them at once; whoever is gone needs none.
                let _ = rustix::io::write(stdin, &keys);
            }
        }
    }
}
