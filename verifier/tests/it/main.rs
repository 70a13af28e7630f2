//! The verifier's integration tests: one binary, a module per subject.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

mod architecture;
mod client_spans;
mod cluster;
mod load;
mod otlp;
mod otlp_stop;
mod real_parts;
mod run;
mod shards;
mod stores;
mod target;
#[path = "../testbed/mod.rs"]
mod testbed;
mod verdict;
mod web;
