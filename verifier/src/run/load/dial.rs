//! Which of the target's addresses a connection tries next: a name like `localhost` may have an address at
//! which nobody listens.

use std::net::SocketAddr;

/// One connection's attempts.
#[derive(Debug, Default)]
pub(super) struct Dial {
    /// Addresses that the present attempt to connect has used up.
    tried: usize,
    /// Attempts that failed so far: the next one begins with the address that worked last.
    failed: usize,
}

impl Dial {
    /// A new attempt, all addresses before it.
    pub(super) fn again(&mut self) {
        self.tried = 0;
    }

    /// The address to try next, each connection beginning with another one; `None` when all have been tried.
    pub(super) fn next(&mut self, addresses: &[SocketAddr], connection: u32) -> Option<SocketAddr> {
        if self.tried >= addresses.len() {
            return None;
        }
        self.tried += 1;
        let turn = connection as usize + self.failed;
        Some(addresses[turn % addresses.len()])
    }

    /// The last one given did not work.
    pub(super) fn failed(&mut self) {
        self.failed += 1;
    }
}
