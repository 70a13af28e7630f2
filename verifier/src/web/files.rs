//! The files of a run folder: their list, and one of them opened so that no path leaves the folder.

use crate::verdict::page::RunFile;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use std::fs::{File, read_dir};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Files that are listed.
const MOST_FILES: usize = 2000;
/// Folders within folders that are looked into.
const DEEPEST: usize = 4;

/// The regular files of the folder and of those in it, by path.
pub(super) fn list(folder: &Path) -> Vec<RunFile> {
    let mut files = Vec::new();
    walk(folder, "", 0, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn walk(folder: &Path, under: &str, depth: usize, files: &mut Vec<RunFile>) {
    // A folder that can not be read has nothing to show.
    for entry in read_dir(folder).into_iter().flatten().flatten() {
        if files.len() >= MOST_FILES {
            return;
        }
        let (Some(name), Ok(kind)) = (
            entry.file_name().to_str().map(str::to_owned),
            entry.file_type(),
        ) else {
            continue;
        };
        // What is still being written is none yet.
        if name.starts_with('.') || name.ends_with(".partial") {
            continue;
        }
        let path = format!("{under}{name}");
        if kind.is_dir() && depth < DEEPEST {
            walk(&entry.path(), &format!("{path}/"), depth + 1, files);
        } else if kind.is_file() {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            files.push(RunFile {
                path,
                bytes: Some(bytes),
            });
        }
    }
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
        let listed: Vec<String> = list(&folder).into_iter().map(|file| file.path).collect();
        assert_eq!(listed, ["a.txt", "legacy/b.txt"]);
    }
}
