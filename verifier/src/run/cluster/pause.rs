//! How long a watch that failed waits before it tries again.

use super::failure::Failure;
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);
/// Somebody must change rights, or install something.
const REFUSED: Duration = Duration::from_secs(30);
/// Somebody must renew a kubeconfig.
const UNKNOWN: Duration = Duration::from_secs(5);

/// Doubles with each failure in a row.
#[derive(Debug, Default)]
pub(super) struct Pause {
    failures: u32,
}

impl Pause {
    /// How long after this failure.
    pub(super) fn after(&mut self, failure: &Failure) -> Duration {
        match failure {
            Failure::Refused(_) | Failure::Absent(_) => REFUSED,
            Failure::Unknown(_) => UNKNOWN,
            Failure::Forgotten(_) | Failure::Broken(_) => self.next(),
        }
    }

    /// After one failure more.
    pub(super) fn next(&mut self) -> Duration {
        let pause = FIRST * 2_u32.pow(self.failures.min(10));
        self.failures += 1;
        pause.min(LONGEST)
    }
}
