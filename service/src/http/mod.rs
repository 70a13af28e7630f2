//! HTTP: the accept loop and the layer that traces every request.

mod connection;
mod conventions;
mod listeners;
pub mod serve;
mod server_span;
pub mod trace;
mod traceparent;
mod worker;
