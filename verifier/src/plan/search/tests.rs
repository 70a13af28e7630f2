//! Searches on targets whose knee is known.

use super::*;
use proptest::prelude::*;

/// Searches a target that meets the thresholds as told; gives the probes.
fn search(search: &Search, mut meets: impl FnMut(f64) -> bool) -> Vec<(f64, bool)> {
    let mut probes = Vec::new();
    while let Some(rate) = search.next_rate(&probes) {
        probes.push((rate, meets(rate)));
    }
    probes
}

proptest! {
    #[test]
    fn a_sharp_knee_is_found_within_the_precision(knee in 3.0..900_000.0_f64, precision in 0.01..0.5_f64, repeats in 1_u32..6) {
        let plan = Search { precision, repeats, ..Search::default() };
        let probes = search(&plan, |rate| rate <= knee);
        let tallies = tallies(&probes);
        let bracket = Bracket::of(&tallies);
        let (lower, upper) = (bracket.lower.unwrap(), bracket.upper.unwrap());
        prop_assert!(lower <= knee && knee < upper);
        // Rates are whole: two that are next to each other are as near as can be.
        prop_assert!(upper / lower <= 1.0 + precision || upper - lower <= 2.0, "{} {}", lower, upper);
        for border in [lower, upper] {
            let tally = tallies.iter().find(|t| t.rate == border).unwrap();
            prop_assert!(tally.probes >= repeats);
        }
        prop_assert!(probes.len() < MOST_PROBES);
    }

    #[test]
    fn a_target_that_answers_at_random_ends_the_search_too(seed: u64) {
        let mut random = seed | 1;
        let probes = search(&Search::default(), |_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            random >> 63 == 0
        });
        prop_assert!(probes.len() <= MOST_PROBES);
    }
}

#[test]
fn what_has_no_knee_ends_at_the_limits() {
    let all = search(&Search::default(), |_| true);
    let bracket = Bracket::of(&tallies(&all));
    assert_eq!((bracket.lower, bracket.upper), (Some(1e6), None));
    let none = search(&Search::default(), |_| false);
    let bracket = Bracket::of(&tallies(&none));
    assert_eq!((bracket.lower, bracket.upper), (None, Some(1.0)));
    assert!(none.len() < 20, "{none:?}");
}

#[test]
fn probes_that_disagree_are_repeated_until_as_sure_as_those_that_agree() {
    // At 1000 every third probe fails.
    let mut count = 0;
    let probes = search(&Search::default(), |rate| {
        count += 1;
        rate < 1000.0 || (rate == 1000.0 && count % 3 != 0)
    });
    let tallies = tallies(&probes);
    let border = tallies.iter().find(|tally| tally.rate == 1000.0).unwrap();
    assert!(border.probes > 5 && border.probes <= 15, "{border:?}");
    let coins = Tally {
        rate: 1.0,
        met: 4,
        probes: 5,
    };
    assert_eq!(coins.risk(), 6.0 / 32.0);
}

#[test]
fn a_fluke_is_found_out_by_the_repeats() {
    // The knee is at 1000, but the first probe of 2000 is lucky.
    let mut first = true;
    let probes = search(&Search::default(), |rate| {
        rate <= 1000.0 || (rate == 2000.0 && std::mem::take(&mut first))
    });
    let bracket = Bracket::of(&tallies(&probes));
    assert!(bracket.lower.unwrap() <= 1000.0, "{bracket:?}");
    assert!(bracket.upper.unwrap() <= 1050.0, "{bracket:?}");
}

#[test]
fn a_probe_has_requests_enough() {
    let plan = Search::default();
    let p99 = ["p99<1s".parse().unwrap()];
    assert_eq!(plan.stage(0, 1000.0, &p99).duration.as_secs(), 3);
    assert_eq!(plan.stage(0, 70.0, &p99).duration.as_secs(), 10);
    let p999 = ["service_time.p99.9<1s".parse().unwrap()];
    assert_eq!(plan.stage(1, 1000.0, &p999).duration.as_secs(), 7);
    assert_eq!(plan.stage(1, 1000.0, &p999).name, "probe-02-1000");
}
