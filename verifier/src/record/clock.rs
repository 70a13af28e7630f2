//! The run's clock: the only place of the verifier that reads time. Every recorded moment is
//! nanoseconds since the run's start on a clock that never steps back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One clock for the whole run; a `Copy`, so every thread reads the same one.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    origin_unix_ns: u64,
}

#[allow(clippy::disallowed_methods, reason = "this is the home of the clock")]
impl Clock {
    /// Starts the run's clock at zero, now.
    pub fn start() -> Clock {
        let origin = Instant::now();
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Clock {
            origin,
            origin_unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Nanoseconds since the run's start (`CLOCK_MONOTONIC`).
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment of the run's clock as an `Instant`, for timers.
    pub fn instant(&self, at_ns: u64) -> Instant {
        self.origin + Duration::from_nanos(at_ns)
    }

    /// Unix time in nanoseconds at which this clock read zero. Foreign times (span start and end)
    /// are put on the run's clock by subtracting it; a step of the host's wall clock during the
    /// run shows as skew, which `verdict::align` bounds.
    pub fn origin_unix_ns(&self) -> u64 {
        self.origin_unix_ns
    }

    /// CPU time that the calling thread has used so far (`CLOCK_THREAD_CPUTIME_ID`), in nanoseconds.
    pub fn thread_cpu_ns() -> u64 {
        cpu_ns(rustix::time::ClockId::ThreadCPUTime)
    }

    /// CPU time that all threads of this process have used so far (`CLOCK_PROCESS_CPUTIME_ID`), in nanoseconds.
    pub fn process_cpu_ns() -> u64 {
        cpu_ns(rustix::time::ClockId::ProcessCPUTime)
    }
}

fn cpu_ns(clock: rustix::time::ClockId) -> u64 {
    let t = rustix::time::clock_gettime(clock);
    u64::try_from(t.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(t.tv_nsec).unwrap_or(0)
}
