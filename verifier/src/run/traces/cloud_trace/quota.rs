//! Google's read quota, kept by the reader itself: units and the time in, how long to wait out.
//!
//! cloud.google.com/trace/docs/quotas: 300 units within 60 s; to list costs 25, to get one trace 1.

use std::collections::VecDeque;
use std::time::Duration;

/// Longest wait after a refusal.
const LONGEST_WAIT: Duration = Duration::from_secs(32);

/// Never more than so many units within any period of that length: Google may count from any moment.
pub(super) struct Quota {
    units: u32,
    period_ns: u64,
    /// When how many were taken, within the last period.
    taken: VecDeque<(u64, u32)>,
    /// Google refuses, whoever else uses the quota: nothing is taken before.
    not_before_ns: u64,
    refusals: u32,
}

impl Quota {
    pub(super) fn new(units: u32, period: Duration) -> Quota {
        Quota {
            units,
            period_ns: nanoseconds(period),
            taken: VecDeque::new(),
            not_before_ns: 0,
            refusals: 0,
        }
    }

    /// Takes so many, or nothing and says how long to wait; `now_ns` never steps back.
    pub(super) fn take(&mut self, units: u32, now_ns: u64) -> Result<(), Duration> {
        let units = units.min(self.units);
        if now_ns < self.not_before_ns {
            return Err(Duration::from_nanos(self.not_before_ns - now_ns));
        }
        let over = |at_ns: u64| at_ns + self.period_ns <= now_ns;
        while self.taken.front().is_some_and(|(at_ns, _)| over(*at_ns)) {
            self.taken.pop_front();
        }
        let mut left = self.units - self.taken.iter().map(|(_, units)| units).sum::<u32>();
        if left >= units {
            self.taken.push_back((now_ns, units));
            return Ok(());
        }
        let enough = self.taken.iter().find(|(_, taken)| {
            left += taken;
            left >= units
        });
        let free_ns = enough.map_or(now_ns, |(at_ns, _)| at_ns + self.period_ns);
        Err(Duration::from_nanos(free_ns - now_ns))
    }

    /// Google refused for want of quota: waits, and twice as long each time.
    pub(super) fn refused(&mut self, now_ns: u64) {
        let wait = Duration::from_secs(1 << self.refusals.min(10)).min(LONGEST_WAIT);
        self.refusals += 1;
        self.not_before_ns = now_ns + nanoseconds(wait);
    }

    /// Google did not.
    pub(super) fn granted(&mut self) {
        self.refusals = 0;
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whoever waits as long as is said gets it, and no period ever sees more than the quota.
        #[test]
        fn no_period_sees_more_than_the_quota(asked in proptest::collection::vec((1_u32..=25, 0_u64..40), 1..200)) {
            let mut quota = Quota::new(60, Duration::from_nanos(100));
            let (mut now_ns, mut granted) = (0, Vec::new());
            for (units, later_ns) in asked {
                now_ns += later_ns;
                if let Err(wait) = quota.take(units, now_ns) {
                    prop_assert!(wait > Duration::ZERO);
                    now_ns += nanoseconds(wait);
                    prop_assert_eq!(quota.take(units, now_ns), Ok(()));
                }
                granted.push((now_ns, units));
                let within = granted.iter().filter(|(at_ns, _)| at_ns + 100 > now_ns);
                prop_assert!(within.map(|(_, units)| units).sum::<u32>() <= 60);
            }
        }
    }

    #[test]
    fn each_refusal_doubles_the_wait_until_one_is_granted() {
        let mut quota = Quota::new(300, Duration::from_secs(60));
        for seconds in [1, 2, 4, 8, 16, 32, 32] {
            quota.refused(0);
            assert_eq!(quota.take(1, 0), Err(Duration::from_secs(seconds)));
        }
        quota.granted();
        quota.refused(0);
        assert_eq!(quota.take(1, 0), Err(Duration::from_secs(1)));
        assert_eq!(quota.take(1, 1_000_000_000), Ok(()));
    }
}
