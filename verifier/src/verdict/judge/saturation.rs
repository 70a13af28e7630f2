//! The answer of a search, from its probes' checks: the same arithmetic as while it ran, on all evidence.

use super::{checks, sources};
use crate::plan::Search;
use crate::plan::search::{Bracket, Tally, tallies};
use crate::verdict::align::Timeline;
use crate::verdict::outcome::{Check, Judgement, Limit, Probe, Saturation, Stage};

/// Name of the check on the answer.
const FOUND: &str = "saturation_found";

/// `None` for a plan without a search.
pub(super) fn answer(timeline: &Timeline<'_>, stages: &[Stage]) -> Option<Saturation> {
    let search = timeline.plan.search.as_ref()?;
    let probes = stages.iter().enumerate();
    let probes: Vec<Probe> = probes.map(|(i, s)| probe(timeline, i, s)).collect();
    Some(from_probes(search, probes))
}

fn probe(timeline: &Timeline<'_>, index: usize, stage: &Stage) -> Probe {
    let checks = checks::of_stage(timeline, index, stage, &sources::receiver(timeline, 0));
    let outcome = checks::outcome(&checks);
    Probe {
        stage: stage.name.clone(),
        rate: stage.size,
        meets: match outcome {
            Judgement::Pass => Some(true),
            // A generator that was itself the limit may also have sent too little in time.
            Judgement::Fail if stage.generator.healthy == Some(true) => Some(false),
            Judgement::Fail | Judgement::Unknown => None,
        },
        reasons: match outcome {
            Judgement::Pass => Vec::new(),
            _ => checks::reasons(&checks, &[], outcome),
        },
    }
}

/// The answer from the probes alone.
fn from_probes(search: &Search, probes: Vec<Probe>) -> Saturation {
    let met: Vec<(f64, bool)> = probes
        .iter()
        .map(|probe| (probe.rate, probe.meets == Some(true)))
        .collect();
    let tallies = tallies(&met);
    let bracket = Bracket::of(&tallies);
    let width = match (bracket.lower, bracket.upper) {
        (Some(lower), Some(upper)) => Some(upper / lower - 1.0),
        _ => None,
    };
    Saturation {
        rate: bracket.lower,
        upper: bracket.upper,
        width,
        precision: search.precision,
        confidence: confidence(&tallies, bracket),
        limit: limit(search, &probes, bracket),
        probes,
    }
}

fn limit(search: &Search, probes: &[Probe], bracket: Bracket) -> Limit {
    let Some(upper) = bracket.upper else {
        return match bracket.lower {
            Some(lower) if lower >= search.most_rate => Limit::Plan,
            _ => Limit::Unfinished,
        };
    };
    let at_upper = || probes.iter().filter(|probe| probe.rate == upper);
    let failed = at_upper().filter(|p| p.meets == Some(false)).count();
    let unknown = at_upper().filter(|p| p.meets.is_none()).count();
    if unknown >= failed {
        return Limit::Unknown;
    }
    match bracket.lower {
        Some(lower) if !search.near(lower, upper) => Limit::Unfinished,
        _ => Limit::Target,
    }
}

/// One minus the chances that coins show as many probes that met at the lower border, and as many that did
/// not at the upper. The two errors add up at most (Bonferroni).
fn confidence(tallies: &[Tally], bracket: Bracket) -> Option<f64> {
    let of = |rate: f64| tallies.iter().find(|tally| tally.rate == rate);
    let lower = bracket.lower.and_then(of)?.risk();
    let upper = bracket.upper.and_then(of).map_or(0.0, Tally::risk);
    Some((1.0 - lower - upper).max(0.0))
}

