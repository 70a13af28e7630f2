//! What is done with run folders: `verifier judge`, `merge`, `show`, `compare`.

use super::PageArgs;
use crate::plan::parse_duration;
use crate::record::{Asked, KeepTraces, TraceLink};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// What the reports shall hold.
#[derive(Debug, Args)]
pub struct AskedArgs {
    /// Traces that opentelemetry_traces/ holds: all, exemplars (a few of each class), none
    /// [default: as when the run began, else exemplars]
    #[arg(long, value_name = "WHICH")]
    pub keep_traces: Option<KeepTraces>,
    /// Where a trace can be looked at, for links in the reports: http://localhost:16686/trace/{trace_id}
    #[arg(long, value_name = "URL")]
    pub trace_link: Option<TraceLink>,
    /// An earlier run, whose figures and curves report.html shows beside this one's
    #[arg(long, value_name = "DIR")]
    pub baseline: Option<PathBuf>,
}

impl AskedArgs {
    /// As the record keeps it.
    pub fn asked(&self) -> Asked {
        Asked {
            keep_traces: self.keep_traces,
            trace_link: self.trace_link.clone(),
        }
    }
}

/// `verifier judge`.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// The run folder
    #[arg(required_unless_present = "otlp", conflicts_with = "otlp")]
    pub run: Option<PathBuf>,

    /// Judge the traces in this file, or folder of files, that a collector's file exporter wrote
    #[arg(long, value_name = "FILE")]
    pub otlp: Option<PathBuf>,

    /// With --otlp: whose spans are expected and whose thresholds hold
    #[arg(long, default_value = "quick", requires = "otlp")]
    pub plan: String,

    /// With --otlp: the run folder [default: runs/watched-TIME]
    #[arg(long, value_name = "DIR", requires = "otlp")]
    pub out: Option<PathBuf>,

    /// Print verdict.json instead of the table
    #[arg(long)]
    pub json: bool,

    /// What the reports shall hold
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `verifier merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The run folders of all shards, or folders that hold them
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,

    /// The run folder of the whole
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// Wait so long for shards that have not come to their end, or are not there yet: 10m
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    pub wait: Option<Duration>,

    /// Print verdict.json on stdout; all else goes to stderr
    #[arg(long)]
    pub json: bool,

    /// What the reports shall hold
    #[command(flatten)]
    pub asked: AskedArgs,
}

/// `verifier show`.
#[derive(Debug, Args)]
pub struct FolderArgs {
    /// The run folder
    pub run: PathBuf,
    /// Print verdict.json instead of the table
    #[arg(long, conflicts_with = "web")]
    pub json: bool,
    /// Show it on a page instead
    #[command(flatten)]
    pub page: PageArgs,
}

/// `verifier compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The run folder to compare with
    pub a: PathBuf,
    /// The run folder that is compared
    pub b: PathBuf,
    /// A figure that is worse by no more than this is no regression
    #[arg(long, default_value = "5%", value_parser = parse_share, value_name = "PERCENT")]
    pub noise: f64,
    /// Write both runs as one page, too
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "compare.html")]
    pub html: Option<PathBuf>,
    /// Print the comparison as JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

/// `5%` or `0.05`, at least 0 and less than 1.
fn parse_share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().map(|value| value / unit);
    let share = share.ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is no share like 5% or 0.05, from 0 to less than 100%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        assert_eq!(
            [parse_share("5%"), parse_share("0.05"), parse_share("0%")],
            [Ok(0.05), Ok(0.05), Ok(0.0)]
        );
        for wrong in ["", "%", "-1%", "100%", "nan", "5"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
    }
}
