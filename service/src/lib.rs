//! The iris prediction API: a request comes in, is prepared, is inferred, goes out; every step
//! leaves a span, and no span is lost without being counted.

pub mod http;
pub mod telemetry;
