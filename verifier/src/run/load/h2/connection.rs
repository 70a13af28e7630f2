//! One connection of a stage (or a user): what it is doing, and how it has done so far.

use super::session::Session;
use crate::run::load::connection::Pending;
use crate::run::load::dial::Dial;
use crate::run::load::wire::Wire;

/// What a connection is doing.
#[derive(Default)]
pub(super) enum State {
    /// There is none.
    #[default]
    Closed,
    /// The handshakes of TCP and TLS are under way.
    Connecting(Wire),
    /// HTTP/2's is.
    Greeting(Session),
    Open(Session),
}

/// One connection of a stage.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) state: State,
    /// A request that waits until it can be sent.
    pub(super) pending: Option<Pending>,
    /// When connecting, or the wait of `pending`, is given up; 0 for never.
    pub(super) deadline_ns: u64,
    /// Requests that it carries.
    pub(super) in_flight: usize,
    /// It takes no new requests: it is closed when the last one has ended.
    pub(super) leaving: bool,
    /// Open loop: since when it could have taken a request.
    pub(super) free_since_ns: u64,
    /// Open loop: it stands in the queue of those that take requests.
    pub(super) queued: bool,
    /// From then on it is left after an exchange.
    pub(super) expires_ns: u64,
    /// Failures since the last whole answer.
    pub(super) failures: u32,
    /// Whole answers that came over it since it was opened.
    pub(super) answers: u64,
    pub(super) dial: Dial,
    /// When it was asked for a sign of life, and the bytes that had come by then.
    pub(super) pinged: Option<(u64, u64)>,
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(super) fn session(&mut self) -> Option<&mut Session> {
        match &mut self.state {
            State::Greeting(session) | State::Open(session) => Some(session),
            State::Closed | State::Connecting(_) => None,
        }
    }

    /// It has just been opened.
    pub(super) fn opened(&mut self, expires_ns: u64) {
        self.expires_ns = expires_ns;
        self.leaving = false;
        self.answers = 0;
        self.pinged = None;
        self.deadline_ns = 0;
    }
}
