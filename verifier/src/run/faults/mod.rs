//! Faults: what the plan breaks on purpose, each at its moment beside the load, and all put back as it was found when
//! the load has ended.
//!
//! Nothing is touched that the guards do not let through: `reach.rs` hands out the plan's Deployment and its pods only,
//! `permissions.rs` asks beforehand whether the account may do what the plan needs, `lease.rs` keeps other runs away.

mod answer;
mod collector;
mod cordon;
mod deed;
mod dry_run;
mod hands;
mod lease;
pub mod permissions;
mod pick;
mod pods;
mod processes;
mod reach;
mod rollout;
mod scale;
mod schedule;
mod turn;

pub use dry_run::dry_run;
pub use processes::Ask;

use crate::plan::{Fault, Plan};
use crate::record::cluster::FaultDone;
use crate::record::{Clock, Observation, Recorder};
use crate::run::kubernetes::Access;
use anyhow::{Context, Result, ensure};
use deed::Deed;
use hands::Hands;
use lease::Lease;
use processes::Processes;
use reach::Reach;
use schedule::{Due, Moment, Seen};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use turn::Turn;

/// How often a fault looks whether its moment has come.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Faults that may be done: the guards have let them through.
pub struct Faults {
    timed: Vec<Timed>,
    reach: Option<Reach>,
    /// Names the run to others.
    holder: String,
    lease: Option<Lease>,
}

/// A fault and its moment.
struct Timed {
    fault: Fault,
    moment: Moment,
    seed: u64,
}

/// Faults beside a load that runs.
pub struct Running {
    hands: Arc<Hands>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    keeper: Option<JoinHandle<()>>,
}

impl Faults {
    /// Holds everything that can be held before any load; `None` where the plan breaks nothing. `holder` names the run
    /// to others, `started_here` says that the verifier starts the replicas itself.
    ///
    /// # Errors
    /// When a fault could not be done or might hit something else, and when another run has the lease.
    pub async fn prepare(
        plan: &Plan,
        access: &Access,
        holder: &str,
        clock: Clock,
        started_here: bool,
    ) -> Result<Option<Faults>> {
        if plan.faults.is_empty() {
            return Ok(None);
        }
        fits(plan, started_here)?;
        let reach = reach(plan, access).await?;
        if let Some(reach) = &reach {
            Lease::free(reach, clock).await?;
        }
        Ok(Some(Faults {
            timed: timed(plan),
            reach,
            holder: holder.to_owned(),
            lease: None,
        }))
    }

    /// Takes the lease, where a cluster is touched: the load is about to begin.
    ///
    /// # Errors
    /// When another run was quicker.
    pub async fn take_lease(&mut self, clock: Clock) -> Result<()> {
        if let Some(reach) = &self.reach {
            self.lease = Some(Lease::take(reach, &self.holder, clock).await?);
        }
        Ok(())
    }

    /// Waits for each one's moment from now on, on the current runtime. What faults ask of replicas that the verifier
    /// started goes to `asks`.
    pub fn start(self, recorder: &Recorder, asks: mpsc::Sender<Ask>) -> Running {
        let keeper = { self.lease.clone() }.map(|lease| tokio::spawn(lease.keep()));
        let hands = Hands::new(self.reach, self.lease, Some(Processes(asks)));
        let (hands, stop) = (Arc::new(hands), CancellationToken::new());
        let one_at_a_time = Arc::new(Mutex::new(()));
        let mut tasks = JoinSet::new();
        for timed in self.timed {
            let one = One {
                timed,
                recorder: recorder.clone(),
                hands: Arc::clone(&hands),
                one_at_a_time: Arc::clone(&one_at_a_time),
                stop: stop.clone(),
            };
            tasks.spawn(one.live());
        }
        Running {
            hands,
            stop,
            tasks,
            keeper,
        }
    }
}

impl Running {
    /// The load has ended: what has not been done is not done any more, what lasts is undone, and the lease given back.
    pub async fn end(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
        if let Some(lease) = &self.hands.lease {
            lease.give_back().await;
        }
    }

