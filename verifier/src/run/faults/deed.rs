//! What a fault did: asked when, hit what, failed where, to be undone how.

use crate::record::cluster::{FaultDone, Hit};

/// What a fault did.
#[derive(Debug, Default)]
pub(super) struct Deed {
    /// When it was asked for, on the run's clock.
    pub(super) asked_ns: u64,
    /// What it hit.
    pub(super) hits: Vec<Hit>,
    /// What could not be done.
    pub(super) errors: Vec<String>,
    /// How it is undone, if it lasts.
    pub(super) undo: Option<Undo>,
}

/// What has to be put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// The Deployment's replicas.
    Scale {
        /// As they were found.
        found: i32,
        /// As the fault set them.
        set: i32,
    },
    /// Nodes that the fault has cordoned.
    Cordon(Vec<String>),
    /// Processes that it has stopped.
    Stop(Vec<u32>),
}

impl Deed {
    /// One of which nothing came.
    pub(super) fn failed(asked_ns: u64, error: impl Into<String>) -> Deed {
        Deed {
            asked_ns,
            errors: vec![error.into()],
            ..Deed::default()
        }
    }

    /// As the journal keeps it.
    pub(super) fn done(self, fault: &str) -> FaultDone {
        FaultDone {
            fault: fault.to_owned(),
            asked_ns: self.asked_ns,
            objects: self.hits,
            errors: self.errors,
        }
    }
}
