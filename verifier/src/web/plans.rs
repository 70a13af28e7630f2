//! The plans that can be chosen on the page: the built-in ones, and the file that was named on the command line. No other
//! file: a page must not make this process read whatever it names.

use crate::plan::{BUILTIN, Plan};
use anyhow::{Result, anyhow};
use serde::Serialize;
use std::ffi::OsString;

/// What can be chosen.
#[derive(Clone, Debug, Default)]
pub(super) struct Plans {
    /// The file's plan, and its argument.
    file: Option<(Plan, OsString)>,
}

/// A plan as a line of the start form.
#[derive(Serialize)]
pub(super) struct Line {
    name: String,
    description: String,
    duration_seconds: Option<f64>,
    stages: Vec<StageLine>,
    cluster: bool,
    faults: usize,
}

#[derive(Serialize)]
struct StageLine {
    name: String,
    kind: &'static str,
    size: f64,
    duration_seconds: f64,
}

impl Plans {
    /// With a plan out of a file, which goes before a built-in one of its name.
    pub(super) fn with(plan: Plan, argument: OsString) -> Plans {
        let file = Some((plan, argument));
        Plans { file }
    }

    /// The plan of that name.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn named(&self, name: &str) -> Result<Plan> {
        match &self.file {
            Some((plan, _)) if plan.name == name => Ok(plan.clone()),
            _ => Plan::named(name).map_err(|_| {
                let names: Vec<String> = self.lines().into_iter().map(|line| line.name).collect();
                anyhow!("no plan {name:?}: choose one of {}", names.join(", "))
            }),
        }
    }

    /// What names it on a command line.
    pub(super) fn argument(&self, name: &str) -> OsString {
        match &self.file {
            Some((plan, argument)) if plan.name == name => argument.clone(),
            _ => OsString::from(name),
        }
    }

    /// All of them.
    pub(super) fn lines(&self) -> Vec<Line> {
        let file = self.file.iter().map(|(plan, _)| plan.clone());
        let known = |name: &str| {
            self.file
                .as_ref()
                .is_some_and(|(plan, _)| plan.name == name)
        };
        let builtin = BUILTIN.iter().filter(|(name, _)| !known(name));
        // That each parses is tested.
        let builtin = builtin.filter_map(|(name, _)| Plan::named(name).ok());
        file.chain(builtin).map(|plan| line(&plan)).collect()
    }
}

fn line(plan: &Plan) -> Line {
    let stages = plan.stages.iter().map(|stage| StageLine {
        name: stage.name.clone(),
        kind: stage.load.kind(),
        size: stage.load.size(),
        duration_seconds: stage.duration.as_secs_f64(),
    });
    Line {
        name: plan.name.clone(),
        description: plan.description.clone(),
        duration_seconds: { plan.search.is_none() }.then(|| plan.duration().as_secs_f64()),
        stages: stages.collect(),
        cluster: plan.cluster.is_some(),
        faults: plan.faults.len(),
    }
}
