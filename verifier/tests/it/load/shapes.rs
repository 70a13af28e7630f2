//! The shape of a load as a server sees it: ramps, random arrivals, users who come and go.

use super::server::{Server, answer_ok};
use super::*;

/// Intended moments since the stage's start, in order.
fn intended(plan: &Plan, workers: usize) -> Vec<u64> {
    let server = Server::start(answer_ok);
    let recorded = drive(plan, &server.url, workers, &CancellationToken::new());
    assert_all(&recorded.exchanges, Outcome::Ok);
    assert_eq!(server.seen().0.len(), recorded.exchanges.len());
    let moments = recorded.exchanges.iter().map(|row| row.intended_ns);
    let mut moments: Vec<u64> = moments.collect();
    moments.sort_unstable();
    moments
}

#[test]
fn a_ramp_sends_the_integral_of_its_rate() {
    let ramp = plan("kind = 'rate'\nrate = 50\nrate_to = 350\nconnections = 8\nduration = '600ms'");
    let moments = intended(&ramp, 2);
    // (50 + 350) / 2 * 0.6 s.
    assert_eq!(moments.len(), 120);
    // Half of the time has passed when (50 + 200) / 2 * 0.3 s = 37.5 have been sent.
    let half = moments.partition_point(|at| at - moments[0] < 300_000_000);
    assert_eq!(half, 38);
}

#[test]
fn poisson_moments_come_from_the_seed_alone() {
    let poisson = plan(
        "kind = 'rate'\nrate = 200\narrivals = 'poisson'\nconnections = 8\nduration = '500ms'",
    );
    let since_first = |workers| {
        let moments = intended(&poisson, workers);
        let first = moments[0];
        moments.into_iter().map(move |at| at - first)
    };
    let one: Vec<u64> = since_first(1).collect();
    assert!(one.len() > 50, "{}", one.len());
    assert_eq!(one, since_first(3).collect::<Vec<_>>());
    let gaps: BTreeSet<u64> = one.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() > one.len() / 2, "the gaps are even");
}

#[test]
fn users_who_are_stopped_begin_nothing_more_and_close_their_connections() {
    let server = Server::start(answer_ok);
    let stage = "kind = 'users'\nusers_from = 6\nusers = 2\nspawn_rate = 10\n\
                 wait = { constant = '20ms' }\nduration = '800ms'";
    let recorded = drive(&plan(stage), &server.url, 2, &CancellationToken::new());
    assert_all(&recorded.exchanges, Outcome::Ok);
    let start = recorded.exchanges.iter().map(|row| row.intended_ns).min();
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    for row in &recorded.exchanges {
        let at = last.entry(row.connection).or_default();
        *at = (*at).max(row.intended_ns - start.unwrap());
    }
    // User 5 is stopped at once, perhaps before it has begun; users 4, 3 and 2 a tenth of a second apart.
    for (user, stopped_ms) in [(4, 100), (3, 200), (2, 300)] {
        assert!(last[&user] < stopped_ms * 1_000_000, "{last:?}");
    }
    for user in [0, 1] {
        assert!(last[&user] > 400_000_000, "{last:?}");
    }
}
