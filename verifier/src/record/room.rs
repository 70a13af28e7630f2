//! Room for rows on their way to the disk: whoever brings more than fits waits until some have been written.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Counts rows that wait. Chunks differ in size by a thousand times, so that counting chunks would bound nothing.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    waiting: Mutex<Waiting>,
    less: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    rows: usize,
    closed: bool,
}

impl Room {
    /// Room for so many rows; a single chunk may be larger.
    pub(super) fn new(most: usize) -> Room {
        Room {
            most,
            waiting: Mutex::default(),
            less: Condvar::new(),
        }
    }

    /// Takes room; waits for it.
    pub(super) fn enter(&self, rows: usize) {
        let mut waiting = self.lock();
        while !waiting.closed && waiting.rows > 0 && waiting.rows + rows > self.most {
            waiting = self
                .less
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.rows += rows;
    }

    /// Gives it back.
    pub(super) fn leave(&self, rows: usize) {
        let mut waiting = self.lock();
        waiting.rows = waiting.rows.saturating_sub(rows);
        self.less.notify_all();
    }

    /// Nobody will write any more: nobody need wait.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.less.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    #[test]
    fn who_brings_too_much_waits_until_there_is_room_or_nobody_writes() {
        for close in [false, true] {
            let room = Arc::new(Room::new(10));
            room.enter(8);
            room.enter(2);
            let (sender, entered) = channel();
            let other = Arc::clone(&room);
            let waits = std::thread::spawn(move || {
                other.enter(50); // larger than all the room: alone it may come in
                sender.send(()).unwrap();
            });
            room.leave(2);
            let early = entered.recv_timeout(Duration::from_millis(50));
            assert_eq!(early, Err(RecvTimeoutError::Timeout));
            match close {
                true => room.close(),
                false => room.leave(8),
            }
            entered.recv_timeout(Duration::from_secs(10)).unwrap();
            waits.join().unwrap();
        }
    }
}
