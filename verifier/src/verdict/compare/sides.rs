//! One of the two runs: its plan, its verdict, its stages' figures.

use super::figures::{self, Figure};
use super::{Pair, StagePair};
use crate::plan::Plan;
use crate::record::RunFolder;
use crate::verdict::align::Timeline;
use crate::verdict::judge::unfit;
use crate::verdict::outcome::Verdict;
use crate::verdict::{judge, with_timeline};
use anyhow::Result;

/// A run, reduced to what comparing needs: its rows are let go, so that no two runs are in memory at once.
pub struct Side {
    plan: Plan,
    verdict: Verdict,
    stages: Vec<(String, Vec<Figure>)>,
    /// Stages whose users somebody has changed.
    by_hand: Vec<String>,
}

impl Side {
    /// Reads and judges a run folder; writes nothing.
    ///
    /// # Errors
    /// When a file of the folder is missing or damaged before its last line or row.
    pub fn read(folder: &RunFolder) -> Result<Side> {
        with_timeline(folder, |timeline, others| {
            Ok(Side::of(timeline, &judge::judge(timeline, &others)))
        })
    }

    /// A run that was judged.
    pub(super) fn of(timeline: &Timeline<'_>, verdict: &Verdict) -> Side {
        let names = timeline.plan.stages.iter().enumerate();
        let by_hand = names
            .filter(|(index, _)| !judge::users_by_hand(timeline, *index).is_empty())
            .map(|(_, stage)| stage.name.clone())
            .collect();
        let stages = verdict.stages.iter().enumerate().map(|(index, stage)| {
            let figures = figures::of_stage(timeline, index, stage);
            (stage.name.clone(), figures)
        });
        Side {
            plan: timeline.plan.clone(),
            verdict: verdict.clone(),
            stages: stages.collect(),
            by_hand,
        }
    }

    /// The run in one line.
    pub(super) fn title(&self) -> String {
        let run = &self.verdict.run;
        format!(
            "{}, plan {}, begun {}, {}, {}",
            run.id,
            run.plan,
            run.started,
            self.verdict.outcome.word(),
            run.host
        )
    }

    /// Why its figures can not be held against another's.
    pub(super) fn unfit(&self, letter: &str) -> Vec<String> {
        let by_hand = self.by_hand.iter();
        let by_hand = by_hand.map(|stage| format!("the users of {stage} were changed by hand"));
        let unfit = unfit(&self.verdict).into_iter().chain(by_hand);
        unfit.map(|why| format!("{letter}: {why}")).collect()
    }

    /// What differs between the plans that makes the load, or what is expected of it, another. Names, seeds,
    /// thresholds and waiting times do not.
    pub(super) fn differences(&self, other: &Side) -> Vec<String> {
        let mut differences = Vec::new();
        if self.plan.request != other.plan.request {
            differences.push("the plans differ: their requests are not the same".to_owned());
        }
        if self.plan.tasks != other.plan.tasks {
            differences.push("the plans differ: their tasks are not the same".to_owned());
        }
        if self.plan.traces.spans != other.plan.traces.spans {
            differences.push("the plans differ: they expect other spans".to_owned());
        }
        let named =
            |side: &Side, name: &str| side.plan.stages.iter().find(|s| s.name == name).cloned();
        for stage in &self.plan.stages {
            match named(other, &stage.name) {
                None => {
                    differences.push(format!("the plans differ: B has no stage {}", stage.name))
                }
                Some(its) if its != *stage => {
                    differences.push(format!(
                        "the plans differ: the load of {} is not the same",
                        stage.name
                    ));
                }
                Some(_) => {}
            }
        }
        for stage in other
            .plan
            .stages
            .iter()
            .filter(|s| named(self, &s.name).is_none())
        {
            differences.push(format!("the plans differ: A has no stage {}", stage.name));
        }
        differences
    }

    /// The stages that both have, figure beside figure; a figure that one lacks is none of these, and the plans then differ.
    pub(super) fn pairs(
        &self,
        other: &Side,
        pair: impl Fn(&Figure, &Figure) -> Pair,
    ) -> Vec<StagePair> {
        let mut pairs = Vec::new();
        for (name, figures) in &self.stages {
            let Some((_, others)) = other.stages.iter().find(|(n, _)| n == name) else {
                continue;
            };
            let both = figures
                .iter()
                .filter_map(|a| Some(pair(a, others.iter().find(|b| b.name == a.name)?)));
            pairs.push(StagePair {
                name: name.clone(),
                figures: both.collect(),
            });
        }
        pairs
    }
}
