//! The verifier's integration tests: one binary, a module per subject.

mod architecture;
mod run;
mod verdict;
