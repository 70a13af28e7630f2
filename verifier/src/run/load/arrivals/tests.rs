//! The arithmetic of arrivals: exact integrals, and a Poisson process that is one.

use super::*;
use proptest::prelude::*;

const START: u64 = 1000;

/// The moments of all workers together, in order, up to the stage's end.
fn moments(load: Load, workers: u64, seconds: u64, seed: u64) -> Vec<u64> {
    let duration = Duration::from_secs(seconds);
    let mut all = Vec::new();
    for worker in 0..workers {
        let times = ArrivalTimes::new(load, worker, workers, START, duration, seed);
        let mut times = times.unwrap();
        let mut before = 0;
        while times.next_ns() < START + seconds * 1_000_000_000 {
            assert!(times.next_ns() >= before, "out of order");
            before = times.next_ns();
            all.push(before);
            times.take();
        }
    }
    all.sort_unstable();
    all
}

fn load(rate: f64, rate_to: f64, arrivals: Arrivals) -> Load {
    Load::Rate {
        rate,
        rate_to,
        arrivals,
        connections: 1000,
    }
}

proptest! {
    #[test]
    fn a_ramp_wants_its_integral_and_never_drifts(from in 1_u32..3000, to in 1_u32..3000, seconds in 1_u64..6, workers in 1_u64..5) {
        let all = moments(load(f64::from(from), f64::from(to), Arrivals::Constant), workers, seconds, 1);
        let twice = u64::from(from + to) * seconds;
        // Rounded up: request 0 is wanted at the start. A moment within a nanosecond of the end may fall on either side.
        let expected = twice.div_ceil(2);
        prop_assert!(all.len() as u64 == expected || (twice % 2 == 0 && all.len() as u64 == expected + 1), "{} of {}", all.len(), expected);
        let (rate, slope) = (f64::from(from), (f64::from(to) - f64::from(from)) / seconds as f64);
        for (i, at) in all.iter().enumerate() {
            let t = (at - START) as f64 / 1e9;
            let integral = rate * t + slope * t * t / 2.0;
            prop_assert!((integral - i as f64).abs() < 1e-4, "request {} at {}", i, integral);
        }
    }

    #[test]
    fn poisson_moments_are_the_same_for_any_number_of_workers(rate in 1_u32..2000, to in 1_u32..2000, seed: u64, workers in 2_u64..9) {
        let load = load(f64::from(rate), f64::from(to), Arrivals::Poisson);
        prop_assert_eq!(moments(load, 1, 2, seed), moments(load, workers, 2, seed));
    }
}

#[test]
fn poisson_arrivals_are_of_their_rate_and_know_nothing_of_each_other() {
    let all = moments(load(1000.0, 1000.0, Arrivals::Poisson), 3, 60, 7);
    // 60 000 wanted; the standard deviation is 245.
    assert!((58_500..61_500).contains(&all.len()), "{}", all.len());
    let gaps: Vec<f64> = all.windows(2).map(|w| (w[1] - w[0]) as f64 / 1e6).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    // Exponential gaps: the standard deviation is the mean, and 1/e of them are longer than it.
    assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "{variance}");
    let longer = gaps.iter().filter(|g| **g > mean).count() as f64 / gaps.len() as f64;
    assert!((longer - (-1.0_f64).exp()).abs() < 0.02, "{longer}");
    assert_ne!(
        all,
        moments(load(1000.0, 1000.0, Arrivals::Poisson), 3, 60, 8)
    );
}

#[test]
fn a_poisson_ramp_has_a_quarter_of_its_requests_in_the_first_half() {
    let all = moments(load(1e-6, 2000.0, Arrivals::Poisson), 2, 60, 7);
    let half = all.partition_point(|at| *at < START + 30_000_000_000);
    let share = half as f64 / all.len() as f64;
    assert!((share - 0.25).abs() < 0.02, "{share}");
}

#[test]
fn a_ramp_is_dense_only_where_it_is() {
    let duration = Duration::from_secs(10);
    let ramp = load(10.0, 100_000.0, Arrivals::Constant);
    let mut times = ArrivalTimes::new(ramp, 0, 1, 0, duration, 1).unwrap();
    assert!(!times.denser_than(50_000));
    while times.next_ns() < 9_000_000_000 {
        times.take();
    }
    assert!(times.denser_than(50_000));
}
