//! What Locust knows of a run, as plain figures: of one that goes on out of what is folded so far, of an ended one out of
//! its page. All times are service times, from the actual send, as Locust measures.

use super::words::{error, sum_name};
use crate::record::Outcome;
use crate::verdict::page::{State, Statistics};
use crate::web::document::OfPage;
use crate::web::fold::{AGGREGATED, Cell, Fold, HistoryRow, OPEN, SECOND_NS, SHARES, ms, request};

/// Places of the percentiles that a page has, among [`SHARES`].
const MEDIAN: usize = 0;
const P95: usize = 5;
const P99: usize = 7;
const MOST: usize = SHARES.len() - 1;
/// Rows of each table, as Locust has them.
const MOST_ROWS: usize = 500;

/// One row of the request table.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) method: String,
    pub(super) name: String,
    pub(super) requests: u64,
    pub(super) failures: u64,
    /// Milliseconds, of [`SHARES`].
    pub(super) percentiles_ms: [Option<f64>; SHARES.len()],
    pub(super) mean_ms: Option<f64>,
    pub(super) least_ms: Option<f64>,
    pub(super) most_ms: Option<f64>,
    /// Bytes of an answer.
    pub(super) content: f64,
    /// Requests and failures per second since the begin.
    pub(super) total_rates: [f64; 2],
    /// The same of the last seconds.
    pub(super) present_rates: [f64; 2],
}

/// One line of the error report.
#[derive(Clone, Debug)]
pub(super) struct ErrorRow {
    pub(super) method: String,
    pub(super) name: String,
    pub(super) error: String,
    pub(super) occurrences: u64,
    pub(super) first_unix_seconds: f64,
    pub(super) last_unix_seconds: f64,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) state: State,
    /// Users are still being spawned.
    pub(super) spawning: bool,
    pub(super) user_count: u64,
    pub(super) rows: Vec<Row>,
    pub(super) total: Row,
    pub(super) errors: Vec<ErrorRow>,
    /// Median and 95th percentile of the last ten seconds, milliseconds.
    pub(super) present_ms: [Option<f64>; 2],
    pub(super) origin_unix_ns: u64,
    pub(super) history: Vec<HistoryRow>,
}

impl Figures {
    /// Of no run.
    pub(super) fn none() -> Figures {
        let name = AGGREGATED.to_owned();
        Figures {
            total: Row {
                name,
                ..Row::default()
            },
            ..Figures::default()
        }
    }

    /// Of a run that goes on, or whose page was never written.
    pub(super) fn of_fold(fold: &Fold, state: State, now_unix_ns: u64) -> Figures {
        let origin_unix_ns = fold.run.origin_unix_ns;
        let now_ns = now_unix_ns.saturating_sub(origin_unix_ns);
        let mut figures = Figures {
            state,
            origin_unix_ns,
            ..Figures::none()
        };
        let many = fold.plan.stages.len() > 1;
        let mut sum = Cell::default();
        let first_ns = fold.stages.begun.first().map_or(0, |begun| begun.start_ns);
        for begun in &fold.stages.begun {
            let stage = fold.plan.stages.get(begun.index).filter(|_| many);
            let cells = fold
                .cells
                .get(begun.index * fold.tasks..)
                .unwrap_or_default();
            for (task, cell) in cells.iter().take(fold.tasks).enumerate() {
                sum.merge(cell);
                if cell.requests > cell.unsent && figures.rows.len() < MOST_ROWS {
                    let (method, name, _) = request(&fold.plan, task);
                    let name = sum_name(name, stage.map(|stage| stage.name.as_str()));
                    figures
                        .rows
                        .push(row(cell, method, &name, begun.start_ns, now_ns));
                }
            }
        }
        figures
            .rows
            .sort_by(|a, b| (&a.name, &a.method).cmp(&(&b.name, &b.method)));
        figures.total = row(&sum, "", AGGREGATED, first_ns, now_ns);
        if state == State::Running {
            let (users, _) = fold.stages.wanted(&fold.plan, now_ns);
            figures.user_count = users.unwrap_or(0.0) as u64;
            let in_full = fold
                .stages
                .present()
                .and_then(|begun| fold.plan.stages.get(begun.index));
            let in_full = in_full.map_or(0.0, |stage| stage.load.size());
            figures.spawning = users.is_some_and(|users| users < in_full) && !fold.users_changed;
            let second = now_ns / SECOND_NS;
            let present = fold
                .seconds
                .service_between(second.saturating_sub(OPEN as u64 - 2), second);
            figures.present_ms = present.percentiles_ns([0.5, 0.95]).map(|ns| ns.map(ms));
        }
        figures.errors = errors(fold);
        figures.history = fold.history(match state {
            State::Ended => u64::MAX,
            _ => now_ns / SECOND_NS,
        });
        figures
    }

