//! Looks at the recorder's running figures, and remembers what takes two looks to see.

use super::look::{Look, Phase, StageLook};
use crate::plan::{Load, Plan, Stage};
use crate::record::{Recorder, Scene, StageNow};
use crate::run::terminal;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// CPU time is looked at over this long: a thread's clock goes in steps of its ticks.
const CPU_OVER_NS: u64 = 1_000_000_000;
/// Of what has happened, so much is kept.
const MOST_NOTES: usize = 64;

/// Who looks.
pub(super) struct Looking {
    plan: Plan,
    target: String,
    keys: bool,
    /// Parsed from the journal's text, of a search.
    probes: Vec<Stage>,
    /// When, and CPU time of each worker by then.
    cpu_then: (u64, Vec<u64>),
    workers: Vec<f64>,
    notes: Vec<(Duration, String)>,
    /// How many of the things that were said are among the notes, and which of the recorder's is next.
    said: usize,
    next_note: u64,
}

impl Looking {
    pub(super) fn new(plan: &Plan, target: String, keys: bool) -> Looking {
        Looking {
            plan: plan.clone(),
            target,
            keys,
            probes: Vec::new(),
            cpu_then: (0, Vec::new()),
            workers: Vec::new(),
            notes: Vec::new(),
            said: 0,
            next_note: 0,
        }
    }

    pub(super) fn look(&mut self, recorder: &Recorder, phase: Phase) -> Look {
        let now_ns = recorder.clock().now_ns();
        let live = recorder.live();
        let scene = live.scene();
        self.look_at_workers(now_ns, live.workers_cpu_ns());
        self.hear(now_ns, &scene);
        let (wanted, ready) = live.replicas();
        let of_cluster = ready.map(|ready| (wanted, ready));
        let started_here = scene.replicas.map(|(wanted, ready)| (Some(wanted), ready));
        let mut figures = live.figures();
        let stage = scene.stage.map(|now| now.stage);
        if let Some(stage) = stage.filter(|stage| *stage != figures.stage) {
            figures.clear(stage); // its first second is not over
        }
        let sources = live.of_source.iter();
        let complete = scene.sources.iter().cloned();
        let complete = complete.zip(sources.map(|source| source.complete.load(Relaxed)));
        let (stage, users) = match scene.stage {
            Some(now) => self.stage(now, now_ns, &scene),
            None => (None, None),
        };
        Look {
            plan: self.plan.name.clone(),
            target: self.target.clone(),
            elapsed: Duration::from_nanos(now_ns),
            stage,
            past: live.seconds().iter().map(|second| second.done).collect(),
            figures,
            users: users.filter(|_| phase == Phase::Load),
            workers: self.workers.clone(),
            due: live.traces_expected.load(Relaxed),
            complete: complete.collect(),
            replicas: of_cluster.or(started_here),
            notes: self.notes.clone(),
            keys: self.keys,
            phase,
        }
    }

    fn look_at_workers(&mut self, now_ns: u64, cpu_ns: Vec<u64>) {
        let (then_ns, before) = &self.cpu_then;
        let passed_ns = now_ns.saturating_sub(*then_ns);
        if passed_ns >= CPU_OVER_NS || before.len() != cpu_ns.len() {
            let pairs = cpu_ns.iter().zip(before);
            let share =
                |(now, then): (&u64, &u64)| now.saturating_sub(*then) as f64 / passed_ns as f64;
            self.workers = pairs.map(share).collect();
            self.cpu_then = (now_ns, cpu_ns);
        }
    }

    /// Takes in what was said and what has happened since the last look.
    fn hear(&mut self, now_ns: u64, scene: &Scene) {
        let new = scene
            .notes
            .iter()
            .filter(|note| note.number >= self.next_note);
        let new = new.map(|note| (Duration::from_nanos(note.at_ns), note.text.clone()));
        self.notes.extend(new);
        self.next_note = scene.notes.back().map_or(0, |note| note.number + 1);
        let said = terminal::said(self.said);
        self.said += said.len();
        let now = Duration::from_nanos(now_ns);
        self.notes.extend(said.into_iter().map(|line| (now, line)));
        let too_many = self.notes.len().saturating_sub(MOST_NOTES);
        self.notes.drain(..too_many);
    }

    /// The stage that runs, and how many users it has.
    fn stage(
        &mut self,
        now: StageNow,
        now_ns: u64,
        scene: &Scene,
    ) -> (Option<StageLook>, Option<u32>) {
        let index = usize::from(now.stage);
        let since = Duration::from_nanos(now_ns.saturating_sub(now.since_ns));
        for toml in scene.planned.iter().skip(self.probes.len()) {
            // What this program has written it can read; a stage that it can not is not shown.
            self.probes.extend(Stage::from_toml(toml).ok());
        }
        let searched = self.plan.search.is_some();
        let stages = if searched {
            &self.probes
        } else {
            &self.plan.stages
        };
        let Some(stage) = stages.get(index) else {
            return (None, None);
        };
        let look = StageLook {
            number: index + 1,
            of: (!searched).then_some(stages.len()),
            name: stage.name.clone(),
            load: load(&stage.load),
            wanted: wanted(stage, since),
            lasts: stage.duration,
            since,
            after: stages[index + 1..].iter().map(|stage| stage.duration).sum(),
        };
        (
            Some(look),
            stage
                .load
                .users_at(since)
                .map(|planned| scene.users.unwrap_or(planned)),
        )
    }
}

/// The load in two words.
fn load(load: &Load) -> String {
    match *load {
        Load::Connections { connections } => format!("{connections} connections"),
        Load::Users {
            users_from, users, ..
        } if users_from > 0 && users_from != users => {
            format!("{users_from} to {users} users")
        }
        Load::Users { users, .. } => format!("{users} users"),
        Load::Rate { rate, rate_to, .. } if rate != rate_to => {
            format!("{rate:.0} to {rate_to:.0} req/s")
        }
        Load::Rate { rate, .. } => format!("{rate:.0} req/s"),
    }
}

/// Requests per second that an open loop wants so long after its beginning.
fn wanted(stage: &Stage, since: Duration) -> Option<f64> {
    let Load::Rate { rate, rate_to, .. } = stage.load else {
        return None;
    };
    let share = since.as_secs_f64() / stage.duration.as_secs_f64();
    Some(rate + (rate_to - rate) * share.min(1.0))
}
