//! The real far ends that `just testbed` installs, as processes on free ports: `collector(..)` and `jaeger(..)` give one
//! each, or `None`, said aloud, where they are not installed; with `IRIS_TESTBED_REQUIRED=1` that fails the test.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses what it needs"
)]

mod collector;
mod http;
mod jaeger;
mod process;

pub use collector::{Collector, collector, config, validate};
pub use http::{get, post, post_with};
pub use jaeger::{Jaeger, jaeger, jaeger_with};
pub use process::Process;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// The root of the checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder with the programs `collector` and `jaeger`, if they are installed for this checkout's pins.
pub fn built() -> Option<PathBuf> {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let install = checkout().join("testbed/install");
        let output = Command::new(&install).arg("folder").output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", install.display()));
        assert!(output.status.success(), "{output:?}");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    });
    if folder.join("whole").exists() {
        return Some(folder.clone());
    }
    let why = format!(
        "skipped: needs just testbed ({} is not there)",
        folder.display()
    );
    let required = std::env::var_os("IRIS_TESTBED_REQUIRED").is_some_and(|value| value == "1");
    assert!(
        !required,
        "IRIS_TESTBED_REQUIRED=1, but this test would be {why}"
    );
    // Past the capture of passing tests' output: nobody shall take a skipped test for one that passed.
    let thread = std::thread::current();
    let _ = writeln!(
        std::io::stderr(),
        "{}: {why}",
        thread.name().unwrap_or("a test")
    );
    None
}

/// An address that nobody listens on. The kernel gives such ports to no connection (they are below
/// `ip_local_port_range`), and this gives none twice; processes begin at different ones.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 97 * 100).unwrap();
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(first);
        let address = SocketAddr::from(([127, 0, 0, 1], 20_000 + port % 10_000));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// Waits until the condition holds; after a minute that fails, with what it says.
pub fn wait_until(mut condition: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) {
    for _ in 0..6_000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("waited in vain: {}", otherwise());
}
