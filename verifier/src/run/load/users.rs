//! One worker in a stage of users: what it does when a person has changed how many there are.

use super::connection::Connection;
use super::stage_run::StageRun;

impl StageRun<'_, '_> {
    /// Users may come: a worker that has none stays for them.
    pub(super) fn may_grow(&self) -> bool {
        self.pace.has_users() && !self.worker.recorder.shard().is_part()
    }

    /// Looks whether somebody has changed the number of users, and does so: those who come begin at once, those who
    /// go do so at once or after their current request. Who was there and stays is not disturbed.
    pub(super) fn look_at_users(&mut self, now: u64) {
        let users = self.worker.stages.hand.users();
        let Some(users) = users.filter(|_| users != self.users) else {
            return;
        };
        self.users = Some(users);
        let first = self.pace.set_users(users, now);
        self.worker.schedule.forget_from(first);
        let held = self.pace.connections().max(self.connections.len());
        self.connections.resize_with(held, Connection::default);
        for number in first..held {
            if self.connections[number].pending.is_some() {
                continue; // its request ends first; then it goes on, or goes
            }
            if now < self.pace.last_ns(number) {
                self.worker.schedule.at(now, number);
            } else {
                self.close(number);
            }
        }
    }
}
