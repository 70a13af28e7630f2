//! What the program does, one command a file.

pub mod healthcheck;
pub mod serve;
pub mod train;
