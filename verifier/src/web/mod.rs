//! ALONGSIDE: a window on the run folder, never a participant.

#![allow(dead_code, reason = "under construction")]

mod document;
mod files;
mod fold;
mod snapshot;
mod tail;
