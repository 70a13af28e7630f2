//! Users that a person adds or takes away while a stage of users runs: from one wish to the number that every load
//! worker then holds to, and the journal's line of it.

use crate::plan::{Load, MOST_CONNECTIONS, Stage};
use crate::record::{Observation, Recorder};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Nobody has changed anything.
const UNTOUCHED: u64 = u64::MAX;

/// The handle; clones share it, any thread may hold one.
#[derive(Clone, Debug)]
pub struct Hand {
    stage: Arc<Mutex<Option<Open>>>,
    /// Users of the running stage, or [`UNTOUCHED`].
    users: Arc<AtomicU64>,
}

/// The stage that runs.
#[derive(Debug)]
struct Open {
    index: u16,
    name: String,
    load: Load,
    start_ns: u64,
    end_ns: u64,
}

impl Default for Hand {
    fn default() -> Hand {
        Hand {
            stage: Arc::default(),
            users: Arc::new(AtomicU64::new(UNTOUCHED)),
        }
    }
}

impl Hand {
    /// Adds so many users to the stage that runs, or takes them away; journalled. Gives how many there are from now on.
    ///
    /// # Errors
    /// Why nothing has changed, for a person.
    pub fn change(&self, by: i32, recorder: &Recorder) -> Result<u32, String> {
        let stage = lock(&self.stage);
        let now_ns = recorder.clock().now_ns();
        let Some(open) = stage.as_ref().filter(|open| now_ns < open.end_ns) else {
            return Err("no stage runs".to_owned());
        };
        if recorder.shard().is_part() {
            return Err("this is one shard of a run: the others would not know".to_owned());
        }
        let since_start = Duration::from_nanos(now_ns.saturating_sub(open.start_ns));
        let Some(planned) = open.load.users_at(since_start) else {
            let (name, kind) = (&open.name, open.load.kind());
            return Err(format!("{name} is a stage of {kind}, not of users"));
        };
        let were = self.users().unwrap_or(planned);
        let users = after(were, by);
        if users == were {
            return Err(format!(
                "there are {were} users, and 0 to {MOST_CONNECTIONS} can be"
            ));
        }
        // The line comes first, and while the stage can not end: whoever reads the journal finds it within its stage.
        recorder.observe(Observation::UsersChanged {
            stage: open.index,
            users,
        });
        self.users.store(u64::from(users), SeqCst);
        Ok(users)
    }

    /// How many users the running stage has, once somebody has said so.
    pub(super) fn users(&self) -> Option<u32> {
        u32::try_from(self.users.load(SeqCst)).ok()
    }

    /// A stage begins; all workers wait meanwhile.
    pub(super) fn begin(&self, index: u16, stage: &Stage, start_ns: u64) {
        let duration_ns = u64::try_from(stage.duration.as_nanos()).unwrap_or(u64::MAX);
        self.users.store(UNTOUCHED, SeqCst);
        *lock(&self.stage) = Some(Open {
            index,
            name: stage.name.clone(),
            load: stage.load,
            start_ns,
            end_ns: start_ns.saturating_add(duration_ns),
        });
    }

    /// The stage has ended.
    pub(super) fn end(&self) {
        *lock(&self.stage) = None;
    }
}

/// So many users more, or fewer, within what a plan may ask for.
fn after(users: u32, by: i32) -> u32 {
    users.saturating_add_signed(by).min(MOST_CONNECTIONS)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_stay_within_what_a_plan_may_ask_for() {
        assert_eq!(after(2, 10), 12);
        assert_eq!(after(12, -1), 11);
        assert_eq!(after(3, -10), 0);
        assert_eq!(after(0, -1), 0);
        assert_eq!(after(49_995, 10), MOST_CONNECTIONS);
    }
}
