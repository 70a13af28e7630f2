//! The page: `verifier web`, and the flags of those who have one beside what they do.

use crate::web::parse_address;
use clap::Args;
use std::ffi::OsString;
use std::net::SocketAddr;

/// Heading of what concerns the page.
const PAGE: &str = "The page";

/// A page beside what a subcommand does.
#[derive(Debug, Args)]
#[command(next_help_heading = PAGE)]
pub struct PageArgs {
    /// Serve a page in the browser, at this address [default: 127.0.0.1:8089]. On a terminal: Ctrl-C stops the run, the
    /// next one the page
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:8089", value_parser = parse_address)]
    pub web: Option<SocketAddr>,

    /// The secret that opens the page [default: none on this machine alone, a random one if others can reach it]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "VERIFIER_WEB_TOKEN",
        hide_env_values = true
    )]
    pub web_token: Option<String>,
}

/// `verifier web`.
#[derive(Debug, Args)]
#[command(next_help_heading = PAGE)]
pub struct WebArgs {
    /// Where it is served: 127.0.0.1:8089, 0.0.0.0:8089, 8089
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8089", value_parser = parse_address)]
    pub listen: SocketAddr,

    /// The secret that opens the page [default: none on this machine alone, a random one if others can reach it]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "VERIFIER_WEB_TOKEN",
        hide_env_values = true
    )]
    pub web_token: Option<String>,

    /// Flags of `verifier run` that every run is given which is started on the page: verifier web -- --url http://10.0.0.7
    #[arg(last = true, value_name = "RUN_FLAGS")]
    pub run: Vec<OsString>,
}
