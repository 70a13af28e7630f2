//! The files of a run folder: their list, and one of them opened so that no path leaves the folder.

use crate::record::RunFolder;
use crate::verdict::page::RunFile;
use anyhow::Result;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The regular files of the folder and of those below it, by path.
///
/// # Errors
/// When one goes away meanwhile.
pub(super) fn list(folder: &RunFolder) -> Result<Vec<RunFile>> {
    let file = |(path, bytes)| RunFile {
        path,
        bytes: Some(bytes),
    };
    Ok(folder.files()?.into_iter().map(file).collect())
}

/// Opens a file of the folder. Each step of its path is a plain name, and none is a symbolic link.
///
/// Nothing is said of why it can not be had: what is outside is none of the asker's business.
pub(super) fn open(folder: &Path, path: &str) -> Option<File> {
    let names: Vec<&str> = path.split('/').collect();
    let plain = |name: &&str| !matches!(*name, "" | "." | "..") && !name.contains('\0');
    if !names.iter().all(plain) {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = |at: &OwnedFd, name: &str, more| openat(at, name, flags | more, Mode::empty());
    // The folder itself is as somebody named it.
    let folder_flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
    let mut at = openat(CWD, folder, folder_flags, Mode::empty()).ok()?;
    let (last, folders) = names.split_last()?;
    for name in folders {
        at = open(&at, name, OFlags::DIRECTORY).ok()?;
    }
    let file = open(&at, last, OFlags::empty()).ok()?;
    let kind = FileType::from_raw_mode(fstat(file.as_fd()).ok()?.st_mode);
    (kind == FileType::RegularFile).then(|| File::from(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn nothing_outside_the_folder_is_opened() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("run");
        std::fs::create_dir_all(folder.join("legacy")).unwrap();
        std::fs::write(outer.path().join("secret"), "s").unwrap();
        std::fs::write(folder.join("a.txt"), "a").unwrap();
        std::fs::write(folder.join("legacy/b.txt"), "b").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        std::os::unix::fs::symlink("..", folder.join("up")).unwrap();
        rustix::fs::mkfifoat(CWD, folder.join("fifo"), Mode::from_raw_mode(0o600)).unwrap();
        let read = |path: &str| {
            let mut text = String::new();
            open(&folder, path)?.read_to_string(&mut text).ok()?;
            Some(text)
        };
        assert_eq!(read("a.txt").as_deref(), Some("a"));
        assert_eq!(read("legacy/b.txt").as_deref(), Some("b"));
        for outside in [
            "../secret",
            "link",
            "up/secret",
            "legacy/../../secret",
            "/etc/passwd",
            "legacy",
            "fifo",
            "",
            ".",
            "legacy//b.txt",
            "./a.txt",
            "a.txt/",
            "nothing",
            "a\0b",
        ] {
            assert!(read(outside).is_none(), "{outside:?}");
        }
    }
}
