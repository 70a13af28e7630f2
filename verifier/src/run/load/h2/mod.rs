//! A slower, correct client of HTTP/2 beside the fast one of HTTP/1.1: the same plan, the same rows, the same
//! books. Requests, times, ends and rows are the worker's; the protocol is the `h2` crate's.

mod bells;
mod connecting;
mod connection;
mod exchanges;
mod request;
mod session;
mod socket;
mod stage_run;
mod stream;
mod streams;
mod users;

pub(super) use request::Requests;
pub(super) use stage_run::StageRun;
