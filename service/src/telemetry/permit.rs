//! What a request holds while it waits for memory, and while it has it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::pipeline::Pipeline;

/// A request that waits is counted, so that idle leases come back to it.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Waiting<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Room for one request's spans, held until it is answered.
#[derive(Debug)]
pub struct Permit(Option<&'static Pipeline>);

impl Permit {
    /// `None`: there is nothing to reserve, or spans yield to answers.
    pub(super) fn new(reserved_in: Option<&'static Pipeline>) -> Permit {
        Permit(reserved_in)
    }

    /// Whether there is a reservation; whoever asks ends it.
    pub(super) fn redeem(mut self) -> bool {
        self.0.take().is_some()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(pipeline) = self.0 {
            pipeline.release();
        }
    }
}
