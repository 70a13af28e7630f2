//! The iris prediction API: a request comes in, is prepared, is inferred, goes out; every step
//! leaves a span, and no span is lost without being counted.
//!
//! `commands` and `config` are for `main`; then the way of a request: `http`, `predict`, `model`.

pub mod commands;
pub mod config;

pub mod http;

pub mod predict;

pub mod model;

pub mod telemetry;

pub mod answer;
pub mod error;
pub mod logs;
pub mod shards;
