//! Tasks in the page's words: method, and the task's name or the path.

use crate::plan::Plan;
use crate::record::Exchange;
use crate::verdict::align::Timeline;

/// Name of a sum's row, as Locust has it.
pub(super) const SUM: &str = "Aggregated";

/// The plan's tasks, at least one.
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    pub(super) fn of(plan: &Plan) -> Names {
        let request = &plan.request;
        let tasks = plan.tasks.iter();
        let mut names: Vec<_> = tasks.map(|t| (t.method.clone(), t.name.clone())).collect();
        if names.is_empty() {
            names.push((request.method.clone(), request.path.clone()));
        }
        Names(names)
    }

    /// How many tasks there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Method and name. A row whose task is not in the plan is damaged; it counts as the last.
    pub(super) fn task(&self, task: usize) -> (String, String) {
        self.0[self.place(task)].clone()
    }

    /// The task's place.
    pub(super) fn place(&self, task: usize) -> usize {
        task.min(self.0.len() - 1)
    }
}

/// The name of the exchange's stage; empty where the plan has none such.
pub(super) fn stage<'a>(timeline: &Timeline<'a>, exchange: &Exchange) -> &'a str {
    let stages = &timeline.plan.stages;
    let stage = stages.get(usize::from(exchange.stage));
    stage.map_or("", |stage| stage.name.as_str())
}
