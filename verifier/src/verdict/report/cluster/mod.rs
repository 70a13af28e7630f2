//! The three text reports of a run on a cluster, from the verdict alone: each figure in them stands in `verdict.json`.

mod hpa_scaling;
mod pod_failure;
mod success_operations;
mod words;

use crate::record::{RunFolder, write_whole};
use crate::verdict::outcome::Verdict;
use anyhow::Result;

/// Writes them, where a cluster was watched or something was broken.
///
/// # Errors
/// When a file can not be written.
pub(super) fn write(folder: &RunFolder, verdict: &Verdict) -> Result<()> {
    let Some(cluster) = &verdict.cluster else {
        return Ok(());
    };
    for (name, text) in [
        (
            "hpa_scaling_report.txt",
            hpa_scaling::text(verdict, cluster),
        ),
        (
            "pod_failure_report.txt",
            pod_failure::text(verdict, cluster),
        ),
        (
            "success_operations_report.txt",
            success_operations::text(verdict, cluster),
        ),
    ] {
        write_whole(&folder.path().join(name), text.as_bytes())?;
    }
    Ok(())
}