    /// Of an ended run.
    pub(super) fn of_page(page: &OfPage) -> Figures {
        let origin_unix_ns = page.run.started_unix_ms.saturating_mul(1_000_000);
        let many = { page.statistics.iter() }
            .any(|row| !row.stage.is_empty() && row.stage != page.statistics[0].stage);
        let tasks = page
            .statistics
            .iter()
            .filter(|row| !row.stage.is_empty() && row.name != AGGREGATED);
        let sum = page.statistics.iter().rfind(|row| row.stage.is_empty());
        let rows = tasks.take(MOST_ROWS).map(|row| {
            let name = sum_name(&row.name, many.then_some(row.stage.as_str()));
            of_statistics(row, &row.method, &name)
        });
        let unix = |seconds: f64| origin_unix_ns as f64 / 1e9 + seconds;
        let errors = page
            .failures
            .iter()
            .take(MOST_ROWS)
            .map(|failure| ErrorRow {
                method: failure.method.clone(),
                name: failure.name.clone(),
                error: error(
                    &failure.name,
                    None,
                    failure.status.unwrap_or(0),
                    Outcome::from_name(&failure.outcome).unwrap_or(Outcome::Reset),
                ),
                occurrences: failure.count,
                first_unix_seconds: unix(failure.first_seconds),
                last_unix_seconds: unix(failure.last_seconds),
            });
        Figures {
            state: page.run.state,
            rows: rows.collect(),
            total: sum.map_or_else(
                || Figures::none().total,
                |sum| of_statistics(sum, "", AGGREGATED),
            ),
            errors: errors.collect(),
            origin_unix_ns,
            ..Figures::none()
        }
    }
}

fn row(cell: &Cell, method: &str, name: &str, start_ns: u64, now_ns: u64) -> Row {
    let tried = cell.requests - cell.unsent;
    let failed = cell.failures - cell.unsent;
    let seconds = cell.last_ns.saturating_sub(start_ns) as f64 / 1e9;
    let rate = |count: u64| {
        if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        }
    };
    // What is still under way is in no second yet: Locust leaves the last two out.
    let now = (now_ns / SECOND_NS).saturating_sub(1);
    Row {
        method: method.to_owned(),
        name: name.to_owned(),
        requests: tried,
        failures: failed,
        percentiles_ms: cell.service.percentiles_ns(SHARES).map(|ns| ns.map(ms)),
        mean_ms: cell.service.mean_ms(),
        least_ms: cell.service.least_ms(),
        most_ms: cell.service.most_ms(),
        content: if tried > 0 {
            cell.bytes as f64 / tried as f64
        } else {
            0.0
        },
        total_rates: [rate(tried), rate(failed)],
        present_rates: cell
            .present_tries(start_ns / SECOND_NS, now)
            .unwrap_or_default(),
    }
}

fn of_statistics(row: &Statistics, method: &str, name: &str) -> Row {
    let times = &row.service_time_ms;
    let mut percentiles_ms = [None; SHARES.len()];
    percentiles_ms[MEDIAN] = times.p50;
    percentiles_ms[P95] = times.p95;
    percentiles_ms[P99] = times.p99;
    percentiles_ms[MOST] = times.max;
    let answered = row.requests.saturating_sub(row.failures);
    let rates = [row.requests_per_second, row.failures_per_second].map(Option::unwrap_or_default);
    Row {
        method: method.to_owned(),
        name: name.to_owned(),
        requests: row.requests,
        failures: row.failures,
        percentiles_ms,
        mean_ms: times.mean,
        least_ms: times.min,
        most_ms: times.max,
        content: if answered > 0 {
            row.average_bytes.unwrap_or(0.0)
        } else {
            0.0
        },
        total_rates: rates,
        present_rates: [0.0; 2],
    }
}

fn errors(fold: &Fold) -> Vec<ErrorRow> {
    let many = fold.plan.stages.len() > 1;
    let unix = |ns: u64| (fold.run.origin_unix_ns + ns) as f64 / 1e9;
    let kinds = fold.failures.kinds.iter();
    let tried = kinds.filter(|((_, _, outcome, _), _)| *outcome != Outcome::Unsent);
    let rows = tried.map(|((stage, task, outcome, status), kind)| {
        let (method, name, path) = request(&fold.plan, usize::from(*task));
        let stage = fold.plan.stages.get(usize::from(*stage)).filter(|_| many);
        ErrorRow {
            method: method.to_owned(),
            name: sum_name(name, stage.map(|stage| stage.name.as_str())),
            error: error(
                path,
                Some(fold.plan.request.timeout.as_secs_f64()),
                *status,
                *outcome,
            ),
            occurrences: kind.count,
            first_unix_seconds: unix(kind.first_ns),
            last_unix_seconds: unix(kind.last_ns),
        }
    });
    let mut rows: Vec<ErrorRow> = rows.collect();
    rows.sort_by(|a, b| a.first_unix_seconds.total_cmp(&b.first_unix_seconds));
    rows.truncate(MOST_ROWS);
    rows
}