/// The answer in a sentence.
pub(super) fn sentence(answer: &Saturation) -> String {
    let Some(rate) = answer.rate else {
        return match answer.upper {
            Some(upper) => format!("not even {upper} requests/s meet the thresholds"),
            None => "no probe came to its end".to_owned(),
        };
    };
    let confidence = answer.confidence.unwrap_or(0.0) * 100.0;
    let sure = format!("confidence {confidence:.0} %");
    let width = answer.width.unwrap_or(0.0) * 100.0;
    match (answer.upper, answer.limit) {
        (Some(upper), Limit::Unknown) => {
            format!("{rate} requests/s meet the thresholds; whether {upper} do is not known")
        }
        (Some(upper), Limit::Unfinished) => format!(
            "{rate} requests/s meet the thresholds, {upper} do not; the search went no nearer"
        ),
        (Some(upper), _) => format!(
            "{rate} requests/s meet the thresholds, {upper} do not ({width:.1} % apart, {sure})"
        ),
        (None, Limit::Plan) => {
            format!("{rate} requests/s, the most of the plan, meet the thresholds ({sure})")
        }
        (None, _) => format!("{rate} requests/s meet the thresholds; the search went no higher"),
    }
}

/// The answer as a check: it fails when no rate at all meets the thresholds.
pub(super) fn check(answer: &Saturation) -> Check {
    let outcome = match (answer.rate, answer.limit) {
        (_, Limit::Unknown | Limit::Unfinished) => Judgement::Unknown,
        (Some(_), Limit::Target | Limit::Plan) => Judgement::Pass,
        (None, _) => Judgement::Fail,
    };
    let mut evidence = vec![sentence(answer)];
    let above = |probe: &&Probe| Some(probe.rate) == answer.upper;
    let first = answer
        .probes
        .iter()
        .filter(above)
        .find(|p| p.meets != Some(true));
    evidence.extend(
        first
            .into_iter()
            .flat_map(|probe| probe.reasons.iter().cloned()),
    );
    Check {
        name: FOUND.to_owned(),
        stage: None,
        outcome,
        value: answer.rate,
        limit: None,
        evidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(probes: &[(f64, Option<bool>)]) -> Saturation {
        let probe = |&(rate, meets): &(f64, Option<bool>)| Probe {
            stage: "probe".into(),
            rate,
            meets,
            reasons: Vec::new(),
        };
        from_probes(&Search::default(), probes.iter().map(probe).collect())
    }

    #[test]
    fn a_bracket_of_five_probes_each_is_sure_to_94_percent() {
        let mut probes = vec![(500.0, Some(true)), (2000.0, Some(false))];
        probes.extend([(1000.0, Some(true)); 5]);
        probes.extend([(1050.0, Some(false)); 5]);
        let found = answer(&probes);
        assert_eq!((found.rate, found.upper), (Some(1000.0), Some(1050.0)));
        assert_eq!(found.confidence, Some(0.9375));
        assert_eq!(found.limit, Limit::Target);
        assert_eq!(check(&found).outcome, Judgement::Pass);
    }

    #[test]
    fn a_probe_that_failed_once_lowers_the_confidence() {
        let mut probes = vec![(1050.0, Some(false)); 5];
        probes.extend([(1000.0, Some(true)); 4]);
        probes.push((1000.0, Some(false)));
        // 1 - 6/32 - 1/32.
        assert_eq!(answer(&probes).confidence, Some(0.78125));
    }

    #[test]
    fn what_is_not_known_is_no_knee() {
        let found = answer(&[(1000.0, Some(true)), (1040.0, None)]);
        assert_eq!(found.limit, Limit::Unknown);
        assert_eq!(check(&found).outcome, Judgement::Unknown);
        let found = answer(&[(1000.0, Some(true)), (2000.0, Some(false))]);
        assert_eq!(check(&found).outcome, Judgement::Unknown);
        let found = answer(&[(500.0, Some(true))]);
        assert_eq!((found.limit, found.upper), (Limit::Unfinished, None));
        assert_eq!(check(&answer(&[])).outcome, Judgement::Unknown);
    }

    #[test]
    fn no_rate_at_all_is_a_failure_and_the_plan_may_be_the_limit() {
        let found = answer(&[(2.0, Some(false)), (1.0, Some(false))]);
        assert_eq!(check(&found).outcome, Judgement::Fail);
        let found = answer(&[(5e5, Some(true)), (1e6, Some(true))]);
        assert_eq!(found.limit, Limit::Plan);
        assert_eq!(check(&found).outcome, Judgement::Pass);
    }
}
