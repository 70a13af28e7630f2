//! What can be typed: flags and their words, no logic.

mod again;
mod cluster;
mod folders;
mod page;
mod run;
mod traces;
mod watch;

pub use again::{surroundings, typed};
pub use cluster::ClusterArgs;
pub use folders::{AskedArgs, CompareArgs, FolderArgs, JudgeArgs, MergeArgs};
pub use page::{PageArgs, WebArgs};
pub use run::RunArgs;
pub use traces::TracesArgs;
pub use watch::{CheckArgs, WatchArgs};

use clap::{Parser, Subcommand};

/// Drives load at a traced service, takes in every trace, and gives a verdict that can be re-computed.
#[derive(Debug, Parser)]
#[command(name = "verifier", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 pass, 1 fail, 2 usage, 3 unknown (invalid or unfinished run, no data, the target never answered), 130 interrupted (the report is written)";

const CHECK_EXIT_CODES: &str = "\
Exit codes: 0 nothing failed, 1 something failed, 2 usage";

const COMPARE_EXIT_CODES: &str = "\
Exit codes: 0 no regression, 1 a regression, 2 usage, 3 unknown (a run is invalid or unfinished, the plans differ, a figure is missing)";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Drive a plan's load, collect every trace, judge, and write the run folder
    Run(Box<RunArgs>),
    /// Is everything there that a run needs? One line a check, each with what to do where something is wrong
    #[command(after_help = CHECK_EXIT_CODES)]
    Check(CheckArgs),
    /// Serve the page on which a run is started, watched, stopped and explored
    Web(WebArgs),
    /// Judge the traces of somebody else's load (wrk, Locust, k6, users) while it runs
    Watch(WatchArgs),
    /// Judge a run folder again: the same verdict, byte for byte, with no target; or a file that a collector wrote
    Judge(JudgeArgs),
    /// Join the run folders of all shards of a run (`verifier run --shard`), judge, and write the reports
    Merge(MergeArgs),
    /// Print the verdict of a run folder
    Show(FolderArgs),
    /// Hold run B against run A, stage by stage, and tell regressions from noise
    #[command(after_help = COMPARE_EXIT_CODES)]
    Compare(CompareArgs),
    /// List the built-in plans, or print one with every default filled in, to start one of your own
    Plan {
        /// A built-in plan or a TOML file; without it the built-in plans are listed
        plan: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
