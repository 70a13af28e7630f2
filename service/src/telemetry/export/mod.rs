//! Takes batches from the queue to the collector over N connections, on a thread and runtime of
//! its own: at least once, for as long as it takes or until shutdown's deadline.

mod answer;
mod backoff;
mod body;
mod connection;
mod delivery;
mod grpc;
mod patience;
mod stream;
mod target;
mod tls;

use std::{
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{sync::watch, task::JoinSet, time::MissedTickBehavior};

use self::{delivery::Delivery, patience::Patience, target::Target};
use super::{
    chunk::Packer,
    config::{OtlpConfig, TelemetryConfig},
    flow::Flow,
    pipeline::Pipeline,
};

/// Spans of an idle shard leave it after this long at the latest.
const SWEEP: Duration = Duration::from_millis(100);

/// How long the process may still take; `None` while it runs.
pub(super) type Closing = Option<tokio::time::Instant>;

/// The export thread.
#[derive(Debug)]
pub(super) struct Exporter {
    closing: watch::Sender<Closing>,
    thread: JoinHandle<()>,
}

impl Exporter {
    /// Starts the thread; fails if the endpoint or a certificate is unusable, or no thread can be had.
    pub(super) fn start(
        pipeline: &'static Pipeline,
        otlp: &OtlpConfig,
        config: &TelemetryConfig,
    ) -> Result<Exporter> {
        let target = Target::new(otlp)?;
        let (connections, patience) = (config.export_connections, config.collector_patience);
        let (closing, closes) = watch::channel(None);
        let (ready, started) = mpsc::channel();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Err(error) => drop(ready.send(Err(error))),
                Ok(runtime) => {
                    drop(ready.send(Ok(())));
                    runtime.block_on(export(pipeline, target, connections, patience, closes));
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("otlp-export".to_owned())
            .spawn(work)
            .context("cannot start the export thread")?;
        started
            .recv()
            .context("the export thread died")?
            .context("cannot start the export runtime")?;
        Ok(Exporter { closing, thread })
    }

    /// Sends what is queued until `timeout` is over.
    pub(super) fn finish(self, timeout: Duration) {
        #[allow(
            clippy::disallowed_methods,
            reason = "tokio's clock, read outside of its runtime"
        )]
        let deadline = tokio::time::Instant::now() + timeout;
        self.closing.send_replace(Some(deadline));
        if self.thread.join().is_err() {
            tracing::error!("the export thread panicked");
        }
    }
}

async fn export(
    pipeline: &'static Pipeline,
    target: Target,
    connections: usize,
    patience: Duration,
    mut closing: watch::Receiver<Closing>,
) {
    let mut patience = Patience::new(patience);
    let target = Arc::new(target);
    let mut deliveries = JoinSet::new();
    for _ in 0..connections.max(1) {
        let delivery = Delivery::new(pipeline.flow().clone(), target.clone(), closing.clone());
        deliveries.spawn(delivery.run());
    }
    let packing = tokio::spawn(pack(pipeline.flow().clone()));
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                pipeline.sweep();
                pipeline.flow().give_up(patience.is_over(pipeline.flow()));
            }
            () = pipeline.pressed.notified() => pipeline.sweep(),
            _ = closing.wait_for(Option::is_some) => break,
        }
    }
    packing.abort();
    let Some(deadline) = *closing.borrow() else {
        return;
    };
    let all = async { while deliveries.join_next().await.is_some() {} };
    // Past the deadline the deliveries are dropped, and each counts its batch as lost.
    let _ = tokio::time::timeout_at(deadline, all).await;
}

/// Compresses what waits whenever it crowds memory, on a thread that may block.
async fn pack(flow: Arc<Flow>) {
    let mut packer = match Packer::new() {
        Ok(packer) => packer,
        Err(error) => return tracing::error!(%error, "spans that wait can not be compressed"),
    };
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if !flow.is_crowded() {
            continue;
        }
        let flow = flow.clone();
        let packed = tokio::task::spawn_blocking(move || {
            flow.pack(&mut packer);
            packer
        });
        match packed.await {
            Ok(same) => packer = same,
            Err(error) => {
                return tracing::error!(%error, "spans that wait are no longer compressed");
            }
        }
    }
}
