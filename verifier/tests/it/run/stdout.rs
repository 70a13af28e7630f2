//! Nobody who reads what is printed, and a disk that is full.

use super::*;
use std::fs::File;
use std::os::fd::OwnedFd;

const ASKED: [&[&str]; 3] = [
    &["plan"],
    &["plan", "quick"],
    &["run", "replica-loss", "--dry-run"],
];

fn asked(args: &[&str]) -> Command {
    let mut command = Command::new(VERIFIER);
    command.args(args);
    command
}

#[test]
fn whoever_read_may_be_gone() {
    for args in ASKED {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = asked(args).stdout(OwnedFd::from(writer)).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_said() {
    for args in ASKED {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = asked(args).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains("cannot write to stdout"), "{stderr}");
    }
}
