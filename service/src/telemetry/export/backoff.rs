//! How long to wait before a batch is sent again: exponential, with jitter, or as the receiver asks.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// A receiver may ask for more than we would wait, within reason.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// The waits of one batch.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff(FIRST)
    }

    /// The next wait: what was asked for, else a random time around the current step, which doubles.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let step = self.0;
        self.0 = (step * 2).min(LONGEST);
        let random = u32::from_be_bytes(first_four(crate::telemetry::new_span_id()));
        let jitter = f64::from(random) / f64::from(u32::MAX);
        match asked {
            // Everyone was told the same time: only ever later, so that not all come at once.
            Some(asked) => asked.min(LONGEST_ASKED).mul_f64(1.0 + 0.2 * jitter),
            None => step.mul_f64(0.5 + jitter),
        }
    }
}

fn first_four(id: [u8; 8]) -> [u8; 4] {
    [id[0], id[1], id[2], id[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_obey_the_receiver() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next(None)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST * 2);
        assert!(waits.iter().all(|wait| *wait <= LONGEST * 2));
        assert!(waits[19] >= LONGEST / 2);
        let asked = backoff.next(Some(Duration::from_secs(3)));
        assert!(asked >= Duration::from_secs(3) && asked <= Duration::from_secs(4));
        assert!(backoff.next(Some(Duration::from_secs(86_400))) <= Duration::from_secs(72));
    }
}
