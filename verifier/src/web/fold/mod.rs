//! The state of a run that goes on, folded from its journal's lines and its exchanges as they come: bounded, whatever
//! the run's length; from it the page's document and Locust's tables are made.

mod cells;
mod cluster;
mod failures;
mod histogram;
mod history;
mod markers;
mod run;
mod seconds;
mod singled_out;
mod stages;
mod steps;
#[cfg(test)]
mod tests;

pub(super) use cells::Cell;
pub(super) use failures::request;
pub(super) use histogram::ms;
pub(super) use history::{HistoryRow, SHARES};
pub(super) use seconds::OPEN;

use crate::plan::{Plan, Stage};
use crate::record::run_key::hex;
use crate::record::{Entry, Exchange, Observation, Outcome};
use crate::verdict::page::{Page, SCHEMA, State, Statistics};
use cluster::OfCluster;
use failures::Failures;
use history::History;
use markers::Markers;
use run::Identity;
use seconds::{Beside, Seconds};
use singled_out::SingledOut;
use stages::Stages;
use steps::Steps;

pub(super) const SECOND_NS: u64 = 1_000_000_000;
/// No run is longer than this.
const LONGEST_SECONDS: u64 = 7 * 24 * 3600;
/// Tables of this many stages and tasks at most.
const MOST_CELLS: usize = 2000;
/// Name of a sum, as in Locust.
pub(super) const AGGREGATED: &str = "Aggregated";

/// The state.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    pub(super) plan: Plan,
    /// Tasks of the plan, at least one.
    pub(super) tasks: usize,
    pub(super) run: Identity,
    pub(super) stages: Stages,
    /// The first stage's tasks, then the second's, and so on.
    pub(super) cells: Vec<Cell>,
    pub(super) seconds: Seconds,
    pub(super) history: History,
    pub(super) failures: Failures,
    steps: Steps,
    singled_out: SingledOut,
    markers: Markers,
    cluster: OfCluster,
    /// Until when answers of a stage count for its rate, by stage.
    until_ns: Vec<u64>,
    /// Users were changed while the run went on: it understands that.
    pub(super) users_changed: bool,
}

impl Fold {
    /// Nothing seen yet.
    pub(super) fn new(plan: Plan) -> Fold {
        Fold {
            tasks: plan.tasks.len().max(1),
            plan,
            run: Identity::default(),
            stages: Stages::default(),
            cells: Vec::new(),
            seconds: Seconds::default(),
            history: History::default(),
            failures: Failures::default(),
            steps: Steps::default(),
            singled_out: SingledOut::default(),
            markers: Markers::default(),
            cluster: OfCluster::default(),
            until_ns: Vec::new(),
            users_changed: false,
        }
    }

    /// Takes in a line of the journal.
    pub(super) fn entry(&mut self, entry: &Entry) {
        let Entry { at_ns, observation } = entry;
        self.run.take(observation);
        let mut stage = None;
        match observation {
            Observation::StagePlanned { toml, .. } => match Stage::from_toml(toml) {
                Ok(stage) => self.plan.stages.push(stage),
                Err(error) => self
                    .run
                    .complain(format!("a stage can not be read: {error}")),
            },
            Observation::StageStarted { stage: index } => {
                let index = usize::from(*index);
                self.stages.start(index, *at_ns);
                self.seconds.begin(at_ns / SECOND_NS);
                stage = self.plan.stages.get(index);
                let duration_ns = stage.map_or(0, |stage| stage.duration.as_nanos() as u64);
                if index >= self.until_ns.len() {
                    self.until_ns.resize(index + 1, u64::MAX);
                }
                self.until_ns[index] = at_ns.saturating_add(duration_ns);
            }
            Observation::UsersChanged { stage, users } => {
                self.users_changed = true;
                self.stages
                    .change(usize::from(*stage), *at_ns, f64::from(*users));
            }
            Observation::StageEnded { stage, .. } => self.stages.end(usize::from(*stage), *at_ns),
            _ => {}
        }
        self.markers
            .take(*at_ns, observation, stage.map(|stage| stage.name.as_str()));
        if self.steps.take(*at_ns, observation) {
            self.seconds.begin(at_ns / SECOND_NS);
        }
        if !self.cluster.take(entry) {
            let why = "so much is heard of the cluster that the page does not show the latest of it until the run has ended";
            self.run.complain(why.to_owned());
        }
    }

    /// Takes in exchanges, in the order in which they were written.
    pub(super) fn exchanges(&mut self, exchanges: &[Exchange]) {
        for exchange in exchanges {
            let second = exchange.done_ns / SECOND_NS;
            self.seconds.begin(second);
            self.reach(second);
            self.seconds.take(exchange);
            self.singled_out.take(exchange);
            if exchange.outcome != Outcome::Ok {
                self.failures.take(exchange);
            }
            let task = usize::from(exchange.task).min(self.tasks - 1);
            let place = usize::from(exchange.stage) * self.tasks + task;
            if place >= self.cells.len() {
                let most = MOST_CELLS.min(self.plan.stages.len() * self.tasks);
                if place >= most {
                    continue;
                }
                self.cells.resize_with(place + 1, Cell::default);
            }
            let until_ns = self.until_ns.get(usize::from(exchange.stage));
            self.cells[place].take(exchange, until_ns.copied().unwrap_or(u64::MAX));
        }
    }

