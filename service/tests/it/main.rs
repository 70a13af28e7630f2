//! The service seen from outside: real sockets, and a strict collector at the far end.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod saturation;
mod serve;
mod server;
mod sink;
mod telemetry_admission;
mod telemetry_delivery;
mod telemetry_faults;
mod telemetry_sdk;
mod trace;
