//! The files of a run folder, with their sizes.

use super::RunFolder;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Files that are listed: somebody may keep a whole tree in the folder.
const MOST: usize = 2_000;

impl RunFolder {
    /// Every file below the folder by its path from there, with its bytes; but for hidden ones, and those that are being
    /// written. Links are not followed.
    ///
    /// # Errors
    /// When a folder can not be read, or a file goes away meanwhile.
    pub fn files(&self) -> Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        below(self.path(), "", &mut files)?;
        files.sort();
        files.truncate(MOST);
        Ok(files)
    }
}

fn below(path: &Path, from: &str, files: &mut Vec<(String, u64)>) -> Result<()> {
    let context = || format!("cannot read {}", path.display());
    for entry in fs::read_dir(path).with_context(context)? {
        let entry = entry.with_context(context)?;
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
            files.push((format!("{from}{name}"), entry.metadata()?.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whole_and_in_the_folder_is_listed() {
        let outer = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&outer.path().join("run")).unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("legacy")).unwrap();
        fs::write(outer.path().join("secret"), "s").unwrap();
        for name in ["legacy/b.txt", "a.txt", ".hidden", "c.partial"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink("../secret", at("link")).unwrap();
        std::os::unix::fs::symlink("..", at("up")).unwrap();
        let expected = [("a.txt".to_owned(), 5), ("legacy/b.txt".to_owned(), 12)];
        assert_eq!(folder.files().unwrap(), expected);
    }
}
