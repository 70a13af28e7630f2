//! What a worker has to do later: timers per connection, and an alarm that wakes it on time.

use anyhow::{Context, Result};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// The alarm's token; connections count from 0.
pub(super) const ALARM: Token = Token(usize::MAX);

/// Timers by due time; at most one per connection at a time.
pub(super) struct Schedule {
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    // epoll's own time-out has whole milliseconds: too coarse for an open loop.
    alarm: OwnedFd,
    armed_ns: u64,
}

impl Schedule {
    pub(super) fn new(registry: &Registry) -> Result<Schedule> {
        let alarm = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )
        .context("cannot make a timer")?;
        // Edge-triggered: each expiry is an event of its own, and its count need not be read.
        registry
            .register(&mut SourceFd(&alarm.as_raw_fd()), ALARM, Interest::READABLE)
            .context("cannot watch a timer")?;
        Ok(Schedule {
            timers: BinaryHeap::new(),
            alarm,
            armed_ns: 0,
        })
    }

    pub(super) fn at(&mut self, due_ns: u64, connection: usize) {
        self.timers.push(Reverse((due_ns, connection)));
    }

    /// Takes a timer that is due.
    pub(super) fn due(&mut self, now_ns: u64) -> Option<(u64, usize)> {
        let Reverse((due_ns, _)) = self.timers.peek()?;
        if *due_ns > now_ns {
            return None;
        }
        self.timers.pop().map(|Reverse(timer)| timer)
    }

    pub(super) fn next_ns(&self) -> Option<u64> {
        self.timers.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// Forgets what the connections from `first` on have to do.
    pub(super) fn forget_from(&mut self, first: usize) {
        self.timers.retain(|Reverse((_, number))| *number < first);
    }

    pub(super) fn clear(&mut self) {
        self.timers.clear();
        self.armed_ns = 0;
    }

    /// Waits for the alarm and nothing else, for so long at most.
    pub(super) fn sleep(&self, longest: Duration) -> Result<()> {
        let longest = Timespec::try_from(longest).context("cannot wait so long")?;
        let mut alarm = [PollFd::new(&self.alarm, PollFlags::IN)];
        match poll(&mut alarm, Some(&longest)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for a timer"),
        }
    }

    /// Sets the alarm to `due_ns` on the run's clock.
    pub(super) fn wake_at(&mut self, due_ns: u64, now_ns: u64) -> Result<()> {
        // An alarm that goes off earlier is left: to be woken once too often costs no more than to set it anew.
        if (now_ns..=due_ns).contains(&self.armed_ns) {
            return Ok(());
        }
        self.armed_ns = due_ns;
        let wait = due_ns.saturating_sub(now_ns).max(1).cast_signed();
        let value = Timespec {
            tv_sec: wait / 1_000_000_000,
            tv_nsec: wait % 1_000_000_000,
        };
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: value,
        };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &once)
            .context("cannot set a timer")?;
        Ok(())
    }
}
