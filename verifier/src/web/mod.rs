//! ALONGSIDE: a window on the run folder, never a participant. Serves the page of a run that goes on or has ended, follows
//! its folder, starts and stops runs as child processes, and answers as Locust does to scripts that were made for it.

mod address;
mod api;
mod asked;
mod body;
mod child;
mod document;
mod download;
mod events;
mod files;
mod fold;
mod guard;
mod locust;
mod logs;
mod plans;
mod recorded;
mod refusal;
mod routes;
mod serve;
mod server;
mod site;
mod snapshot;
mod tail;
mod token;
mod traces;
mod waterfall;

pub use address::{default_address, parse_address};
pub use serve::{First, Setup, serve};
pub use tail::Following;
