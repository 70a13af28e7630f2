//! Keys that a person types while a run runs, or another program writes: from bytes of stdin to what is wanted.

use super::terminal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{ErrorKind, Read, stdin};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Keys that may wait until the conductor has time for them; who types more waits.
const MOST_WAITING: usize = 64;

/// How soon a terminal is left alone that has been given back.
const LOOK_EVERY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// Where keys come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keys {
    /// Nowhere: stdin is not read.
    #[default]
    None,
    /// From a program, as bytes of stdin. Its end says that the program is gone.
    Program,
    /// From a person at the terminal, who may also end the run with `q`.
    Terminal,
}

/// What a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// So many users more, or fewer.
    Users(i32),
    /// End the run.
    Quit,
    /// Nobody is there any more.
    Gone,
}

impl Keys {
    /// What the byte says: Locust's keys, and oha's `q`.
    fn key(self, byte: u8) -> Option<Key> {
        match byte {
            b'w' => Some(Key::Users(1)),
            b'W' => Some(Key::Users(10)),
            b's' => Some(Key::Users(-1)),
            b'S' => Some(Key::Users(-10)),
            b'q' if self == Keys::Terminal => Some(Key::Quit),
            _ => None,
        }
    }

    /// Reads stdin from now on, on a thread of its own; a terminal as long as the panel has it.
    pub(super) fn read(self) -> Receiver<Key> {
        let (sender, receiver) = channel(MOST_WAITING);
        if self != Keys::None {
            // Without the thread there are no keys; the run is none the worse.
            let thread = std::thread::Builder::new().name("keys".into());
            let _ = thread.spawn(move || self.pass_on(&sender));
        }
        receiver
    }

    fn pass_on(self, keys: &Sender<Key>) {
        let mut bytes = [0; 64];
        while self == Keys::Program || typed() {
            let read = match stdin().lock().read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            for key in bytes[..read].iter().filter_map(|byte| self.key(*byte)) {
                if keys.blocking_send(key).is_err() {
                    return; // the run is over
                }
            }
        }
        // A terminal that goes away says so by SIGHUP.
        if self == Keys::Program {
            let _ = keys.blocking_send(Key::Gone);
        }
    }
}

/// Waits until something was typed; false when the terminal has been given back: what is typed then is the shell's.
fn typed() -> bool {
    while terminal::is_held() {
        let terminal = stdin();
        let mut ready = [PollFd::new(&terminal, PollFlags::IN)];
        match poll(&mut ready, Some(&LOOK_EVERY)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return terminal::is_held(),
            Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_locust() {
        let typed = b"wWsS\nq\x1b[A";
        let keys = |keys: Keys| -> Vec<Key> { typed.iter().filter_map(|b| keys.key(*b)).collect() };
        let users = [1, 10, -1, -10].map(Key::Users);
        assert_eq!(keys(Keys::Program), users);
        assert_eq!(keys(Keys::Terminal), [&users[..], &[Key::Quit]].concat());
    }
}
