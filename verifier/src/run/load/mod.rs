//! The load engine: from a plan's stages to requests on the wire and one exchange row each.
//!
//! One thread per worker, each with its own epoll and its own connections; workers share nothing on
//! the way of a request and meet only at the borders of stages.

mod arrivals;
mod backoff;
mod chunked;
mod connection;
mod dial;
mod ending;
mod exchanges;
mod framing;
mod h2;
mod hand;
mod pace;
mod place;
mod probes;
mod request;
mod response;
mod reuse;
mod schedule;
mod stage_run;
mod stages;
mod target;
mod tls;
mod users;
mod wire;
mod worker;

pub use hand::Hand;
pub use response::{Answer, Parser};
pub use target::Target;
pub use tls::{Tls, Trust};

use crate::plan::{Http, Plan};
use crate::record::Recorder;
use anyhow::{Result, anyhow};
use stages::Stages;
use tokio_util::sync::CancellationToken;

/// How the load is generated, beside the plan.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads.
    pub workers: usize,
    /// Seed of waits and back-off.
    pub seed: u64,
}

/// Half of the CPUs: the other half is for the target and the receiver.
pub fn default_workers() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)
}

/// Runs every stage of the plan, one after the other. Blocks. When it returns, every planned request
/// has its row with the recorder. Cancelled, it starts nothing more and gives what is in flight a short grace.
/// By the hand, users are added and taken away meanwhile.
///
/// # Errors
/// When a worker can not be started or its event queue fails; what was seen is recorded all the same.
pub fn run(
    plan: &Plan,
    target: &Target,
    options: &Options,
    recorder: &Recorder,
    cancel: &CancellationToken,
    hand: &Hand,
) -> Result<()> {
    raise_open_files_limit();
    let stages = Stages::new(plan, options.workers, recorder, cancel, hand);
    let requests = request::render(plan, target, options.seed);
    let http2 = match plan.request.http {
        Http::One => None,
        Http::Two => Some(h2::Requests::render(plan, target)?),
    };
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        for number in 0..options.workers {
            let (stages, requests, http2) = (&stages, requests.clone(), http2.clone());
            let work = move || worker::run(number, stages, target, requests, http2, options.seed);
            let thread = std::thread::Builder::new().name(format!("load-{number}"));
            workers.push(thread.spawn_scoped(scope, work)?);
        }
        for worker in workers {
            worker
                .join()
                .map_err(|_| anyhow!("a load worker panicked"))??;
        }
        stages.ended();
        Ok(())
    })
}

/// A thousand connections need more files than the usual soft limit of 1024.
fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without it, a connection too many ends as a connect_error row, which says so.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}
