//! The verifier: drives load at a target, takes in every trace, and judges what was recorded.
//!
//! # Layout, in the order of a run
//! Imports only point up this list; `tests/it/architecture.rs` holds the rule.

// A macro that prints panics when whoever read is gone.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod plan;

pub mod record;

pub mod run;

pub mod verdict;

pub mod web;

pub mod cli;
