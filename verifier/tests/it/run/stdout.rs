//! Nobody who reads what is printed, and a disk that is full.

use super::*;
use std::fs::File;
use std::os::fd::OwnedFd;

const ASKED: [&[&str]; 3] = [
    &["plan"],
    &["plan", "quick"],
    &["run", "replica-loss", "--dry-run"],
];

#[test]
fn whoever_read_may_be_gone() {
    let folder = TempDir::new().unwrap();
    for args in ASKED {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = verifier(&folder, args)
            .stdout(OwnedFd::from(writer))
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_said() {
    let folder = TempDir::new().unwrap();
    for args in ASKED {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = verifier(&folder, args).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains("cannot write to stdout"), "{stderr}");
    }
}
