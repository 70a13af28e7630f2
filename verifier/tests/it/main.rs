//! The verifier's integration tests: one binary, a module per subject.

mod architecture;
mod otlp;
mod run;
mod target;