    /// What a person would have to do by hand, if the process ended now.
    pub fn left(&self) -> Vec<String> {
        self.hands.left()
    }
}

/// One fault, from its waiting to its undoing.
struct One {
    timed: Timed,
    recorder: Recorder,
    hands: Arc<Hands>,
    one_at_a_time: Arc<Mutex<()>>,
    stop: CancellationToken,
}

impl One {
    async fn live(self) {
        let fault = &self.timed.fault;
        let turn = Turn {
            fault: &fault.name,
            seed: self.timed.seed,
            dry: false,
            clock: self.recorder.clock(),
        };
        let mut deed = match self.moment().await {
            Ok(()) => {
                let _turn = self.one_at_a_time.lock().await;
                self.hands.act(fault, &turn).await
            }
            Err(why) => Deed::failed(turn.now_ns(), why),
        };
        for error in &deed.errors {
            turn.tell(error);
        }
        let undo = deed.undo.take();
        self.observe(Observation::FaultDone, deed);
        let Some(undo) = undo else { return };
        let lasts = async {
            match fault.lasts {
                Some(lasts) => tokio::time::sleep(lasts).await,
                None => std::future::pending().await,
            }
        };
        let last = tokio::select! {
            () = self.stop.cancelled() => true,
            () = lasts => false,
        };
        let _turn = self.one_at_a_time.lock().await;
        let undone = self.hands.undo(&undo, last, &turn).await;
        self.observe(Observation::FaultUndone, undone);
    }

    fn observe(&self, kind: fn(FaultDone) -> Observation, deed: Deed) {
        self.recorder
            .observe(kind(deed.done(&self.timed.fault.name)));
    }

    /// Waits for it.
    ///
    /// # Errors
    /// In words, when it does not come any more.
    async fn moment(&self) -> Result<(), String> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(format!(
                    "not done: the load ended before its moment ({})",
                    self.timed.moment.words()
                )),
                _ = look.tick() => {}
            }
            let live = self.recorder.live();
            let seen = Seen {
                now_ns: self.recorder.clock().now_ns(),
                stage: live.stage(),
                replicas: live.replicas(),
            };
            match self.timed.moment.due(&seen) {
                Due::Later => {}
                Due::Now => return Ok(()),
                Due::Missed(why) => return Err(why),
            }
        }
    }
}

fn timed(plan: &Plan) -> Vec<Timed> {
    let seed = plan.seed.unwrap_or_default();
    let timed = plan
        .faults
        .iter()
        .zip(0_u64..)
        .filter_map(|(fault, index)| {
            Some(Timed {
                fault: fault.clone(),
                moment: Moment::of(fault, plan)?,
                seed: seed ^ index,
            })
        });
    timed.collect()
}

/// Faults of processes are for those that the verifier starts.
fn fits(plan: &Plan, started_here: bool) -> Result<()> {
    for fault in &plan.faults {
        let (name, action) = (&fault.name, fault.action.word());
        ensure!(
            !fault.action.of_processes() || started_here,
            "fault {name:?}: {action} is for replicas that the verifier starts itself, and the target is elsewhere (--url, or the plan's [cluster]): leave that out, or run with --no-faults"
        );
    }
    Ok(())
}

/// The Deployment, if the plan has faults for one.
async fn reach(plan: &Plan, access: &Access) -> Result<Option<Reach>> {
    let of_cluster = plan.faults.iter().any(|fault| !fault.action.of_processes());
    let Some(names) = plan.cluster.as_ref().filter(|_| of_cluster) else {
        return Ok(None);
    };
    let (client, server) = access.client().await?;
    let needs = permissions::needs(&plan.faults);
    let found = async {
        permissions::hold(&client, &names.namespace, &needs).await?;
        Reach::find(client.clone(), names).await
    };
    let reach = found.await;
    let reach = reach.with_context(|| format!("the faults of plan {:?}, at {server}", plan.name));
    reach.map(Some)
}