    /// Time has come so far, whether or not anything happened.
    pub(super) fn reach(&mut self, second: u64) {
        let mut beside = Beside {
            plan: &self.plan,
            stages: &self.stages,
            steps: &mut self.steps,
            history: &mut self.history,
        };
        self.seconds.reach(second, &mut beside);
    }

    /// Looks at the cluster again; to be called now and then.
    pub(super) fn look_at_cluster(&mut self) {
        let (key, origin) = (self.run.key, self.run.origin_unix_ns);
        self.cluster.look(&self.plan, key, origin);
    }

    /// How far the run is, as long as its process runs.
    pub(super) fn state(&self) -> State {
        self.run.state(&self.stages)
    }

    /// The trace id of a request, in hex.
    pub(super) fn trace_id(&self, seq: u64) -> String {
        { self.run.key.as_ref() }.map_or_else(String::new, |key| hex(&key.trace_id(seq)))
    }

    /// Locust's history, with the seconds that are over by `now`.
    pub(super) fn history(&self, now: u64) -> Vec<HistoryRow> {
        let mut history = self.history.clone();
        let width = self.seconds.width();
        for (at, users, open) in self.seconds.unfinished(&self.plan, &self.stages) {
            if at <= now {
                history.take(at, width, users, open);
            }
        }
        history.rows
    }

    /// The page at `now_unix_ns`; its series is whole.
    pub(super) fn page(&self, now_unix_ns: u64, state: State) -> Page {
        let mut run = self.run.page(&self.plan, &self.stages, now_unix_ns);
        run.state = state;
        let now = match state {
            State::Ended => self.seconds.end(),
            _ => run.elapsed_seconds as u64,
        };
        let trace_id = |seq| self.trace_id(seq);
        Page {
            schema: SCHEMA.to_owned(),
            exact: false,
            statistics: self.statistics(now),
            series: self
                .seconds
                .series(now, &self.plan, &self.stages, &self.steps),
            failures: self.failures.page(&self.plan, trace_id),
            traces: self.singled_out.page(&self.plan, trace_id),
            markers: self.markers.marks.clone(),
            cluster: self.cluster.page(),
            trace_link: self.run.trace_link.clone(),
            limits: self.limits(),
            run,
            ..Page::default()
        }
    }

    /// What these figures can not say.
    fn limits(&self) -> Vec<String> {
        let mut limits = vec![
            "Running figures: percentiles are within 1 %, and what the verdict finds out is not known yet.".to_owned(),
        ];
        if self.seconds.width() > 1 {
            limits.push(format!(
                "The run is so long that each row of the charts stands for {} seconds: counts are of all of them, percentiles those of the worst.",
                self.seconds.width()
            ));
        }
        limits
    }

    fn statistics(&self, now: u64) -> Vec<Statistics> {
        let mut rows = Vec::new();
        let mut sum = Cell::default();
        for begun in &self.stages.begun {
            let Some(stage) = self.plan.stages.get(begun.index) else {
                continue;
            };
            let from = begun.index * self.tasks;
            let cells = self.cells.get(from..).unwrap_or_default();
            let ended = begun.end_ns.map(|ns| {
                let lasted = ns.saturating_sub(begun.start_ns) as f64 / 1e9;
                lasted.min(stage.duration.as_secs_f64())
            });
            let since = begun.start_ns / SECOND_NS;
            let row = |cell: &Cell, method: &str, name: &str| Statistics {
                stage: stage.name.clone(),
                ..statistics(cell, method, name, ended, since, now)
            };
            let mut of_stage = Cell::default();
            for (task, cell) in cells.iter().take(self.tasks).enumerate() {
                let (method, name, _) = request(&self.plan, task);
                rows.push(row(cell, method, name));
                of_stage.merge(cell);
            }
            if self.tasks > 1 {
                rows.push(row(&of_stage, "", AGGREGATED));
            }
            sum.merge(&of_stage);
        }
        let since = self.stages.begun.first().map_or(0, |first| first.start_ns);
        let until = self.stages.begun.last().and_then(|last| last.end_ns);
        let ended = until.map(|until| until.saturating_sub(since) as f64 / 1e9);
        rows.push(statistics(
            &sum,
            "",
            AGGREGATED,
            ended,
            since / SECOND_NS,
            now,
        ));
        rows
    }
}

/// A row; of what has ended, rates are over `ended` seconds.
fn statistics(
    cell: &Cell,
    method: &str,
    name: &str,
    ended: Option<f64>,
    since: u64,
    now: u64,
) -> Statistics {
    let rates = match ended {
        Some(seconds) => (seconds > 0.0)
            .then(|| [cell.in_time, cell.failures].map(|count| count as f64 / seconds)),
        None => cell.present_rates(since, now),
    };
    Statistics {
        stage: String::new(),
        method: method.to_owned(),
        name: name.to_owned(),
        requests: cell.requests,
        failures: cell.failures,
        latency_ms: cell.latency.times(),
        service_time_ms: cell.service.times(),
        average_bytes: (cell.answered > 0).then(|| cell.bytes as f64 / cell.answered as f64),
        requests_per_second: rates.map(|[answered, _]| answered),
        failures_per_second: rates.map(|[_, failed]| failed),
    }
}
