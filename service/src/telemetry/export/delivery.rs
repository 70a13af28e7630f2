//! One export connection at work: takes a batch, sends it until its fate is known, takes the next.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    Closing,
    answer::Answer,
    backoff::Backoff,
    connection::{Connection, Failure},
    target::Target,
};
use crate::telemetry::{
    flow::{Batch, Flow},
    ledger::Reason,
};

/// Nobody waits for long while the process is being stopped.
const LONGEST_WAIT_WHEN_CLOSING: Duration = Duration::from_millis(200);

/// The connection, and what it needs to know.
pub(super) struct Delivery {
    flow: Arc<Flow>,
    target: Arc<Target>,
    closing: watch::Receiver<Closing>,
    connection: Option<Connection>,
    /// Failures since the last success, for the log.
    failures: u64,
    /// Their reasons.
    reasons: BTreeSet<Reason>,
}

impl Delivery {
    pub(super) fn new(
        flow: Arc<Flow>,
        target: Arc<Target>,
        closing: watch::Receiver<Closing>,
    ) -> Delivery {
        Delivery {
            flow,
            target,
            closing,
            connection: None,
            failures: 0,
            reasons: BTreeSet::new(),
        }
    }

    /// Delivers until the process stops and the queue is empty.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.next().await {
            let Some(batch) = loaded(batch).await else {
                continue;
            };
            let mut parts = vec![batch];
            while let Some(part) = parts.pop() {
                if let Err(too_large) = self.deliver(part).await {
                    match too_large.split() {
                        Ok((first, second)) => parts.extend([second, first]),
                        Err(single) => single.lose("too_large".into()),
                    }
                }
            }
        }
    }

    async fn next(&mut self) -> Option<Batch> {
        loop {
            if let Some(batch) = self.flow.take() {
                return Some(batch);
            }
            if self.closing.borrow().is_some() {
                return None;
            }
            tokio::select! {
                () = self.flow.arrived.notified() => {}
                _ = self.closing.changed() => {}
            }
        }
    }

    /// Sends the batch until it is settled; gives it back if the receiver finds it too large.
    async fn deliver(&mut self, batch: Batch) -> Result<(), Batch> {
        if batch.spans() == 0 {
            return Ok(());
        }
        let body = self.target.body(batch.request());
        let mut backoff = Backoff::new();
        loop {
            match self.attempt(body.clone()).await {
                Answer::Taken { rejected, message } => {
                    self.succeeded(rejected, &message);
                    drop(body);
                    batch.acknowledge(rejected);
                    return Ok(());
                }
                Answer::Again {
                    reason,
                    after,
                    cause,
                } => {
                    let wait = backoff.next(after);
                    self.failed(&reason, cause.as_deref(), wait);
                    *self.flow.counts().retries.entry(reason).or_default() += 1;
                    self.pause(wait).await;
                }
                Answer::TooLarge => return Err(batch),
                Answer::Never { reason } => {
                    tracing::error!(%reason, spans = batch.spans(), "collector refused spans for good");
                    batch.lose(reason);
                    return Ok(());
                }
            }
        }
    }

    async fn attempt(&mut self, body: super::body::Pieces) -> Answer {
        let reused = self.connection.as_ref().is_some_and(Connection::usable);
        let answer = self.attempt_once(body.clone()).await;
        match answer {
            // A kept-alive connection may have been closed just as we used it: that says nothing
            // about the collector, so the first try on a fresh connection comes at once.
            Answer::Again { ref reason, .. } if reused && reason == "connection_lost" => {
                *self
                    .flow
                    .counts()
                    .retries
                    .entry(reason.clone())
                    .or_default() += 1;
                self.attempt_once(body).await
            }
            answer => answer,
        }
    }

    async fn attempt_once(&mut self, body: super::body::Pieces) -> Answer {
        match self.send(body).await {
            Ok(answer) => answer,
            Err(Failure { reason, cause }) => {
                let cause = format!("{cause:#}");
                tracing::debug!(reason, cause, "an export got no answer");
                Answer::Again {
                    reason: reason.into(),
                    after: None,
                    cause: Some(cause),
                }
            }
        }
    }

    async fn send(&mut self, body: super::body::Pieces) -> Result<Answer, Failure> {
        let usable = self.connection.take().filter(Connection::usable);
        let mut connection = match usable {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        self.flow.counts().attempts += 1;
        let answer = connection.send(&self.target, body).await?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn pause(&mut self, wait: Duration) {
        if self.closing.borrow_and_update().is_some() {
            tokio::time::sleep(wait.min(LONGEST_WAIT_WHEN_CLOSING)).await;
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // The process stops: this is the last chance, so try at once.
            _ = self.closing.changed() => {}
        }
    }

    fn failed(&mut self, reason: &Reason, cause: Option<&str>, wait: Duration) {
        self.failures += 1;
        let new = self.reasons.insert(reason.clone());
        // The first of each reason, and then ever more rarely: an outage of an hour is a dozen lines.
        if new || self.failures.is_power_of_two() {
            let (failures, wait_ms) = (self.failures, wait.as_millis());
            tracing::warn!(%reason, cause, failures, wait_ms, "export failed, spans are kept and sent again");
        }
    }

    fn succeeded(&mut self, rejected: u64, message: &str) {
        self.reasons.clear();
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!("the collector takes spans again");
        }
        if rejected > 0 {
            tracing::error!(
                rejected,
                message,
                "collector rejected spans (partial success)"
            );
        } else if !message.is_empty() {
            tracing::warn!(message, "collector took the spans with a warning");
        }
    }
}

/// What is only on disk is read on a thread that may block.
async fn loaded(batch: Batch) -> Option<Batch> {
    if batch.is_loaded() {
        return Some(batch);
    }
    // If that thread could not be had, the batch's own end has settled it.
    tokio::task::spawn_blocking(|| batch.load()).await.ok()
}
