//! The files of a run folder, with their sizes.

use crate::record::RunFolder;
use crate::verdict::page::RunFile;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Files that are listed: somebody may keep a whole tree in the folder.
const MOST: usize = 2_000;

/// Every file below the folder, by its path; but for hidden ones, and those that are being written. Links are not followed.
///
/// # Errors
/// When a folder can not be read.
pub(in super::super) fn of_folder(folder: &RunFolder) -> Result<Vec<RunFile>> {
    let mut files = Vec::new();
    below(folder.path(), "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.truncate(MOST);
    Ok(files)
}

fn below(path: &Path, from: &str, files: &mut Vec<RunFile>) -> Result<()> {
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
        // What is no text is no file of ours.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') || name.ends_with(".partial") {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            below(&entry.path(), &format!("{from}{name}/"), files)?;
        } else if kind.is_file() {
            let bytes = Some(entry.metadata()?.len());
            let path = format!("{from}{name}");
            files.push(RunFile { path, bytes });
        }
    }
    Ok(())
}
